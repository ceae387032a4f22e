"""The study's arithmetic against the pipeline itself."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from support.tiny_bundle import (
    WORKING_HW,
    add_learned,
    read_tiny_bundle,
    tiny_gain,
    tiny_merge_table,
)

from stseg_ros.assembly import open_segmenter
from stseg_ros.bundle import ModelBundle
from stseg_ros.config import FUSIONS, SELECTORS, PipelineConfig
from stseg_ros.measure.evaluate import LabelledFrame
from stseg_ros.measure.learned.held_out_frame import refine_everywhere
from stseg_ros.measure.study.areas import FP, TP
from stseg_ros.measure.study.evidence import FrameEvidence, StudyNetworks
from stseg_ros.measure.study.score import (
    COARSE,
    ORACLE,
    TEMPORAL,
    Choice,
    FrameStudy,
    StudyPlan,
    Tally,
    pool,
)
from stseg_ros.records import Frame

CONFIG = PipelineConfig(backend='onnxruntime', precision='float32')
PLAN = StudyPlan(
    regions=(1, 5, 16),
    fusions=FUSIONS,
    window_fusions=('add',),
    window_regions=(1, 5),
    video=True,
    table=tiny_merge_table(),
    gain=tiny_gain(),
    learned_windows=(5,),
)


def labelled(seed: int) -> LabelledFrame:
    """Draw red blobs at the working size, and a truth that they only resemble."""
    rng = np.random.default_rng(seed)
    image_hwc = np.full((*WORKING_HW, 3), 90, np.uint8)
    truth_hw = np.zeros(WORKING_HW, np.uint8)
    for _ in range(6):
        y, x = rng.integers(0, 110), rng.integers(0, 230)
        image_hwc[y : y + 22, x : x + 35, 0] = rng.integers(70, 250)
        truth_hw[y + 3 : y + 24, x - 2 : x + 31] = 1
    noise = rng.integers(-30, 30, image_hwc.shape)
    image_hwc = np.clip(image_hwc.astype(int) + noise, 0, 255).astype(np.uint8)
    truth_hw[:5] = 255
    return LabelledFrame(image_hwc=image_hwc, vehicle_hw=truth_hw)


@pytest.fixture(scope='module')
def bundle(tmp_path_factory: pytest.TempPathFactory) -> ModelBundle:
    folder = tmp_path_factory.mktemp('bundle')
    return add_learned(read_tiny_bundle(folder, coarse_gain=6.0, refine_gain=9.0))


@pytest.fixture(scope='module')
def networks(bundle: ModelBundle) -> Iterator[StudyNetworks]:
    with closing(StudyNetworks(bundle, CONFIG)) as opened:
        yield opened


def by_pipeline(bundle: ModelBundle, frame: LabelledFrame, choice: Choice) -> list[int]:
    """Count true and false vehicle pixels, and regions, of what the pipeline makes."""
    config = PipelineConfig(
        backend='onnxruntime',
        precision='float32',
        regions=choice.regions,
        fusion=choice.fusion or None,
        selector=choice.criterion if choice.criterion in SELECTORS else None,
    )
    with closing(open_segmenter(bundle, config)) as segmenter:
        result = segmenter.segment(Frame(image_hwc=frame.image_hwc))
    vehicle_hw = frame.vehicle_hw
    return [
        int(((result.mask_hw > 0) & (vehicle_hw == 1)).sum()),
        int(((result.mask_hw > 0) & (vehicle_hw == 0)).sum()),
        len(result.selection),
    ]


def counted(tally: Tally) -> list[int]:
    return [int(tally.counts[TP]), int(tally.counts[FP]), tally.regions]


@pytest.mark.parametrize('criterion', [COARSE, *SELECTORS])
def test_every_choice_scores_what_the_pipeline_scores(
    bundle: ModelBundle, networks: StudyNetworks, criterion: str
) -> None:
    frame = labelled(3)
    tallies = FrameStudy(networks, PLAN).score(frame)
    choices = [choice for choice in tallies if choice.criterion == criterion]
    assert choices
    for choice in choices:
        assert counted(tallies[choice]) == by_pipeline(bundle, frame, choice), choice


@pytest.mark.parametrize('fusion', FUSIONS)
def test_no_pair_of_cells_beats_the_oracle(networks: StudyNetworks, fusion: str) -> None:
    frame = labelled(5)
    plan = StudyPlan(
        regions=(2,),
        fusions=(fusion,),
        window_fusions=(),
        window_regions=(),
        table=tiny_merge_table(),
    )
    study = FrameStudy(networks, plan)
    tallies = study.score(frame)
    best = tallies[Choice(criterion=ORACLE, fusion=fusion, regions=2)]
    # Any pair of cells, by a random criterion that is told what to draw.
    gains = []
    for pair in combinations(range(16), 2):
        study._random = _Drawing([*pair, *(cell for cell in range(16) if cell not in pair)])
        pairs = study.score(frame)
        tally = pairs[Choice(criterion='random', fusion=fusion, regions=2)]
        gains.append(int(tally.counts[TP] - tally.counts[FP]))
    assert int(best.counts[TP] - best.counts[FP]) >= max(gains)


class _Drawing:
    """A source of randomness that gives one order."""

    def __init__(self, order: list[int]) -> None:
        self._order = order

    def permutation(self, count: int) -> np.ndarray:
        assert count == len(self._order)
        return np.array(self._order)


def test_the_oracle_refines_nothing_in_vain(networks: StudyNetworks) -> None:
    frame = labelled(5)
    perfect = FrameEvidence(networks, frame.image_hwc)
    mask_hw = np.where(perfect.enlarged_hw > 128, 1, 0).astype(np.uint8)
    tallies = FrameStudy(networks, PLAN).score(
        LabelledFrame(image_hwc=frame.image_hwc, vehicle_hw=mask_hw)
    )
    assert tallies[Choice(criterion=ORACLE, fusion='paste', regions=5)].regions == 0


def test_of_a_video_the_frame_before_chooses(networks: StudyNetworks) -> None:
    study = FrameStudy(networks, PLAN)
    as_chosen = [study.score(labelled(seed)) for seed in (1, 2)]
    by_margin, before = (
        [tallies[Choice(criterion=name, fusion='add', regions=1)] for tallies in as_chosen]
        for name in ('margin', TEMPORAL)
    )
    assert counted(before[0]) == counted(by_margin[0])
    # The second frame, with the regions of the first.
    fresh = FrameStudy(networks, PLAN)
    fresh._temporal.observe(FrameEvidence(networks, labelled(1).image_hwc).coarse)
    again = fresh.score(labelled(2))[Choice(criterion=TEMPORAL, fusion='add', regions=1)]
    assert counted(before[1]) == counted(again) != counted(by_margin[1])


def test_images_are_pooled(networks: StudyNetworks) -> None:
    study = FrameStudy(networks, PLAN)
    images = [study.score(labelled(seed)) for seed in (1, 2, 3)]
    pooled = pool(images)
    for choice, tally in pooled.items():
        assert tally.images == 3
        assert tally.regions == sum(image[choice].regions for image in images)
        np.testing.assert_array_equal(tally.counts, sum(image[choice].counts for image in images))


def test_no_region_is_refined_twice(
    networks: StudyNetworks, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[int, ...]] = []
    refine = networks.refine

    def spy(image: np.ndarray, boxes_xyxy: np.ndarray, *said: object) -> np.ndarray:
        asked.extend(map(tuple, boxes_xyxy.tolist()))
        return refine(image, boxes_xyxy, *said)

    monkeypatch.setattr(networks, 'refine', spy)
    FrameStudy(networks, PLAN).score(labelled(1))
    assert len(asked) == len(set(asked)) >= 16


def test_the_learned_choices_alone_are_those_among_all(networks: StudyNetworks) -> None:
    frame = labelled(4)
    every = FrameStudy(networks, PLAN).score(frame)
    some = FrameStudy(networks, replace(PLAN, only_learned=True)).score(frame)
    wanted = {choice for choice in every if 'learned' in (choice.criterion, choice.fusion)}
    # A random criterion draws anew.
    assert set(some) == wanted
    assert {choice.criterion for choice in wanted} >= {'grid', 'learned', 'components', ORACLE}
    for choice in wanted:
        if choice.criterion != 'random':
            assert counted(some[choice]) == counted(every[choice]), choice


def test_the_pixels_of_learned_windows_are_counted(networks: StudyNetworks) -> None:
    frames = [labelled(seed) for seed in (6, 7)]
    study = FrameStudy(networks, PLAN)
    for frame in frames:
        study.score(frame)
    expected = sum(refine_everywhere(networks, frame).merge_counts(5) for frame in frames)
    np.testing.assert_array_equal(study.merge_counts, expected)
    without = FrameStudy(networks, replace(PLAN, learned_windows=()))
    without.score(frames[0])
    assert not without.merge_counts.any()
