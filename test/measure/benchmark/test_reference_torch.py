"""The published procedure in PyTorch, held against the same on ONNX Runtime in float32."""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import math
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from support.tiny_bundle import WORKING_HW, read_tiny_bundle

from stseg_ros.bundle import ModelBundle, write_manifest
from stseg_ros.cli import main
from stseg_ros.config import PipelineConfig
from stseg_ros.measure.benchmark.reference import LOGITS, PROBABILITIES, ReferenceProcedure
from stseg_ros.measure.benchmark.reference_networks import BackendNetworks
from stseg_ros.measure.benchmark.reference_torch import open_torch_reference
from stseg_ros.records import ChannelOrder, Frame

BACKEND = 'onnxruntime'
needs_torch = pytest.mark.skipif(
    importlib.util.find_spec('torch') is None, reason='needs PyTorch, see requirements/train.txt'
)
# The backend's logits come in steps of 1/16, so that each is wrong by half a step at most, and so
# is what is enlarged of them; arithmetic in float32 adds less than a thousandth.
LOGIT_BOUND = 1.0 / 32.0 + 1e-3


@pytest.fixture(scope='module')
def bundles(tmp_path_factory: pytest.TempPathFactory) -> dict[str, ModelBundle]:
    from support.torch_bundle import write_torch_bundle

    folder = tmp_path_factory.mktemp('bundles')
    return {
        name: write_torch_bundle(folder / name, name) for name in ('paper_unet', 'residual_fpn')
    }


@needs_torch
@pytest.mark.torch
@pytest.mark.parametrize('order', list(ChannelOrder))
@pytest.mark.parametrize('architecture', ['paper_unet', 'residual_fpn'])
@pytest.mark.parametrize('regions', [0, 3, 8])
def test_cells_and_masks_are_those_of_the_backend(
    bundles: dict[str, ModelBundle], architecture: str, order: ChannelOrder, regions: int
) -> None:
    """A pixel may differ where its logit in PyTorch is within `LOGIT_BOUND` of the threshold."""
    from support.torch_bundle import blocky_image

    bundle, image = bundles[architecture], blocky_image()
    if order is ChannelOrder.BGR:
        image = np.ascontiguousarray(image[..., ::-1])
    frame = Frame(image_hwc=image, channel_order=order)
    networks = BackendNetworks(bundle, BACKEND, PipelineConfig(precision='float32'))
    in_torch = open_torch_reference(bundle, BACKEND, 0).procedure
    assert in_torch is not None
    with closing(in_torch), closing(ReferenceProcedure(bundle.geometry, networks)) as procedure:
        for space in (LOGITS, PROBABILITIES):
            ours = procedure.segment(frame, regions, threshold=0.5, score_space=space)
            surely, rightly, perhaps = (
                in_torch.segment(
                    frame, regions, threshold=1.0 / (1.0 + math.exp(-logit)), score_space=space
                )
                for logit in (LOGIT_BOUND, 0.0, -LOGIT_BOUND)
            )
            assert rightly.cells == ours.cells
            assert len(ours.cells) == regions
            assert np.all(surely.mask_hw <= ours.mask_hw)
            assert np.all(ours.mask_hw <= perhaps.mask_hw)
            # The bound leaves few pixels open, and both labels are common.
            assert np.mean(surely.mask_hw != perhaps.mask_hw) < 0.05
            assert 0.1 < np.mean(ours.mask_hw > 0) < 0.9


@needs_torch
@pytest.mark.torch
def test_what_the_times_depend_on_is_told(bundles: dict[str, ModelBundle]) -> None:
    import torch

    usual = torch.get_num_threads()
    opened = open_torch_reference(bundles['paper_unet'], BACKEND, usual + 1)
    assert opened.procedure is not None
    opened.procedure.close()
    assert opened.reason == ''
    memory_mib = opened.facts.pop('memory_mib')
    assert memory_mib == round(memory_mib, 1)
    assert opened.facts == {
        'library': f'PyTorch {torch.__version__}',
        'arithmetic': 'float32',
        'device': 'CPU',
        'threads': usual + 1,
        'coarse_logits_enlarged_by': opened.procedure.enlarged_by,
    }
    assert torch.get_num_threads() == usual


def test_nothing_is_compared_with_a_gpu(tmp_path: Path) -> None:
    opened = open_torch_reference(read_tiny_bundle(tmp_path / 'tiny'), 'tensorrt', 0)
    assert opened.procedure is None
    assert opened.facts == {}
    assert opened.reason == 'it runs on the CPU, where tensorrt does not'


@pytest.mark.parametrize(
    'provenance',
    [
        {},
        {'networks': 'unknown'},
        {'networks': {'coarse': {'architecture': 'paper_unet', 'width': 8}}},
        {'networks': {'coarse': {'architecture': 'paper_unet'}}},
        {'networks': {'coarse': {'architecture': [], 'width': 8}}},
    ],
)
def test_a_bundle_that_does_not_say_what_it_is_has_none(
    tmp_path: Path, provenance: dict[str, Any]
) -> None:
    opened = open_torch_reference(stating(tmp_path, provenance), BACKEND, 0)
    assert opened.procedure is None
    assert opened.reason.startswith('tiny does not say architecture and width of its ')


