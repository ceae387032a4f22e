"""Tests that each promise can be broken, and that the report says which was."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
from support.soak_outcome import GOOD, GOOD_END, NO_WRONG, STORY, age, ages, balance, samples

from stseg_ros.soak.figure import draw_soak
from stseg_ros.soak.promises import judge
from stseg_ros.soak.report import make_document, summary_rows


def verdict(**changes: object) -> dict[str, bool | None]:
    return {it.name: it.kept for it in judge(dataclasses.replace(GOOD, **changes))}


def test_a_good_soak_keeps_all() -> None:
    assert set(verdict().values()) == {True}
    assert len(verdict()) == 10


@pytest.mark.parametrize(
    ('words', 'changes'),
    [
        ('lives', {'ended_early': True}),
        ('is a mask or counted', {'balance': balance(frames_dropped=24)}),
        ('is a mask or counted', {'balance': balance(frames_dropped=26)}),
        ('answers one good image', {'wrong_masks': {**NO_WRONG, 'of a bad image': 1}}),
        ('meets an error', {'balance': balance(frames_failed=1, frames_dropped=24)}),
        ('frame times older', {'ages': ages(*[age(0.5)] * 97, *[age(2.2)] * 3)}),
        # In times between two images of the step, however long the camera paused.
        ('frame times older', {'ages': ages(*[age(0.5)] * 97, *[age(1.2)] * 3)}),
        ('memory', {'samples': samples(resident_mb=321.0)}),
        ('descriptor', {'samples': samples(descriptors=25)}),
        ('thread', {'samples': samples(threads=37)}),
        ('SIGINT', {'end': dataclasses.replace(GOOD_END, seconds=11.0)}),
        ('SIGINT', {'end': dataclasses.replace(GOOD_END, status=1)}),
        ('SIGINT', {'end': dataclasses.replace(GOOD_END, status=-9, killed=True)}),
        ('behind', {'end': dataclasses.replace(GOOD_END, processes_left=1)}),
        ('behind', {'end': dataclasses.replace(GOOD_END, files_left=('fastdds_1',))}),
    ],
)
def test_each_promise_can_be_broken(words: str, changes: dict[str, object]) -> None:
    broken = [name for name, kept in verdict(**changes).items() if kept is False]
    assert len(broken) == 1
    assert words in broken[0]


@pytest.mark.parametrize(
    ('words', 'changes'),
    [
        ('frame times older', {'ages': ages(*[age(0.5)] * 995, *[age(9.0)] * 5)}),
        ('memory', {'samples': samples(resident_mb=319.0)}),
        ('descriptor', {'samples': samples(descriptors=3)}),
    ],
)
def test_what_is_allowed_breaks_none(words: str, changes: dict[str, object]) -> None:
    assert set(verdict(**changes).values()) == {True}


def test_what_cannot_be_told_is_not_kept() -> None:
    unknown = verdict(ages=ages(), samples=())
    assert sum(kept is None for kept in unknown.values()) == 4
    dead = verdict(ended_early=True, end=dataclasses.replace(GOOD_END, seconds=None))
    assert sum(kept is None for kept in dead.values()) == 1


def document(**changes: object) -> dict[str, Any]:
    outcome = dataclasses.replace(GOOD, **changes)
    return json.loads(json.dumps(make_document(STORY, outcome, judge(outcome))))


def test_the_report_adds_up() -> None:
    report = document()
    assert report['schema'] == 1
    frames = report['frames']
    named = ('masks_received', 'dropped', 'bad', 'failed', 'lost', 'uncounted')
    assert [frames[name] for name in named] == [60, 25, 10, 0, 5, 0]
    assert frames['published'] == sum(frames[name] for name in named)
    assert report['processing_ms']['p50'] == pytest.approx(20.0, rel=6e-4)
    assert report['age_ms'] == pytest.approx({'p50': 45.0, 'p95': 45.0, 'p99': 45.0}, rel=6e-4)
    assert report['legs_ms']['waiting']['p99'] == pytest.approx(16.0, rel=6e-4)
    assert report['waited_frames_p99'] == pytest.approx(0.5, abs=6e-4)
    assert report['waited_step_frames_p99'] == pytest.approx(1.0, abs=6e-4)
    # 60,000 faults of 60 s.
    assert report['page_faults_per_s'] == pytest.approx(1000.0)
    assert report['cores_mean'] == 0.5
    assert {len(column) for column in report['series'].values()} == {61}
    assert [it['kept'] for it in report['promises']] == [True] * 10
    shown = dict(summary_rows(report))
    assert shown['counted by the node'] == '25 dropped, 10 bad, 0 failed, 5 lost on the way'
    assert shown['neither mask nor counted'] == '0'
    assert shown['camera restarts'] == '2 as publisher, 1 as process'


def test_ages_are_summed_up_by_ten_seconds() -> None:
    windows = document(ages=ages(*[age(0.5, at_s) for at_s in (1.0, 9.0, 31.0)]))['age_series']
    assert [window['at_s'] for window in windows] == [5.0, 35.0]


@pytest.mark.parametrize('changes', [{}, {'ages': ages(), 'samples': samples()[:1]}])
def test_it_can_be_shown_and_drawn(tmp_path: Path, changes: dict[str, object]) -> None:
    report = document(**changes)
    assert all(name and value for name, value in summary_rows(report))
    draw_soak(report, tmp_path / 'soak.png')
    assert (tmp_path / 'soak.png').read_bytes().startswith(b'\x89PNG')
