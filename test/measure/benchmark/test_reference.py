"""The published procedure on networks that find red things."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from types import ModuleType
from typing import Any

import cv2
import numpy as np
import pytest
from support.tiny_bundle import GRID, WORKING_HW, read_tiny_bundle

from stseg_ros.assembly import open_segmenter
from stseg_ros.bundle import ModelBundle
from stseg_ros.config import PipelineConfig
from stseg_ros.measure.benchmark.reference import LOGITS, PROBABILITIES, ReferenceProcedure
from stseg_ros.measure.benchmark.reference_networks import BackendNetworks
from stseg_ros.records import ChannelOrder, Frame

BACKEND = 'onnxruntime'
RED, GREEN = (255, 0, 0), (0, 255, 0)
CELL_HW = WORKING_HW[0] // GRID[0], WORKING_HW[1] // GRID[1]


def open_procedure(bundle: ModelBundle) -> ReferenceProcedure:
    networks = BackendNetworks(bundle, BACKEND, PipelineConfig())
    return ReferenceProcedure(bundle.geometry, networks)


@pytest.fixture
def inverting(tmp_path: Path) -> Iterator[ReferenceProcedure]:
    """Its coarse network finds red, its refine network green."""
    bundle = read_tiny_bundle(tmp_path / 'tiny', refine_gain=-8.0)
    with closing(open_procedure(bundle)) as procedure:
        yield procedure


def split_image() -> np.ndarray:
    """Red up to the middle of the second column of cells, green from there on."""
    image = np.full((*WORKING_HW, 3), GREEN, np.uint8)
    image[:, : CELL_HW[1] * 3 // 2] = RED
    return image


@pytest.mark.parametrize('order', list(ChannelOrder))
@pytest.mark.parametrize('space', [LOGITS, PROBABILITIES])
def test_cells_of_both_kinds_are_refined_and_replaced(
    inverting: ReferenceProcedure, order: ChannelOrder, space: str
) -> None:
    image = split_image() if order is ChannelOrder.RGB else split_image()[..., ::-1].copy()
    frame = Frame(image_hwc=image, channel_order=order)
    result = inverting.segment(frame, GRID[0], threshold=0.5, score_space=space)
    assert sorted(result.cells) == [(row, 1) for row in range(GRID[0])]
    width = CELL_HW[1]
    expected = np.zeros(WORKING_HW, np.uint8)
    expected[:, :width] = 255
    # The second column of cells is refined: there green is the vehicle.
    expected[:, width * 3 // 2 : width * 2] = 255
    np.testing.assert_array_equal(result.mask_hw, expected)


def mosaic() -> np.ndarray:
    """Four cells, one in each row, are half red; the others wholly red or green."""
    halves = np.random.default_rng(0).integers(0, 2, GRID).repeat(2, axis=1)
    for row, column in enumerate((1, 3, 0, 2)):
        halves[row, 2 * column : 2 * column + 2] = (0, 1)
    red = np.kron(halves, np.ones((CELL_HW[0], CELL_HW[1] // 2)))[..., None] > 0
    return np.where(red, RED, GREEN).astype(np.uint8)


# None, the four that are in doubt, all: so that no tie decides.
@pytest.mark.parametrize('regions', [0, 4, 16])
def test_the_pipeline_pasting_gives_the_same_mask(tmp_path: Path, regions: int) -> None:
    """Blocks larger than a coarse pixel look alike however a frame is shrunk."""
    bundle = read_tiny_bundle(tmp_path / 'tiny', refine_gain=-8.0)
    frame = Frame(image_hwc=mosaic())
    config = PipelineConfig(backend=BACKEND, fusion='paste', regions=regions)
    with (
        closing(open_segmenter(bundle, config)) as segmenter,
        closing(open_procedure(bundle)) as procedure,
    ):
        ours = segmenter.segment(frame)
        published = procedure.segment(frame, regions, threshold=0.5, score_space=PROBABILITIES)
    if regions == 4:
        assert set(published.cells) == {(0, 1), (1, 3), (2, 0), (3, 2)}
    assert len(published.cells) == len(ours.selection) == regions
    np.testing.assert_array_equal(published.mask_hw, ours.mask_hw)
    assert 0 < np.count_nonzero(ours.mask_hw) < ours.mask_hw.size


def test_ranked_by_logits_the_code_prefers_another_cell(inverting: ReferenceProcedure) -> None:
    """A logit of 0.5 has a probability of 0.62; a logit of 0 has one of 0.5."""
    image = np.full((*WORKING_HW, 3), (164, 100, 0), np.uint8)  # a logit of 2
    height, width = CELL_HW
    image[:height, :width] = (116, 100, 0)  # 8 x 16 / 255 is about 0.5
    image[3 * height :, 3 * width :] = (100, 100, 0)
    frame = Frame(image_hwc=image)
    chosen = {
        space: inverting.segment(frame, 1, threshold=0.5, score_space=space).cells
        for space in (LOGITS, PROBABILITIES)
    }
    assert chosen == {LOGITS: ((0, 0),), PROBABILITIES: ((3, 3),)}


def test_the_mask_has_the_size_and_the_threshold_of_the_frame(
    inverting: ReferenceProcedure,
) -> None:
    height, width = WORKING_HW[0] * 2, WORKING_HW[1] * 3
    image = np.full((height, width, 3), (100, 130, 0), np.uint8)
    image[:, : width // 2] = (130, 100, 0)  # logits of -0.94 and 0.94: 28 % and 72 %
    for threshold, share in ((0.5, 0.5), (0.8, 0.0), (0.2, 1.0)):
        mask_hw = inverting.segment(Frame(image_hwc=image), 0, threshold=threshold).mask_hw
        assert mask_hw.shape == (height, width)
        assert set(np.unique(mask_hw)) <= {0, 255}
        assert np.mean(mask_hw == 255) == share


class Recorder:
    """A network that notes the shapes it is given."""

    def __init__(self, engine: Any) -> None:
        self._engine = engine
        self.shapes: list[tuple[int, ...]] = []

    def infer(self, batch_nhwc: np.ndarray, order: ChannelOrder) -> np.ndarray:
        self.shapes.append(batch_nhwc.shape)
        return self._engine.infer(batch_nhwc, order)

    def close(self) -> None:
        self._engine.close()


def test_every_cell_goes_through_the_network_alone(inverting: ReferenceProcedure) -> None:
    engines = inverting._networks._engines
    recorder = Recorder(engines.refine)
    inverting._networks._engines = dataclasses.replace(engines, refine=recorder)
    inverting.segment(Frame(image_hwc=split_image()), 5, threshold=0.5)
    assert recorder.shapes == [(1, *CELL_HW, 3)] * 5


def test_scikit_image_enlarges_where_it_is_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def resize(array: np.ndarray, size_hw: tuple[int, int]) -> np.ndarray:
        asked.append((array.shape, size_hw))
        return cv2.resize(array, size_hw[::-1])

    package, module = ModuleType('skimage'), ModuleType('skimage.transform')
    module.resize = resize
    monkeypatch.setitem(sys.modules, 'skimage', package)
    monkeypatch.setitem(sys.modules, 'skimage.transform', module)
    bundle = read_tiny_bundle(tmp_path / 'tiny')
    with closing(open_procedure(bundle)) as procedure:
        assert procedure.enlarged_by == 'scikit-image'
        mask_hw = procedure.segment(Frame(image_hwc=split_image()), 0, threshold=0.5).mask_hw
    assert asked == [((WORKING_HW[0] // 8, WORKING_HW[1] // 8), WORKING_HW)]
    np.testing.assert_array_equal(mask_hw > 0, split_image()[..., 0] > 0)


def test_opencv_enlarges_where_scikit_image_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, 'skimage.transform', None)
    bundle = read_tiny_bundle(tmp_path / 'tiny')
    with closing(open_procedure(bundle)) as procedure:
        assert procedure.enlarged_by == 'OpenCV'
