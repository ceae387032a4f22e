"""A check in a process of its own: what crashes or hangs there ends nothing but itself."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

from stseg_ros.doctor.finding import Check, Finding, Status
from stseg_ros.doctor.probe import describe_end, last_lines

# To leave ROS, so that no shared memory stays behind.
_GRACE_S = 5.0


def run_isolated(
    check: Check, *, bundle: str | None = None, module: str = 'stseg_ros.doctor.child'
) -> Finding:
    """Run a check in another process, for as long as it may take.

    Args:
        check: one of the catalogue.
        bundle: the bundle that the catalogue is made for.
        module: what runs it; tests have others.

    Returns:
        Its finding; an error where it crashed, or did not end in time.
    """
    with tempfile.TemporaryDirectory(prefix='stseg_doctor_') as folder:
        result, log = Path(folder) / 'finding.json', Path(folder) / 'output.txt'
        arguments = [check.name, '--result', str(result)]
        if bundle is not None:
            arguments += ['--bundle', bundle]
        with log.open('wb') as output:
            process = subprocess.Popen(
                [sys.executable, '-m', module, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                # A group of its own, so that whatever it started can be ended with it.
                start_new_session=True,
            )
        try:
            failure = describe_end(process.wait(check.limit_s))
        except subprocess.TimeoutExpired:
            failure = f'was not done after {check.limit_s:.0f} s'
        finally:
            _end(process)
        if not failure:
            return _read(result)
        return _explain(check, failure, last_lines(log.read_bytes()))


def _end(process: subprocess.Popen[bytes]) -> None:
    """Interrupt the process and what it started, and kill what does not end."""
    if process.poll() is not None:
        return
    os.killpg(process.pid, signal.SIGINT)
    with suppress(subprocess.TimeoutExpired):
        process.wait(_GRACE_S)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _read(result: Path) -> Finding:
    content = json.loads(result.read_text(encoding='utf-8'))
    return Finding(**{**content, 'status': Status(content['status'])})


def _explain(check: Check, failure: str, output: tuple[str, ...]) -> Finding:
    """Make a finding of a check that found nothing."""
    said = f': {output[-1]}' if output else ''
    return Finding(
        status=Status.ERROR,
        summary=f'this check {failure}{said}',
        advice=f'`stseg doctor --only {check.name} --json FILE` keeps all that it said',
        details={'failure': failure, 'output': list(output)},
    )
