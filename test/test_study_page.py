"""The command behind docs/results/study.md, on a bundle that finds red things."""

from __future__ import annotations

import importlib.util
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from support.tiny_bundle import write_tiny_bundle

from stseg_ros.config import SELECTORS
from stseg_ros.measure.evaluate import LabelledFrame

pytest.importorskip('matplotlib', reason='the figure needs it')
pytest.importorskip('tqdm')

SCRIPT = Path(__file__).parent.parent / 'docs' / 'scripts' / 'make_study_page.py'


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    spec = importlib.util.spec_from_file_location('make_study_page', SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, 'make_study_page', module)
    spec.loader.exec_module(module)
    return module


class RedBlocks:
    """Two images of red blocks, loaded as often as `loaded` says."""

    names = ('first', 'second')

    def __init__(self) -> None:
        self.loaded = 0

    def load(self, index: int) -> LabelledFrame:
        self.loaded += 1
        image_hwc = np.zeros((100, 200, 3), np.uint8)
        image_hwc[20:70, 30 + 40 * index : 90 + 40 * index, 0] = 200
        vehicle_hw = (image_hwc[..., 0] > 0).astype(np.uint8)
        return LabelledFrame(image_hwc=image_hwc, vehicle_hw=vehicle_hw, name=self.names[index])


@dataclass(frozen=True)
class Street:
    """A set as the script has them."""

    images: RedBlocks
    title: str = 'red street'
    video: bool = True
    dataset: str = 'red'
    held_out: bool = False

    def load(self, _data: Path, _scenes: int) -> RedBlocks:
        return self.images


def test_a_page_a_figure_and_the_figures(
    script: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    images = RedBlocks()
    lessons = RedBlocks()
    monkeypatch.setattr(script, 'SETS', (Street(images),))
    monkeypatch.setattr(script, 'sets_to_learn_from', lambda _: [Street(lessons, 'lessons')])
    bundle = write_tiny_bundle(tmp_path / 'tiny')
    output = tmp_path / 'study.json'
    arguments = ['make_study_page.py', '--bundle', str(bundle), '--data', str(tmp_path)]
    monkeypatch.setattr(sys, 'argv', [*arguments, '--output', str(output)])
    script.main()
    record = json.loads(output.read_text())
    rows = record['sets']['red street']['tiny']['rows']
    assert {row[0] for row in rows} > set(SELECTORS)
    assert all(0.0 <= row[record['columns'].index('dice')] <= 1.0 for row in rows)
    page = output.with_suffix('.md').read_text()
    assert '## red street\n\n2 images; runs tiny.' in page
    # Red blocks are found by any sum.
    merge = record['sets']['red street']['tiny']['merge']
    assert set(merge) == {'add', 'learned', 'best'}
    assert '\n| red street | ' in page
    assert all(f'| {name} |' in page for name in SELECTORS)
    assert output.with_suffix('.png').read_bytes().startswith(b'\x89PNG')
    # What was scored is not scored again.
    assert (images.loaded, lessons.loaded) == (2, 2)
    script.main()
    assert (images.loaded, lessons.loaded) == (2, 2)
    assert output.with_suffix('.md').read_text() == page
    # Of scores from before there was anything learned, only that is scored, to the same page.
    entry = record['sets']['red street']['tiny']
    del entry['merge']
    entry['rows'] = [row for row in entry['rows'] if 'learned' not in row[:2]]
    output.write_text(json.dumps(record))
    script.main()
    assert images.loaded == 4
    again = json.loads(output.read_text())['sets']['red street']['tiny']
    assert sorted(again['rows']) == sorted(rows)
    assert again['merge'] == merge
