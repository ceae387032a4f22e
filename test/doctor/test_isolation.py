"""Tests that no check can end the examination, and none outlives its time."""

from __future__ import annotations

import os
import select
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest
from support.doctor_children import GRANDCHILD
from support.tiny_bundle import write_tiny_bundle

from stseg_ros.doctor import isolation
from stseg_ros.doctor.bundle_check import BundleCheck
from stseg_ros.doctor.finding import Finding, Status
from stseg_ros.doctor.isolation import run_isolated


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """A check that is run by `support.doctor_children`."""

    title: ClassVar[str] = ''
    needs: ClassVar[tuple[str, ...]] = ()

    name: str
    limit_s: float = 60.0

    def run(self) -> Finding:
        raise AssertionError('runs in the other process')


@pytest.fixture(autouse=True)
def _support(monkeypatch: pytest.MonkeyPatch) -> None:
    folders = [str(Path(__file__).parents[1]), os.environ.get('PYTHONPATH')]
    monkeypatch.setenv('PYTHONPATH', os.pathsep.join(filter(None, folders)))


def run(name: str, limit_s: float = 60.0) -> Finding:
    return run_isolated(Named(name=name, limit_s=limit_s), module='support.doctor_children')


def test_the_finding_comes_back_whatever_else_is_printed() -> None:
    assert run('chatter') == Finding(
        status=Status.WARNING, summary='s', advice='a', details={'n': [1]}
    )


def test_a_crash_is_a_finding() -> None:
    found = run('crash')
    assert found.status is Status.ERROR
    assert found.summary == 'this check crashed with SIGSEGV: about to crash'


def test_an_early_end_is_a_finding() -> None:
    found = run('leave')
    assert found.status is Status.ERROR
    assert found.summary == 'this check ended with status 3: the reason is this'
    assert found.details['output'] == ['first', 'the reason is this']


def test_what_hangs_is_ended_with_all_that_it_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(GRANDCHILD, str(tmp_path / 'pid'))
    found = run('hang', limit_s=4.0)
    assert found.status is Status.ERROR
    assert found.summary.startswith('this check was not done after 4 s')
    assert has_ended(int((tmp_path / 'pid').read_text()))


def has_ended(pid: int) -> bool:
    """Wait for the end of a process that was killed, which takes the kernel a moment."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([handle], [], [], 20.0)[0])
    finally:
        os.close(handle)


def test_an_interruption_ends_it_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(GRANDCHILD, str(tmp_path / 'pid'))
    started = []
    popen = isolation.subprocess.Popen

    class Interrupted(popen):  # type: ignore[misc, valid-type]
        def wait(self, timeout: float | None = None) -> int:
            if not started:
                started.append(self)
                raise KeyboardInterrupt
            return int(super().wait(timeout))

    monkeypatch.setattr(isolation.subprocess, 'Popen', Interrupted)
    with pytest.raises(KeyboardInterrupt):
        run('hang')
    assert started[0].returncode is not None


def test_the_real_child_has_the_bundle(tmp_path: Path) -> None:
    root = str(write_tiny_bundle(tmp_path / 'tiny'))
    found = run_isolated(BundleCheck(bundle=root), bundle=root)
    assert found == BundleCheck(bundle=root).run()
    assert found.details['name'] == 'tiny'
