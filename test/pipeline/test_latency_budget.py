"""Simulated drives: a machine whose speed is known, and the budget that has to find it out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pytest

from stseg_ros.pipeline.latency_budget import WINDOW, LatencyBudget, budget_steps
from stseg_ros.records import FrameTiming

MS = 1_000_000
MOST = 8
Load = Callable[[int], float]


def steady(_: int) -> float:
    return 1.0


@dataclass
class Machine:
    """Takes as long for each frame as its load and its noise say.

    Unloaded and without noise, a frame takes 8 ms and, with K regions, 1 + 2 K ms more: 25 ms in
    all with eight regions.
    """

    load: Load = steady
    noise: float = 0.03
    tail: float = 0.0
    tail_factor: float = 3.0
    first_ms: float = 1.0
    per_region_ms: float = 2.0
    seed: int = 0
    before_ms: float = 5.0
    after_ms: float = 3.0
    wait_ms: Callable[[np.random.Generator], float] = lambda _: 0.0

    def refine_ms(self, regions: int) -> float:
        return self.first_ms + self.per_region_ms * regions if regions else 0.0

    def guess_ns(self) -> dict[int, float]:
        return {count: self.refine_ms(count) * MS for count in range(1, MOST + 1)}


@dataclass
class Drive:
    """What became of each frame."""

    regions: list[int] = field(default_factory=list)
    total_ms: list[float] = field(default_factory=list)

    def kept(self, budget_ms: float) -> float:
        return float(np.mean(np.array(self.total_ms) <= budget_ms))

    def leaps(self) -> int:
        """Count changes by more than one region."""
        return int(np.count_nonzero(np.abs(np.diff(self.regions)) > 1))


def drive(
    machine: Machine,
    budget_ms: float,
    frames: int,
    budget: LatencyBudget | None = None,
    most: int = MOST,
) -> Drive:
    """Let frames pass, each as slow as the machine is at that moment."""
    budget = budget or LatencyBudget(budget_ms * MS, machine.guess_ns())
    rng = np.random.default_rng(machine.seed)
    seen = Drive()

    def took(usual_ms: float, frame: int) -> int:
        factor = machine.load(frame) * float(np.exp(rng.normal(0.0, machine.noise)))
        if rng.random() < machine.tail:
            factor *= machine.tail_factor
        return round(usual_ms * factor * MS)

    for frame in range(frames):
        before_ns = round(machine.wait_ms(rng) * MS) + took(machine.before_ms, frame)
        regions = budget.regions_for(before_ns, most)
        refine_ns = took(machine.refine_ms(regions), frame)
        total_ns = before_ns + refine_ns + took(machine.after_ms, frame)
        budget.learn(FrameTiming(refine_ns=refine_ns), regions=regions, total_ns=total_ns)
        seen.regions.append(regions)
        seen.total_ms.append(total_ns / MS)
    return seen


def test_everything_fits_a_large_budget() -> None:
    seen = drive(Machine(), 40.0, 500)
    assert set(seen.regions) == {MOST}


@pytest.mark.parametrize(
    ('budget_ms', 'regions'),
    # Without noise 8 ms and 1 + 2 K: 20 ms hold five regions (19 ms), 12 ms one (11 ms).
    [(25.1, 8), (24.9, 7), (20.0, 5), (12.0, 1), (10.9, 0), (8.1, 0), (1.0, 0)],
)
def test_as_many_as_fit_on_a_steady_machine(budget_ms: float, regions: int) -> None:
    seen = drive(Machine(noise=0.0), budget_ms, 50)
    assert set(seen.regions[2:]) == {regions}


def test_noise_costs_a_region_and_not_the_budget() -> None:
    seen = drive(Machine(noise=0.05), 20.0, 2000)
    assert seen.kept(20.0) >= 0.95
    assert np.mean(seen.regions) >= 3.5
    assert seen.leaps() <= 10


def step(frame: int) -> float:
    return 2.0 if 300 <= frame < 700 else 1.0


def test_a_machine_twice_as_slow_is_met_within_four_frames_and_left_again() -> None:
    seen = drive(Machine(load=step), 26.0, 1200)
    assert set(seen.regions[10:300]) <= {7, 8}
    # Twice as slow, 16 ms pass without any region and K take 2 + 4 K more: two would just fit
    # 26 ms if nothing varied.
    assert max(seen.regions[304:700]) <= 2
    assert np.mean(seen.regions[304:700]) >= 1
    assert min(seen.regions[700 + WINDOW + 10 :]) >= 7
    assert seen.kept(26.0) >= 0.95
    assert seen.leaps() <= 12


def test_a_machine_too_slow_for_any_region_is_left_again() -> None:
    seen = drive(Machine(load=lambda frame: 3.5 if 300 <= frame < 700 else 1.0), 26.0, 1200)
    # Alone the coarse stage takes 28 ms then; one frame of a window may try.
    assert sum(seen.regions[310:700]) <= 400 / WINDOW
    assert min(seen.regions[700 + 3 * WINDOW :]) >= 7


def test_a_slow_drift_is_followed() -> None:
    seen = drive(Machine(load=lambda frame: 1.0 + frame / 2000), 30.0, 3000)
    assert seen.kept(30.0) >= 0.95
    assert seen.regions[0] == MOST
    # In the end everything takes 2.5 times as long: 20 ms, and 2.5 + 5 K.
    assert 0 < np.mean(seen.regions[-100:]) <= 1.5
    # Six or seven steps down, and now and then one of them up and down again.
    assert seen.leaps() <= 25


@pytest.mark.parametrize('seed', range(4))
def test_lone_slow_frames_do_not_swing_it(seed: int) -> None:
    machine = Machine(tail=0.004, tail_factor=4.0, seed=seed)
    seen = drive(machine, 23.0, 3000)
    # Each of a frame's three parts may be hit.
    assert seen.kept(23.0) >= 0.95
    assert np.mean(seen.regions) >= 4.5
    # A frame that was held up before the choice, twelve or so, is one leap down and one up.
    assert seen.leaps() <= 70


@pytest.mark.parametrize('seed', range(4))
@pytest.mark.parametrize('period', [40, 120, 400, 1000])
def test_a_load_that_comes_and_goes(period: int, seed: int) -> None:
    def busy(frame: int) -> float:
        return 1.8 if frame // (period // 2) % 2 else 1.0

    seen = drive(Machine(load=busy, noise=0.06, tail=0.002, seed=seed), 26.0, 4000)
    assert seen.kept(26.0) >= 0.95
    # Down and up again in each period, in a few steps; and lone slow frames, a dozen or two.
    assert seen.leaps() <= 8 * 4000 / period + 60
    if period >= 400:
        free = [count for frame, count in enumerate(seen.regions) if busy(frame) == 1.0]
        assert np.mean(free) > 4


def test_waiting_in_the_mailbox_counts() -> None:
    waiting = Machine(wait_ms=lambda rng: float(rng.uniform(0.0, 10.0)))
    seen = drive(waiting, 30.0, 2000)
    assert seen.kept(30.0) >= 0.95
    # A wait of w leaves 22 - w ms beside the 8 of every frame, and K regions take 1 + 2 K: eight
    # up to 5 ms, seven up to 7, six up to 9, then five. As often as their waits: 7.1 in the mean.
    assert 6.3 <= np.mean(seen.regions) <= 7.1
    assert {5, 6, 7, 8} <= set(seen.regions)


def test_a_larger_budget_gives_no_fewer_regions() -> None:
    budgets = np.linspace(5.0, 40.0, 30)
    means = [np.mean(drive(Machine(noise=0.05), float(ms), 600).regions) for ms in budgets]
    assert (np.diff(means) >= -0.05).all()
    assert means[0] == 0
    assert means[-1] == MOST


def test_in_one_state_more_time_gives_no_fewer_regions() -> None:
    budget = LatencyBudget(20.0 * MS, Machine().guess_ns())
    drive(Machine(), 20.0, 100, budget)
    given = [budget.regions_for(elapsed_ns, MOST) for elapsed_ns in range(0, 25 * MS, MS // 4)]
    assert given == sorted(given, reverse=True)
    assert set(given) == set(range(given[0] + 1))


@pytest.mark.parametrize('wrong', [0.5, 2.0])
def test_a_wrong_guess_is_corrected(wrong: float) -> None:
    guess_ns = {count: cost * wrong for count, cost in Machine().guess_ns().items()}
    budget = LatencyBudget(20.0 * MS, guess_ns)
    seen = drive(Machine(), 20.0, 400, budget)
    assert seen.kept(20.0) >= 0.95
    assert 4 <= np.mean(seen.regions[200:]) <= 5


def test_a_batch_size_that_costs_more_than_guessed_is_left() -> None:
    guess_ns = Machine().guess_ns()
    # The machine needs 17 ms for eight regions; the guess says so little that they seem to fit.
    guess_ns[8] = 11.5 * MS
    budget = LatencyBudget(20.0 * MS, guess_ns)
    seen = drive(Machine(noise=0.01), 20.0, 1000, budget)
    assert seen.kept(20.0) >= 0.95
    # Five take 19 ms, which is the margin within which a count is not taken up again.
    assert set(seen.regions[-100:]) <= {4, 5}


@pytest.mark.parametrize('budget_ms', [16.0, 20.0, 24.0])
def test_guesses_of_a_busy_machine_do_not_hold_it_down(budget_ms: float) -> None:
    # Measured as the shortest of a few runs beside a training on the same two cores.
    busy_ms = {1: 1.2, 2: 16.9, 3: 22.7, 4: 24.7, 5: 4.3, 6: 27.4, 7: 35.4, 8: 15.1}
    budget = LatencyBudget(budget_ms * MS, {size: ms * MS for size, ms in busy_ms.items()})
    seen = drive(Machine(), budget_ms, 3000, budget)
    # Without noise 9 + 2 K ms.
    possible = (budget_ms - 9.0) // 2.0
    assert seen.kept(budget_ms) >= 0.95
    assert np.mean(seen.regions[-500:]) >= possible - 1
    assert seen.leaps() <= 40


def test_regions_that_cost_more_in_larger_batches_are_learned() -> None:
    class Superlinear(Machine):
        def refine_ms(self, regions: int) -> float:
            return 0.4 * regions**2

    # Linear guesses, as if the caches always sufficed; four take 6.4 ms, five take 10.
    budget = LatencyBudget(17.0 * MS, {size: 0.4 * size * MS for size in range(1, 9)})
    seen = drive(Superlinear(), 17.0, 3000, budget)
    assert seen.kept(17.0) >= 0.95
    assert 3 <= np.mean(seen.regions[-500:]) <= 4
    assert seen.leaps() <= 60


def test_fewer_regions_may_be_refined_than_given() -> None:
    budget = LatencyBudget(20.0 * MS, Machine().guess_ns())
    for _ in range(200):
        given = budget.regions_for(5 * MS, MOST)
        refined = min(given, 2)
        budget.learn(FrameTiming(refine_ns=5 * MS), regions=refined, total_ns=13 * MS)
    # What the other regions would have cost is known from the guess.
    assert given == 5


def test_the_budget_and_the_most_may_change() -> None:
    budget = LatencyBudget(20.0 * MS, Machine().guess_ns())
    assert drive(Machine(noise=0.0), 20.0, 100, budget).regions[-1] == 5
    budget.budget_ns = 40.0 * MS
    assert drive(Machine(noise=0.0), 40.0, 10, budget).regions[-1] == 8
    assert set(drive(Machine(noise=0.0), 40.0, 10, budget, most=3).regions) == {3}
    assert set(drive(Machine(noise=0.0), 40.0, 10, budget, most=0).regions) == {0}
    assert set(drive(Machine(noise=0.0), 40.0, 10, budget, most=8).regions) == {8}
    budget.budget_ns = 9.0 * MS
    assert set(drive(Machine(noise=0.0), 9.0, 10, budget).regions) == {0}


@pytest.mark.parametrize(
    ('most', 'steps'),
    [
        (0, ()),
        (1, (1,)),
        (8, (1, 2, 3, 4, 5, 6, 7, 8)),
        (16, (1, 2, 4, 6, 8, 12, 16)),
        (32, (1, 2, 4, 8, 12, 16, 24, 32)),
    ],
)
def test_batch_sizes(most: int, steps: tuple[int, ...]) -> None:
    assert budget_steps(most) == steps


def test_batch_sizes_are_few_and_end_at_the_most() -> None:
    for most in range(1, 200):
        steps = budget_steps(most)
        assert len(steps) <= 8
        assert list(steps) == sorted(set(steps))
        assert steps[0] >= 1
        assert steps[-1] == most
