"""A look at something that may end the process which looks: it is done in another."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

_REPORT = 'report: '
_KEPT_LINES = 20
_LONGEST_LINE = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """How another Python ended.

    Attributes:
        reports: what it reported, in order; see `report`.
        failure: how it failed, empty where it did not.
        output: the last lines of everything else that it printed.
    """

    reports: tuple[str, ...]
    failure: str
    output: tuple[str, ...]


def report(text: str) -> None:
    """Report from inside a probe.

    Args:
        text: one line.
    """
    print(f'{_REPORT}{text}', flush=True)


def run_probe(
    arguments: Sequence[str], *, timeout_s: float, environment: Mapping[str, str] | None = None
) -> Probe:
    """Run a Python and wait for its end.

    Args:
        arguments: its command line after the interpreter.
        timeout_s: it is killed after so long.
        environment: its environment; None takes this process's.

    Returns:
        What it said and how it ended.
    """
    try:
        ended = subprocess.run(
            [sys.executable, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=timeout_s,
            env=environment,
            check=False,
        )
    except subprocess.TimeoutExpired as err:
        return _probe(err.stdout or b'', f'did not end in {timeout_s:.0f} s')
    return _probe(ended.stdout, describe_end(ended.returncode))


def describe_end(status: int) -> str:
    """Say how a process ended.

    Args:
        status: as `subprocess` gives it, the negative number of a signal that killed it.

    Returns:
        One phrase; empty for success.
    """
    if status == 0:
        return ''
    if status > 0:
        return f'ended with status {status}'
    try:
        name = signal.Signals(-status).name
    except ValueError:
        name = f'signal {-status}'
    return f'crashed with {name}'


def last_lines(output: bytes) -> tuple[str, ...]:
    """Keep the end of what a process printed.

    Args:
        output: all of it.

    Returns:
        Its last lines that hold anything, cut where they are too long to read.
    """
    lines = output.decode(errors='replace').splitlines()
    kept = [line.strip()[:_LONGEST_LINE] for line in lines if line.strip()]
    return tuple(kept[-_KEPT_LINES:])


def _probe(output: bytes, failure: str) -> Probe:
    lines = output.decode(errors='replace').splitlines()
    reports = tuple(line.removeprefix(_REPORT) for line in lines if line.startswith(_REPORT))
    others = '\n'.join(line for line in lines if not line.startswith(_REPORT))
    return Probe(reports=reports, failure=failure, output=last_lines(others.encode()))