@needs_torch
@pytest.mark.torch
@pytest.mark.parametrize(
    ('architecture', 'reason'),
    [
        ('paper_unet', 'coarse.onnx normalises images by another mean than this version'),
        ('transformer', "network architecture is 'transformer'; give one of paper_unet"),
    ],
)
def test_a_bundle_that_is_mistaken_in_what_it_is_has_none(
    tmp_path: Path, architecture: str, reason: str
) -> None:
    facts = {'architecture': architecture, 'width': 8}
    bundle = stating(tmp_path, {'networks': {'coarse': facts, 'refine': dict(facts)}})
    opened = open_torch_reference(bundle, BACKEND, 0)
    assert opened.procedure is None
    assert reason in opened.reason


def stating(folder: Path, provenance: dict[str, Any]) -> ModelBundle:
    """Write the bundle that finds red things, and let it say something of itself."""
    bundle = read_tiny_bundle(folder / 'tiny')
    write_manifest(bundle.root, dataclasses.replace(bundle.manifest, provenance=provenance))
    return ModelBundle.read(bundle.root)


def write_images(folder: Path) -> Path:
    folder.mkdir()
    for seed in range(2):
        image = np.random.default_rng(seed).integers(0, 256, (*WORKING_HW, 3), dtype=np.uint8)
        cv2.imwrite(str(folder / f'{seed}.png'), image)
    return folder


def arguments_of(root: Path, images: Path, target: Path) -> list[str]:
    what = '--bundle', root, '--images', images, '--sizes', '160x90', '--regions', '2'
    how = '--quick', '--cameras', '0', '--backend', BACKEND, '--json', target
    return ['benchmark', *map(str, (*what, *how))]


@needs_torch
@pytest.mark.torch
def test_a_benchmark_has_a_row_of_it(
    bundles: dict[str, ModelBundle], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / 'timing.json'
    arguments = arguments_of(bundles['residual_fpn'].root, write_images(tmp_path / 'im'), target)
    assert main([*arguments, '--threads', '1', '--output', str(tmp_path / 'out')]) == 0
    shown = capsys.readouterr().out
    assert 'x faster than reference_torch' in shown
    assert 'float32, threads of the CPU: 1;' in shown
    assert 'no published procedure' not in shown
    document = json.loads(target.read_text())
    assert document['reference_torch']['threads'] == 1
    modes = ['whole', 'coarse', 'two_stage', 'reference', 'reference_torch']
    assert [row['mode'] for row in document['results']] == modes
    rows = {row['mode']: row for row in document['results']}
    ratio = rows['two_stage']['faster_than_reference_torch']
    assert 0.0 < ratio['low'] <= ratio['ratio'] <= ratio['high']
    assert rows['reference']['faster_than_reference_torch'] is None
    stages = ['preprocess', 'coarse', 'select', 'refine', 'fuse']
    assert list(rows['reference_torch']['stages_ms']) == stages
    # Near ties and near the threshold a step of 1/16 may decide.
    assert document['masks'][0]['dice_of_references'] > 0.9


WITHOUT_TORCH = """\
import sys
sys.modules['torch'] = None
from stseg_ros.cli import main
sys.exit(main(sys.argv[1:]))
"""


def test_without_pytorch_the_rest_is_timed_and_a_note_says_so(tmp_path: Path) -> None:
    facts = {'architecture': 'paper_unet', 'width': 8}
    bundle = stating(tmp_path, {'networks': {'coarse': facts, 'refine': dict(facts)}})
    target = tmp_path / 'timing.json'
    arguments = arguments_of(bundle.root, write_images(tmp_path / 'im'), target)
    run = subprocess.run(
        [sys.executable, '-c', WITHOUT_TORCH, *arguments],
        capture_output=True,
        text=True,
        check=True,
    )
    (note,) = (line for line in run.stdout.splitlines() if 'PyTorch' in line)
    assert note.startswith(
        'note: no published procedure in PyTorch: PyTorch or onnx is not installed'
    )
    assert note.endswith('pip install -r requirements/train.txt')
    document = json.loads(target.read_text())
    assert document['reference_torch'] is None
    assert 'reference' in (modes := {row['mode'] for row in document['results']})
    assert 'reference_torch' not in modes
    assert {row['faster_than_reference_torch'] for row in document['results']} == {None}
    assert document['masks'][0]['dice_of_references'] is None


def test_pytorch_is_not_loaded_for_a_bundle_that_it_cannot_serve(tmp_path: Path) -> None:
    bundle = read_tiny_bundle(tmp_path / 'tiny')
    code = (
        'import sys\n'
        'from pathlib import Path\n'
        'from stseg_ros.bundle import ModelBundle\n'
        'import stseg_ros.measure.benchmark.run\n'
        'from stseg_ros.measure.benchmark.reference_torch import open_torch_reference\n'
        "open_torch_reference(ModelBundle.read(Path(sys.argv[1])), 'onnxruntime', 0)\n"
        "print('torch' in sys.modules)"
    )
    run = subprocess.run(
        [sys.executable, '-c', code, str(bundle.root)], capture_output=True, text=True, check=True
    )
    assert run.stdout.strip() == 'False'
