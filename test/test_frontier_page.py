"""The command behind docs/results/frontier.md, on a bundle that finds red things."""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from support.tiny_bundle import WORKING_HW, write_redness_network, write_tiny_bundle

from stseg_ros.bundle import ModelBundle, NetworkFile, file_sha256, write_manifest
from stseg_ros.measure.evaluate import LabelledFrame
from stseg_ros.measure.frontier.points import GROUPS, REGIONS, Group, paper_group

pytest.importorskip('matplotlib', reason='the figure needs it')
pytest.importorskip('tqdm')

ROOT = Path(__file__).parent.parent
SCRIPT = ROOT / 'docs' / 'scripts' / 'make_frontier_page.py'
SEEDS = ('seed0', 'seed1')


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location('make_frontier_page', SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, 'make_frontier_page', module)
    spec.loader.exec_module(module)
    # What other pages have scored is of other bundles.
    monkeypatch.setattr(module, 'RESULTS', tmp_path)
    monkeypatch.setattr(module, 'SCORED_SETS', (Street(),))
    return module


class RedBlocks:
    """Two images of red blocks, one of them small."""

    names = ('first', 'second')

    def load(self, index: int) -> LabelledFrame:
        image_hwc = np.zeros((100, 200, 3), np.uint8)
        image_hwc[20:70, 30 + 40 * index : 90 + 40 * index, 0] = 200
        image_hwc[80:85, 10:17, 0] = 200
        vehicle_hw = (image_hwc[..., 0] > 0).astype(np.uint8)
        return LabelledFrame(image_hwc=image_hwc, vehicle_hw=vehicle_hw, name=self.names[index])


@dataclasses.dataclass(frozen=True)
class Street:
    title: str = 'red street'

    def load(self, _data: Path, _scenes: int) -> RedBlocks:
        return RedBlocks()


def write_bundle(root: Path) -> Path:
    """Write the tiny bundle with a whole-frame network, and room for 32 regions."""
    write_tiny_bundle(root)
    manifest = ModelBundle.read(root).manifest
    geometry = dataclasses.replace(manifest.geometry, max_regions=32)
    path = root / 'whole.onnx'
    write_redness_network(path, WORKING_HW, batch=1, gain=8.0)
    file = NetworkFile(file=path.name, sha256=file_sha256(path))
    networks = dataclasses.replace(manifest.networks, whole=file)
    write_manifest(root, dataclasses.replace(manifest, networks=networks, geometry=geometry))
    return root


