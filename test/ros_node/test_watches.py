"""Tests of what is watched while images come, without ROS."""

from __future__ import annotations

import pytest

from stseg_ros.ros_node.watches import ClockWatch, Finding, OverloadWatch, StampWatch

S = 1_000_000_000
NOW = 1_800_000_000 * S
PERIOD = S // 30


def stamps(*ages_s: float) -> Finding | None:
    """Let images come 1/30 s after each other, their stamps so old."""
    watch = StampWatch()
    for number, age_s in enumerate(ages_s):
        now_ns = NOW + number * PERIOD
        watch.note(now_ns - round(age_s * S), now_ns)
    return watch.read(1.0)


def text_of(finding: Finding | None) -> str:
    assert finding is not None
    return finding.text


def test_usual_stamps_are_fine() -> None:
    assert stamps(0.01, 0.03, 0.02) is None
    assert stamps() is None
    # One held-up image among others says nothing of the clocks.
    assert stamps(1.5, 0.02) is None


@pytest.mark.parametrize(
    ('age_s', 'text', 'warn'),
    [
        (2.5, "stamps are 2.5 s behind the node's clock", True),
        (-2.5, "stamps are 2.5 s ahead of the node's clock", True),
        (3 * 86400.0, "stamps are 3 days behind the node's clock: for a bag", False),
    ],
)
def test_stamps_away_from_the_clock(age_s: float, text: str, warn: bool) -> None:
    finding = stamps(age_s, age_s, age_s)
    assert text_of(finding).startswith(text)
    assert finding is not None
    assert (finding.key, finding.warn) == ('stamps', warn)


def test_the_limit_can_be_set_and_switched_off() -> None:
    for limit_s, told in ((0.0, False), (1.0, True), (3.0, False)):
        watch = StampWatch()
        watch.note(NOW, NOW + 2 * S)
        assert (watch.read(limit_s) is not None) is told


def test_images_without_a_stamp() -> None:
    watch = StampWatch()
    watch.note(0, NOW)
    watch.note(NOW, NOW)
    assert text_of(watch.read(0.0)).startswith('1 of 2 images bear no stamp')
    assert watch.read(0.0) is None


def test_stamps_that_go_back() -> None:
    watch = StampWatch()
    for stamp_ns in (NOW, NOW + 5 * S, NOW + S, NOW + 2 * S):
        watch.note(stamp_ns, stamp_ns)
    assert text_of(watch.read(1.0)).startswith(
        'the stamps of 1 of 4 images went back, by up to 4.000 s: a bag that starts over'
    )
    assert watch.read(1.0) is None
    # Also from the last of one time to the first of the next.
    watch.note(NOW, NOW)
    assert watch.read(1.0) is not None
    assert watch.backward_total == 2
    watch.restart()
    watch.note(NOW - 9 * S, NOW - 9 * S)
    assert watch.read(1.0) is None
    assert watch.backward_total == 2


def test_equal_stamps() -> None:
    watch = StampWatch()
    for _ in range(3):
        watch.note(NOW, NOW)
    assert text_of(watch.read(1.0)).startswith('2 of 3 images bear the stamp of the image before')


def test_a_clock_that_runs() -> None:
    watch = ClockWatch()
    for second in range(5):
        # Slewed by a thousandth, as NTP does it.
        now_ns = NOW + round(second * 1.001 * S)
        assert watch.read(now_ns, second * S, simulated=False) is None
    assert watch.jumps_total == 0


@pytest.mark.parametrize(
    ('jump_s', 'text'),
    [(30.0, 'set forward by 30.0 s'), (-3600.0, 'set back by 3600.0 s')],
)
def test_a_system_clock_that_is_set(jump_s: float, text: str) -> None:
    watch = ClockWatch()
    watch.read(NOW, 0, simulated=False)
    finding = watch.read(NOW + S + round(jump_s * S), S, simulated=False)
    assert text in text_of(finding)
    assert watch.jumps_total == 1
    assert watch.read(NOW + 2 * S + round(jump_s * S), 2 * S, simulated=False) is None


def test_simulated_time_may_run_at_any_rate_but_not_back() -> None:
    watch = ClockWatch()
    times_s = (100, 100, 110, 110.5, 200)
    for steady, time_s in enumerate(times_s):
        assert watch.read(round(time_s * S), steady * S, simulated=True) is None
    text = text_of(watch.read(100 * S, 6 * S, simulated=True))
    assert text == 'the time of /clock went back by 100.0 s: the bag started over'
    assert watch.jumps_total == 1


def test_simulated_time_that_nobody_publishes() -> None:
    watch = ClockWatch()
    for second in range(2):
        assert 'nothing publishes /clock' in text_of(watch.read(0, second * S, simulated=True))
    # The first time from a bag is no jump, nor is the change of clocks.
    assert watch.read(NOW, 3 * S, simulated=True) is None
    assert watch.read(NOW + 99 * S, 4 * S, simulated=False) is None
    assert watch.jumps_total == 0


def overload(*dropped: int) -> list[bool]:
    """Let thirty images come in each second, of which so many are dropped."""
    watch, total, told = OverloadWatch(), 0, []
    for count in (0, *dropped):
        total += count
        finding = watch.read(received=30, masks=30 - count, dropped_total=total, window_s=1.0)
        told.append(finding is not None)
    return told[1:]


def test_overload_is_told_after_three_seconds_and_forgotten_after_three() -> None:
    assert overload(15, 15, 15, 15, 0, 0, 0, 0) == [
        False,
        False,
        True,
        True,
        True,
        True,
        False,
        False,
    ]


def test_short_or_small_overload_is_not_told() -> None:
    assert not any(overload(15, 15, 0, 15, 15, 0))
    assert not any(overload(3, 3, 3, 3, 3))
    assert any(overload(4, 4, 4))


def test_overload_names_both_rates() -> None:
    watch = OverloadWatch()
    for second in range(4):
        finding = watch.read(received=60, masks=20, dropped_total=40 * second, window_s=2.0)
    assert 'images come 30.0 times a second and 10.0 are segmented' in text_of(finding)
    # An inactive node gets nothing and drops nothing.
    for _ in range(3):
        finding = watch.read(received=0, masks=0, dropped_total=120, window_s=2.0)
    assert finding is None
