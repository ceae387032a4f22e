"""Tests of dividing a data set."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stseg_ros.datasets.labels import LabelIds
from stseg_ros.datasets.splits import Parts, SplitRules, divide
from stseg_ros.datasets.vehicle_datasets import VehicleSample
from stseg_ros.errors import ConfigError, DataError


def sample(name: str, scene: str) -> VehicleSample:
    return VehicleSample(
        image_path=Path(f'{name}.jpg'),
        label_path=Path(f'{name}.png'),
        name=name,
        dataset='mine',
        scene=scene,
        ids=LabelIds(vehicle=(1,)),
    )


def drives(**lengths: int) -> list[VehicleSample]:
    return [
        sample(f'{scene}_{index:03}', scene)
        for scene, length in lengths.items()
        for index in range(length)
    ]


def names(part: tuple[VehicleSample, ...]) -> list[str]:
    return [sample.name for sample in part]


def scenes(part: tuple[VehicleSample, ...]) -> set[str]:
    return {sample.scene for sample in part}


def test_patterns() -> None:
    rules = SplitRules(dev=('a_00[01]', '*_002'), leave_out=('b_*',))
    parts = divide(drives(b=3, a=4), rules)
    assert names(parts.left_out) == ['b_000', 'b_001', 'b_002']
    assert names(parts.dev) == ['a_000', 'a_001', 'a_002']
    assert names(parts.train) == ['a_003']


def test_without_rules_everything_is_trained_on() -> None:
    parts = divide(drives(a=3), SplitRules())
    assert (len(parts.train), len(parts.dev), len(parts.left_out)) == (3, 0, 0)


@pytest.mark.parametrize(('part', 'shown'), [('dev', 'dev'), ('leave_out', 'leave_out')])
def test_a_pattern_that_matches_nothing_is_an_error(part: str, shown: str) -> None:
    rules = SplitRules(**{part: ('a_00?', 'c_*')})
    with pytest.raises(
        DataError,
        match=rf"mine: {shown} pattern 'c_\*' matches none of 7 images, such as 'a_000'",
    ):
        divide(drives(a=4, b=3), rules)


def test_a_share_of_single_images_is_met_to_the_image() -> None:
    rules = SplitRules(leave_out_share=0.3, split_by='image')
    parts = divide(drives(a=60, b=40), rules)
    assert (len(parts.train), len(parts.dev), len(parts.left_out)) == (70, 0, 30)
    assert scenes(parts.left_out) == {'a', 'b'}


@given(
    lengths=st.lists(st.integers(5, 20), min_size=4, max_size=12),
    leave_out_share=st.sampled_from([0.0, 0.1, 0.3]),
    dev_share=st.sampled_from([0.1, 0.2]),
    seed=st.integers(0, 5),
)
def test_scenes_stay_whole_and_order_does_not_matter(
    lengths: list[int], leave_out_share: float, dev_share: float, seed: int
) -> None:
    samples = drives(**{f's{index}': length for index, length in enumerate(lengths)})
    rules = SplitRules(leave_out_share=leave_out_share, dev_share=dev_share, split_seed=seed)
    parts = divide(samples, rules)
    divided = [scenes(parts.train), scenes(parts.dev), scenes(parts.left_out)]
    assert sum(map(len, divided)) == len(lengths)
    assert parts.train
    assert parts.dev
    assert bool(parts.left_out) == bool(leave_out_share)
    shuffled = random.Random(seed).sample(samples, len(samples))
    assert divide(shuffled, rules) == parts


def test_a_share_by_scenes_comes_near() -> None:
    # Ten scenes of ten images: three of them are the 30 %.
    samples = drives(**{f's{index}': 10 for index in range(10)})
    parts = divide(samples, SplitRules(leave_out_share=0.3, dev_share=0.1))
    assert (len(parts.train), len(parts.dev), len(parts.left_out)) == (60, 10, 30)


def test_new_images_leave_the_others_where_they_were() -> None:
    """One image more moves at most the one at the border of a part."""
    before = divide(drives(a=100), SplitRules(leave_out_share=0.3, split_by='image'))
    after = divide(drives(a=101), SplitRules(leave_out_share=0.3, split_by='image'))
    moved = set(names(before.left_out)) ^ set(names(after.left_out))
    assert len(moved - {'a_100'}) <= 1


def left_out_of(seed: int) -> Parts:
    return divide(drives(a=50), SplitRules(dev_share=0.3, split_by='image', split_seed=seed))


def test_seeds_draw_differently() -> None:
    assert left_out_of(0) == left_out_of(0)
    assert left_out_of(0).dev != left_out_of(1).dev


def test_the_draw_is_the_same_everywhere_and_for_ever() -> None:
    """Scores of published models are on these images; a change here would leak them."""
    parts = divide(drives(a=10), SplitRules(leave_out_share=0.3, dev_share=0.2, split_by='image'))
    # The order of `printf '0/a_00N' | sha256sum`.
    assert names(parts.left_out) == ['a_002', 'a_003', 'a_005']
    assert names(parts.dev) == ['a_000', 'a_007']


def test_one_scene_cannot_be_divided() -> None:
    with pytest.raises(DataError, match=r'dev_share draws whole scenes, but the 5 images'):
        divide(drives(a=5), SplitRules(dev_share=0.2))


@pytest.mark.parametrize(
    ('values', 'message'),
    [
        ({'dev_share': 1.0}, r'dev_share is 1.0; give a share in \[0, 1\)'),
        ({'leave_out_share': -0.1}, 'leave_out_share is -0.1'),
        ({'dev': ('a',), 'dev_share': 0.1}, 'give dev patterns or dev_share, not both'),
        ({'dev_share': 0.5, 'leave_out_share': 0.5}, 'leave nothing to train on'),
        ({'split_by': 'drive'}, "split_by is 'drive'; give one of scene, image"),
    ],
)
def test_wrong_rules_are_named(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        SplitRules(**values).check()