@pytest.fixture
def called(script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Call the script; every bundle is there, so that none is exported."""
    for seed in SEEDS:
        write_bundle(tmp_path / 'bundles' / f'pair_{seed}')
    write_bundle(tmp_path / 'bundles' / 'quarter_seed0')
    write_bundle(tmp_path / 'bundles' / 'half_seed0')
    for share in ('quarter', 'half'):
        run = tmp_path / 'singles' / f'{share}_seed0'
        run.mkdir(parents=True)
        (run / 'whole.pt').touch()
        (run / 'run.yaml').write_text('whole: {steps: 10, minutes: 1.5}\n')
        (run / 'recipe.yaml').write_text('geometry: {working_hw: [100, 200]}\nwhole: {batch: 5}\n')
    places = '--data', tmp_path, '--bundles', tmp_path / 'bundles'

    def call(*arguments: object) -> dict[str, Any]:
        output = tmp_path / 'frontier.json'
        words = [SCRIPT, *arguments, *places, '--output', output]
        monkeypatch.setattr(sys, 'argv', [str(word) for word in words])
        script.main()
        record: dict[str, Any] = json.loads(output.read_text())
        return record

    return call


def score(called: Any, tmp_path: Path) -> dict[str, Any]:
    runs = [tmp_path / 'runs' / seed for seed in SEEDS]
    record: dict[str, Any] = called('--runs', *runs, '--singles', tmp_path / 'singles')
    return record


def test_every_point_is_scored_for_every_run_that_has_it(called: Any, tmp_path: Path) -> None:
    record = score(called, tmp_path)
    scores = record['scores']['red street']
    pair = {f'{selector} K = {k}' for selector in ('grid', 'components') for k in REGIONS}
    pair |= {'single-stage 1/8', 'single-stage 1/1'}
    assert set(scores['seed1']) == pair
    assert set(scores['seed0']) == pair | {'single-stage 1/4', 'single-stage 1/2'}
    rows = scores['seed0']
    # Three products for each pixel: of 16x32, of 8 regions of 32x64 more, of 128x256.
    labels = 'single-stage 1/8', 'grid K = 8', 'single-stage 1/1'
    assert [rows[label]['macs'] for label in labels] == [1536, 1536 + 8 * 6144, 98304]
    # The grid has 16 cells.
    assert rows['grid K = 32']['mean_regions'] == 16.0
    assert 0.5 < rows['grid K = 32']['dice'] <= 1.0
    # 10 batches of 5 images of 20,000 pixels.
    noted = {'steps': 10, 'batch': 5, 'minutes': 1.5, 'megapixels': 1}
    assert record['training'] == {'quarter': {'seed0': noted}, 'half': {'seed0': noted}}
    page = (tmp_path / 'frontier.md').read_text()
    assert 'scored but not timed yet' in page
    assert '| components K = 8 |' in page
    assert not (tmp_path / 'frontier.png').exists()
    assert rows['single-stage 1/1']['small_recall'] == 1.0


def test_only_what_is_missing_is_scored_again(
    called: Any, tmp_path: Path, script: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = score(called, tmp_path)
    gap = json.loads(json.dumps(full))
    rows = gap['scores']['red street']['seed1']
    del rows['components K = 4'], rows['grid K = 1']
    (tmp_path / 'frontier.json').write_text(json.dumps(gap))
    scored = []
    score_group = script.score_group

    def note(group: Group, *rest: Any) -> dict[str, Any]:
        scored.extend(point.label for point in group.points)
        found: dict[str, Any] = score_group(group, *rest)
        return found

    monkeypatch.setattr(script, 'score_group', note)
    again = score(called, tmp_path)
    assert scored == ['grid K = 1', 'components K = 4']
    assert again == full


def test_all_points_are_timed_together_and_the_page_is_complete(
    called: Any, tmp_path: Path
) -> None:
    score(called, tmp_path)
    paper = write_tiny_bundle(tmp_path / 'paper')
    record = called('--time', '--rounds', 2, '--sizes', '1280x720,160x90', '--paper', paper)

    labels = {point.label for group in GROUPS for point in group.points}
    labels |= {point.label for point in paper_group('paper_128_4', 4, 128).points}
    assert list(record['timing']) == ['red street']
    sizes = record['timing']['red street']['sizes']
    assert list(sizes) == ['1280x720', '160x90']
    for times in sizes.values():
        assert set(times) == labels
        assert all(len(one['round_ms']) == 2 for one in times.values())
        assert all(one['ms']['p50'] > 0.0 for one in times.values())
    assert (tmp_path / 'frontier.png').read_bytes().startswith(b'\x89PNG')
    page = (tmp_path / 'frontier.md').read_text()
    assert 'at 4 times its speed or better' in page
    assert '- red street, frames of 1280x720: Dice ' in page
    for rival in ('1/1', '1/2', '1/4', '1/8'):
        rows = [line for line in page.splitlines() if line.startswith(f'| single-stage {rival} |')]
        # The default at two sizes, the best of all at one of those shown.
        assert len(rows) >= 3
    assert "paper's U-Net, 128x128, N_p = 4, K = 4" in page


def test_timing_without_bundles_says_what_is_missing(
    script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = [SCRIPT, '--time', '--data', tmp_path, '--bundles', tmp_path / 'none']
    words += ['--output', tmp_path / 'frontier.json']
    monkeypatch.setattr(sys, 'argv', [str(word) for word in words])
    with pytest.raises(script.ConfigError, match=r'holds no pair_\* bundle; score it first'):
        script.main()


@pytest.mark.parametrize(
    ('name', 'working_hw', 'coarse_hw'),
    [
        # The quarter starts from the network that sees an eighth, the half from the quarter.
        ('single_stage_quarter', (128, 256), (64, 128)),
        ('single_stage_half', (256, 512), (128, 256)),
    ],
)
def test_the_recipes_are_the_pairs_network_on_smaller_frames(
    name: str, working_hw: tuple[int, int], coarse_hw: tuple[int, int]
) -> None:
    pytest.importorskip('torch')
    from stseg_ros.training.recipe import load_recipe

    recipe = load_recipe(ROOT / 'config' / 'train' / f'{name}.yaml')
    pair = load_recipe(ROOT / 'config' / 'train' / 'driving_small.yaml')
    assert recipe.whole is not None
    assert (recipe.geometry.working_hw, recipe.geometry.coarse_hw) == (working_hw, coarse_hw)
    assert recipe.sources == pair.sources
    assert recipe.whole.network == recipe.coarse.network == pair.coarse.network
    assert recipe.whole.start_from == 'coarse'


def test_a_record_of_before_loses_its_times_and_what_has_gaps(called: Any, tmp_path: Path) -> None:
    full = score(called, tmp_path)
    before = json.loads(json.dumps(full)) | {'schema': 1, 'timing': {'sizes': {}, 'backend': ''}}
    before['scores']['red street']['seed1']['grid K = 4']['boundary_dice'] = None
    (tmp_path / 'frontier.json').write_text(json.dumps(before))
    record = called()
    assert (record['schema'], record['timing']) == (2, None)
    kept = record['scores']['red street']
    assert 'grid K = 4' not in kept['seed1']
    assert kept['seed0'] == full['scores']['red street']['seed0']
    assert score(called, tmp_path) == full
