"""Several cameras on one pair of networks: the same masks in both ways."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from support.tiny_bundle import write_tiny_bundle
from support.tiny_features import read_feature_bundle

from stseg_ros.assembly import open_segmenter
from stseg_ros.bundle import Geometry, ModelBundle
from stseg_ros.config import PipelineConfig, SegmenterSettings
from stseg_ros.measure.benchmark.cameras import (
    IN_TURN,
    JOINED,
    CameraCase,
    CamerasOnOnePair,
    frames_of_round,
    list_camera_cases,
)
from stseg_ros.records import Frame

BACKEND = 'onnxruntime'
SIZE_HW = (90, 160)
SETTINGS = SegmenterSettings(regions=6, fusion='add')


def pictures(count: int) -> list[Frame]:
    generator = np.random.default_rng(5)
    blocks = generator.integers(0, 256, (count, 9, 16, 3)).astype(np.uint8)
    images = np.kron(blocks, np.ones((1, 10, 10, 1), np.uint8))
    return [Frame(image_hwc=image) for image in images]


@pytest.fixture
def bundle(tmp_path: Path) -> ModelBundle:
    return ModelBundle.read(write_tiny_bundle(tmp_path / 'tiny'))


@pytest.fixture
def cameras(bundle: ModelBundle) -> Iterator[CamerasOnOnePair]:
    with closing(CamerasOnOnePair(bundle, BACKEND, PipelineConfig(), 3)) as opened:
        yield opened


class Batches:
    """Notes the sizes of a network's batches, and passes them on."""

    def __init__(self, engine: object) -> None:
        self.engine = engine
        self.sizes: list[int] = []

    def infer(self, batch_nhwc: np.ndarray, *rest: object) -> np.ndarray:
        self.sizes.append(len(batch_nhwc))
        logits: np.ndarray = self.engine.infer(batch_nhwc, *rest)  # type: ignore[attr-defined]
        return logits


class Pair:
    """A pair whose batches are noted."""

    def __init__(self, cameras: CamerasOnOnePair) -> None:
        self.coarse = Batches(cameras._engines.coarse)
        self.refine = Batches(cameras._engines.refine)

    def close(self) -> None:
        self.coarse.engine.close()  # type: ignore[attr-defined]
        self.refine.engine.close()  # type: ignore[attr-defined]


@pytest.mark.parametrize('way', [IN_TURN, JOINED])
def test_each_camera_gets_the_mask_that_it_gets_alone(
    way: str, cameras: CamerasOnOnePair, bundle: ModelBundle
) -> None:
    frames = pictures(3)
    masks_hw = cameras.serve(frames, way, SETTINGS).masks_hw
    with closing(open_segmenter(bundle, PipelineConfig(backend=BACKEND))) as alone:
        alone.settings = SETTINGS
        for frame, mask_hw in zip(frames, masks_hw, strict=True):
            np.testing.assert_array_equal(mask_hw, alone.segment(frame).mask_hw)
    assert len({mask_hw.tobytes() for mask_hw in masks_hw}) == 3


@pytest.mark.parametrize('way', [IN_TURN, JOINED])
def test_each_camera_has_features_of_its_own(way: str, tmp_path: Path) -> None:
    bundle = read_feature_bundle(tmp_path / 'features')
    frames = pictures(3)
    settings = SegmenterSettings(regions=5, fusion='paste')
    with closing(CamerasOnOnePair(bundle, BACKEND, PipelineConfig(), 3)) as cameras:
        masks_hw = cameras.serve(frames, way, settings).masks_hw
    with closing(open_segmenter(bundle, PipelineConfig(backend=BACKEND))) as alone:
        alone.settings = settings
        for frame, mask_hw in zip(frames, masks_hw, strict=True):
            np.testing.assert_array_equal(mask_hw, alone.segment(frame).mask_hw)
    assert len({mask_hw.tobytes() for mask_hw in masks_hw}) == 3


@pytest.mark.parametrize(
    ('regions', 'sizes'), [(6, [12, 6]), (5, [15]), (16, [16, 16, 16]), (0, [])]
)
def test_joined_batches_hold_whole_cameras_as_far_as_they_fit(
    regions: int, sizes: list[int], cameras: CamerasOnOnePair
) -> None:
    """The bundle takes 16 regions at once; three cameras ask for so many each."""
    pair = Pair(cameras)
    cameras._engines = pair  # type: ignore[assignment]
    cameras.serve(pictures(3), JOINED, SegmenterSettings(regions=regions))
    assert pair.refine.sizes == sizes
    assert pair.coarse.sizes == [1, 1, 1]


@pytest.mark.parametrize('way', [IN_TURN, JOINED])
def test_every_stage_is_timed(way: str, cameras: CamerasOnOnePair) -> None:
    timing = cameras.serve(pictures(2), way, SETTINGS).timing
    stages = ('preprocess', 'coarse', 'select', 'refine', 'fuse')
    assert all(getattr(timing, f'{stage}_ns') > 0 for stage in stages)


def test_cases_compare_with_one_camera_and_join_what_fits() -> None:
    geometry = Geometry(working_hw=(128, 256), coarse_factor=8, grid=(4, 4), max_regions=16)
    cases = list_camera_cases(SIZE_HW, [3, 2], 8, geometry)
    found = [(case.cameras, case.way) for case in cases]
    assert found == [(1, IN_TURN), (2, IN_TURN), (2, JOINED), (3, IN_TURN), (3, JOINED)]
    assert {(case.size, case.regions) for case in cases} == {('160x90', 8)}
    for regions in (9, 0):
        ways = {case.way for case in list_camera_cases(SIZE_HW, [2], regions, geometry)}
        assert ways == {IN_TURN}
    assert list_camera_cases(SIZE_HW, [], 8, geometry) == []


def test_each_camera_sees_a_picture_of_its_own() -> None:
    first, second, third = frames = pictures(3)
    assert frames_of_round(second, frames, 3) == [second, third, first]
    assert frames_of_round(third, frames, 2) == [third, first]
    assert frames_of_round(first, frames[:2], 3) == [first, second, first]


def test_a_case_says_its_size() -> None:
    case = CameraCase(size_hw=(720, 1280), way=IN_TURN, cameras=2, regions=8)
    assert case.size == '1280x720'
