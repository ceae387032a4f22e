"""Tests of the figures of masks' ages against plain lists of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from stseg_ros.soak.mask_ages import LEGS, MaskAge, MaskAges


def make_age(**changes: float) -> MaskAge:
    values: dict[str, Any] = {
        'at_s': 1.0,
        'to_node_ms': 6.0,
        'taking_ms': 3.0,
        'waiting_ms': 12.0,
        'processing_ms': 40.0,
        'to_listener_ms': 1.0,
        'frame_ms': 25.0,
        'step_frame_ms': 20.0,
    }
    return MaskAge(**{**values, **changes})


def test_the_stretches_add_up_to_the_age() -> None:
    age = make_age()
    assert age.age_ms == pytest.approx(62.0)
    # 22 ms were not processing.
    assert age.waited_frames == pytest.approx(22.0 / 25.0)
    assert age.waited_step_frames == pytest.approx(22.0 / 20.0)


def test_a_mask_that_overtakes_its_publishing_has_not_waited_less_than_nothing() -> None:
    age = make_age(to_node_ms=0.0, taking_ms=0.0, waiting_ms=0.0, to_listener_ms=-2.0)
    assert age.age_ms == pytest.approx(38.0)
    assert age.waited_frames == age.waited_step_frames == 0.0


def test_the_figures_are_those_of_the_list() -> None:
    rng = np.random.default_rng(7)
    ages = [
        make_age(at_s=float(at_s), waiting_ms=float(waited), frame_ms=float(frame))
        for at_s, waited, frame in zip(
            np.sort(rng.uniform(0.0, 1000.0, 5000)),
            rng.gamma(2.0, 10.0, 5000),
            rng.choice([12.0, 25.0, 50.0], 5000),
            strict=True,
        )
    ]
    found = MaskAges()
    for age in ages:
        found.add(age)
    assert len(found) == 5000
    waiting = np.array([age.waiting_ms for age in ages])
    frames = np.array([age.frame_ms for age in ages])
    assert found.legs_ms['waiting'].at([99])[0] == pytest.approx(
        np.percentile(waiting, 99), rel=6e-4
    )
    for leg in set(LEGS) - {'waiting'}:
        assert found.legs_ms[leg].at([50])[0] == pytest.approx(ages[0].leg_ms(leg), rel=6e-4)
    assert found.age_ms.at([95])[0] == pytest.approx(np.percentile(50.0 + waiting, 95), rel=6e-4)
    expected = np.percentile((10.0 + waiting) / frames, 99)
    assert found.waited_frames_p99() == pytest.approx(expected, rel=6e-4)
    expected = np.percentile((10.0 + waiting) / 20.0, 99)
    assert found.waited_step_frames_p99() == pytest.approx(expected, rel=6e-4)
    # Each ten seconds are exact.
    times = np.array([age.at_s for age in ages])
    windows = found.windows()
    assert [at_s for at_s, _ in windows] == [10.0 * number + 5.0 for number in range(100)]
    for number, (_, percentiles) in enumerate(windows):
        inside = 50.0 + waiting[(times >= 10 * number) & (times < 10 * number + 10)]
        assert list(percentiles) == pytest.approx(list(np.percentile(inside, (50, 95, 99))))
    assert found.windows() == windows


def test_a_long_soak_holds_few_ages() -> None:
    found = MaskAges()
    for number in range(4000):
        found.add(make_age(at_s=float(number)))
    assert sum(map(len, found._open.values())) <= 310
    found.add(make_age(at_s=5.0, waiting_ms=5000.0))
    # Too late for its window, which has been summed up, and not for the figures of the whole.
    assert found.windows()[0][1] == pytest.approx((62.0, 62.0, 62.0))
    assert found.age_ms.at([100])[0] > 5000.0


def test_without_a_mask_there_is_nothing_to_tell() -> None:
    found = MaskAges()
    assert found.waited_frames_p99() is None
    assert found.waited_step_frames_p99() is None
    assert found.windows() == []
