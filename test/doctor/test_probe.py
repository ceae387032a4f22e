"""Tests of looks that end in every way."""

from __future__ import annotations

from stseg_ros.doctor.probe import Probe, run_probe

REPORT = 'from stseg_ros.doctor.probe import report; report("first"); report("second step"); '


def run(code: str, timeout_s: float = 30.0) -> Probe:
    return run_probe(['-c', code], timeout_s=timeout_s)


def test_reports_are_told_from_chatter() -> None:
    probe = run(f'{REPORT}print("chatter"); import sys; print("more", file=sys.stderr)')
    assert probe.reports == ('first', 'second step')
    assert probe.failure == ''
    assert sorted(probe.output) == ['chatter', 'more']


def test_a_crash_leaves_the_reports_before_it() -> None:
    probe = run(f'{REPORT}import os; os.abort()')
    assert probe.reports == ('first', 'second step')
    assert probe.failure == 'crashed with SIGABRT'


def test_an_exception() -> None:
    probe = run('raise RuntimeError("the reason")')
    assert probe.failure == 'ended with status 1'
    assert probe.output[-1] == 'RuntimeError: the reason'


def test_an_endless_one_is_ended() -> None:
    probe = run(f'{REPORT}import signal; signal.pause()', timeout_s=3.0)
    assert probe.reports == ('first', 'second step')
    assert probe.failure == 'did not end in 3 s'


def test_only_the_end_of_much_output_is_kept() -> None:
    probe = run('print("\\n".join(str(n) for n in range(500)) + "x" * 5000)')
    assert probe.output[0] == '480'
    assert len(probe.output) == 20
    assert len(probe.output[-1]) == 300
