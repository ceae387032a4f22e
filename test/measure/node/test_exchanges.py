"""Tests of what is kept of an image and its answer."""

from __future__ import annotations

import numpy as np
import pytest

from stseg_ros.measure.node.exchanges import Answer, Exchange, join, unpack_mask


def answer(received_ns: int, mask_hw: np.ndarray) -> Answer:
    return Answer(
        received_ns=received_ns,
        mask_bits=np.packbits(mask_hw > 0, axis=1),
        width=mask_hw.shape[1],
    )


@pytest.mark.parametrize('width', [1, 8, 13])
def test_a_mask_survives_its_packing(width: int) -> None:
    mask_hw = np.random.default_rng(width).integers(0, 2, (5, width), np.uint8) * 255
    assert np.array_equal(unpack_mask(answer(0, mask_hw)), mask_hw // 255)


def test_images_meet_their_answers_by_stamp() -> None:
    mask_hw = np.zeros((2, 2), np.uint8)
    answers = {30: answer(9_000_000, mask_hw), 10: answer(5_500_000, mask_hw)}
    exchanges = join([10, 20, 30], [1_000_000, 2_000_000, 3_000_000], answers, {10: {'a': 1.0}}, 7)
    assert [one.image for one in exchanges] == [7, 8, 9]
    assert [one.received_ns for one in exchanges] == [5_500_000, None, 9_000_000]
    assert [dict(one.timing) for one in exchanges] == [{'a': 1.0}, {}, {}]
    assert (exchanges[0].age_ms, exchanges[2].age_ms) == (4.5, 6.0)


def test_what_has_not_come_has_no_age() -> None:
    lost = Exchange(image=0, published_ns=0, answer=None, timing={})
    with pytest.raises(AssertionError):
        _ = lost.age_ms
