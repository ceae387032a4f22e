"""The command behind docs/results/benchmark.md, on a bundle that finds red things."""

from __future__ import annotations

import importlib.util
import json
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest
from support.tiny_bundle import write_tiny_bundle

from stseg_ros.datasets.synthetic.scenes import render_scene
from stseg_ros.measure.benchmark import frames

pytest.importorskip('matplotlib', reason='the figures need it')
pytest.importorskip('tqdm')

SCRIPT = Path(__file__).parent.parent / 'docs' / 'scripts' / 'make_benchmark_page.py'


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    spec = importlib.util.spec_from_file_location('make_benchmark_page', SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, 'make_benchmark_page', module)
    spec.loader.exec_module(module)
    # Scenes of the usual size take long to draw, and frames of that size to segment.
    monkeypatch.setattr(frames, 'render_scene', lambda seed: render_scene(seed, (48, 64)))
    monkeypatch.setattr(module, 'CAMERA_SIZES', '160x90,256x128')
    return module


def call(script: ModuleType, monkeypatch: pytest.MonkeyPatch, *arguments: object) -> None:
    monkeypatch.setattr(sys, 'argv', [str(word) for word in (SCRIPT, *arguments)])
    script.main()


def test_the_page_has_criteria_tables_and_figures(
    script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle, output = write_tiny_bundle(tmp_path / 'tiny'), tmp_path / 'results'
    output.mkdir()
    call(script, monkeypatch, bundle, '--repeats', 2, '--output', output)
    page = (output / 'benchmark.md').read_text()
    assert '> On this CPU, one run, same network' in page
    # The paper's bundles were not timed.
    assert page.count('| not measured |') == 6
    row = r'tiny, 4x4 cells, frames of 160x90, K = 4, (f32|bf16) \| times its two network calls'
    assert re.search(row, page)
    assert 'several cameras, 256x128, K = 4' in page
    names = {path.name for path in output.glob('*.png')}
    assert names == {f'benchmark_tiny_{what}.png' for what in ('regions', 'size', 'cameras')}
    assert all(f'![{name}]({name})' in page for name in names)

    # Without a bundle the page is written anew, from the same figures.
    (output / 'benchmark.md').unlink()
    call(script, monkeypatch, '--output', output)
    assert (output / 'benchmark.md').read_text() == page


def test_figures_of_another_schema_are_refused(
    script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / 'benchmark_old.json'
    path.write_text(json.dumps({'schema': 1}))
    with pytest.raises(SystemExit, match=r'benchmark_old\.json has schema 1, not 2; time it'):
        call(script, monkeypatch, '--output', tmp_path)
