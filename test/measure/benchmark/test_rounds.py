"""The order of the turns, and what is noted of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from stseg_ros.measure.benchmark.cases import Case
from stseg_ros.measure.benchmark.resources import EnergyMeter
from stseg_ros.measure.benchmark.rounds import (
    WARM_UP_FRAMES,
    Procedure,
    Runner,
    Samples,
    measure,
    warm_up,
)
from stseg_ros.records import Frame, FrameTiming

SIZE_HW = (16, 16)
CASES = [
    Case(size_hw=SIZE_HW, mode='coarse'),
    *(Case(size_hw=SIZE_HW, mode='two_stage', regions=count) for count in (2, 4, 8)),
]


def pictures(count: int) -> dict[tuple[int, int], Sequence[Frame]]:
    """Return frames that know their number by their stamp."""
    image = np.zeros((*SIZE_HW, 3), np.uint8)
    return {SIZE_HW: [Frame(image_hwc=image, stamp_ns=number) for number in range(count)]}


class Journal:
    """Notes who saw which picture."""

    def __init__(self) -> None:
        self.calls: list[tuple[Case, int]] = []

    def runners(self) -> dict[Case, Runner]:
        return {case: self._runner(case) for case in CASES}

    def _runner(self, case: Case) -> Runner:
        def run(frame: Frame) -> FrameTiming:
            self.calls.append((case, frame.stamp_ns))
            base = 100 * case.regions
            return FrameTiming(
                preprocess_ns=base + 1,
                coarse_ns=base + 2,
                select_ns=base + 3,
                refine_ns=base + 4,
                fuse_ns=base + 5,
            )

        return run


def measured(procedure: Procedure, journal: Journal) -> dict[Case, Samples]:
    steps: list[int] = []
    samples = measure(journal.runners(), pictures(5), procedure, meter=None, progress=steps.append)
    assert sum(steps) == procedure.rounds * len(CASES)
    return samples


def test_every_case_has_one_turn_in_every_round() -> None:
    journal = Journal()
    measured(Procedure(rounds=6, frames_per_turn=3), journal)
    turn = 1 + 3
    turns = [journal.calls[at : at + turn] for at in range(0, len(journal.calls), turn)]
    assert len(turns) == 6 * len(CASES)
    orders = []
    for number in range(6):
        of_round = turns[number * len(CASES) : (number + 1) * len(CASES)]
        orders.append([calls[0][0] for calls in of_round])
        assert set(orders[-1]) == set(CASES)
        # One picture that is not timed, then three; the same for all cases of the round.
        expected = [(3 * number + step) % 5 for step in (-1, 0, 1, 2)]
        for calls in of_round:
            assert {case for case, _ in calls} == {calls[0][0]}
            assert [stamp for _, stamp in calls] == expected
    assert any(order != orders[0] for order in orders)


def test_the_seed_gives_the_order() -> None:
    journals = [Journal() for _ in range(3)]
    for journal, seed in zip(journals, (1, 1, 2), strict=True):
        measured(Procedure(rounds=4, frames_per_turn=1, seed=seed), journal)
    assert journals[0].calls == journals[1].calls
    assert journals[0].calls != journals[2].calls


def test_stages_are_noted_where_they_belong() -> None:
    samples = measured(Procedure(rounds=3, frames_per_turn=2), Journal())
    assert list(samples) == CASES
    for case, own in samples.items():
        base = 100 * case.regions
        assert own.wall_ns.shape == own.cpu_ns.shape == (3, 2)
        assert (own.stage_ns('preprocess') == base + 1).all()
        assert (own.stage_ns('fuse') == base + 5).all()
        assert (own.pipeline_ns == 5 * base + 15).all()
        assert (own.networks_ns == 2 * base + 6).all()
        assert (own.wall_ns > 0).all()
        assert own.energy_uj is None


class CountingMeter(EnergyMeter):
    """Counts up by a fixed energy with every reading, and runs over at a thousand."""

    def __init__(self) -> None:
        self._ranges_uj = [1000]
        self._counter = 800

    def read_uj(self) -> tuple[int, ...]:
        self._counter += 70
        return (self._counter % 1000,)


def test_energy_is_that_of_the_timed_frames_of_a_turn(tmp_path: Path) -> None:
    samples = measure(
        Journal().runners(),
        pictures(2),
        Procedure(rounds=3),
        meter=CountingMeter(),
        progress=lambda _: None,
    )
    for own in samples.values():
        assert own.energy_uj is not None
        assert own.energy_uj.tolist() == [70, 70, 70]


def test_warming_up_runs_every_case() -> None:
    journal, steps = Journal(), []
    warm_up(journal.runners(), pictures(2), steps.append)
    expected = [(case, number % 2) for case in CASES for number in range(WARM_UP_FRAMES)]
    assert journal.calls == expected
    assert steps == [1] * len(CASES)
