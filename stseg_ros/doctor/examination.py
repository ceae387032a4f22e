"""The checks one after the other, and what they found together."""

from __future__ import annotations

import datetime
import os
import platform
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from stseg_ros.doctor.finding import Check, Finding, Status

SCHEMA = 1

_MARKS = {
    Status.OK: 'ok',
    Status.WARNING: 'look',
    Status.ERROR: 'fail',
    Status.SKIPPED: 'skip',
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Examined:
    """One check, made.

    Attributes:
        name: the check's name.
        finding: what it found.
        seconds: how long it took.
    """

    name: str
    finding: Finding
    seconds: float


def examine(checks: Sequence[Check], run: Callable[[Check], Finding]) -> Iterator[Examined]:
    """Make the checks.

    Args:
        checks: in the order in which they are made.
        run: makes one, and returns whatever happens.

    Yields:
        Each check when it is done; one that needs another which found an error is skipped.
    """
    failed: set[str] = set()
    for check in checks:
        started_s = time.monotonic()
        in_the_way = [name for name in check.needs if name in failed]
        if in_the_way:
            finding = Finding(
                status=Status.SKIPPED, summary=f'of no use until {in_the_way[0]} is mended'
            )
        else:
            finding = run(check)
        if finding.status is Status.ERROR:
            failed.add(check.name)
        seconds = round(time.monotonic() - started_s, 3)
        yield Examined(name=check.name, finding=finding, seconds=seconds)


def describe(examined: Examined, width: int) -> str:
    """Lay one check out for people.

    Args:
        examined: the check.
        width: of the column of names.

    Returns:
        A line, and one for the advice below it where there is some.
    """
    finding = examined.finding
    lines = [f'{_MARKS[finding.status]:<5} {examined.name:<{width}}  {finding.summary}']
    if finding.advice:
        lines.append(f'{"":<5} {"":<{width}}  -> {finding.advice}')
    return '\n'.join(lines)


def sum_up(all_examined: Sequence[Examined]) -> str:
    """Put what all checks found into one line for people."""
    counts = _counts(all_examined)
    words = f'{counts["ok"]} ok, {counts["warning"]} to look at, {counts["error"]} failed'
    return f'{words}, {counts["skipped"]} skipped'


def has_failed(all_examined: Sequence[Examined]) -> bool:
    """Whether any check found an error."""
    return _counts(all_examined)['error'] > 0


def as_json(all_examined: Sequence[Examined], *, version: str) -> dict[str, Any]:
    """Put everything into what JSON can hold.

    Args:
        all_examined: the checks.
        version: of stseg_ros.

    Returns:
        `schema` (1), `stseg_ros`, `time` (UTC, ISO 8601), `machine`, `counts` by status, and
        `checks`: `name`, `seconds`, `status`, `summary`, `advice`, `details` of each.
    """
    return {
        'schema': SCHEMA,
        'stseg_ros': version,
        'time': datetime.datetime.now(datetime.timezone.utc).isoformat(timespec='seconds'),
        'machine': {
            'system': platform.platform(),
            'machine': platform.machine(),
            'cores': os.cpu_count(),
            'python': platform.python_version(),
        },
        'counts': _counts(all_examined),
        'checks': [
            {'name': one.name, 'seconds': one.seconds, **asdict(one.finding)}
            for one in all_examined
        ],
    }


def _counts(all_examined: Sequence[Examined]) -> dict[str, int]:
    found = Counter(examined.finding.status for examined in all_examined)
    return {status.value: found[status] for status in Status}
