"""The processes that measure_node.py starts beside itself."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from node_collector import ECHO, NODE, PATIENCE_S

from stseg_ros.demo.processes import LoggedProcess
from stseg_ros.errors import StsegError

HERE = Path(__file__).parent


class KnownProcess(LoggedProcess):
    """A logged process whose number may be asked."""

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid


class CameraProcess:
    """node_camera.py, and how to talk to it."""

    def __init__(self, bag: Path, log: Path) -> None:
        """Start it."""
        self._log = log
        with log.open('w', encoding='utf-8') as errors:
            self._process = subprocess.Popen(
                [
                    sys.executable,
                    str(HERE / 'node_camera.py'),
                    str(bag),
                    f'{NODE}/image',
                    f'{ECHO}/image',
                ],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )

    def play(self, place: str, *, rate_hz: float, count: int, first: int) -> dict[str, list[int]]:
        """Have it publish, and wait for its end.

        Raises:
            StsegError: it could not, or has ended.
        """
        order = {'topic': f'{place}/image', 'rate_hz': rate_hz, 'count': count, 'first': first}
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps(order) + '\n')
            self._process.stdin.flush()
        except BrokenPipeError as err:
            raise StsegError(f'the camera has ended; see {self._log}') from err
        line = self._process.stdout.readline()
        if not line:
            raise StsegError(f'the camera has ended; see {self._log}')
        answer: dict[str, Any] = json.loads(line)
        if 'error' in answer:
            raise StsegError(f'the camera cannot publish: {answer["error"]}')
        return answer

    def close(self) -> None:
        """End it."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


@contextmanager
def running_echo(log: Path) -> Iterator[int]:
    """Run node_echo.py during a `with` block; its output goes to a file.

    Yields:
        Its process id.
    """
    with log.open('w', encoding='utf-8') as output:
        process = subprocess.Popen(
            [sys.executable, str(HERE / 'node_echo.py'), *ros_arguments(ECHO, {})],
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        yield process.pid
    finally:
        process.terminate()
        process.wait(PATIENCE_S)


@contextmanager
def burning(processes: int) -> Iterator[None]:
    """Run processes that do nothing but compute, during a `with` block.

    Args:
        processes: how many; 0 for none.
    """
    burners = [
        subprocess.Popen([sys.executable, '-c', 'while True: pass']) for _ in range(processes)
    ]
    try:
        yield
    finally:
        for burner in burners:
            burner.kill()
            burner.wait()


def ros_arguments(place: str, parameters: Mapping[str, object]) -> list[str]:
    """Write a namespace and parameters as a node's command line."""
    arguments = ['--ros-args', '-r', f'__ns:={place}']
    for name, value in parameters.items():
        arguments += ['-p', f'{name}:={value}']
    return arguments


def cpu_s(pid: int) -> float:
    """Return the processor time of a process's threads, user and system, in s."""
    fields = _stat(pid)
    return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')


def page_faults(pid: int) -> int:
    """Return how many pages of memory a process was given since its start, one by one."""
    return int(_stat(pid)[7])


def _stat(pid: int) -> list[str]:
    # After the command's name, which may hold anything, in brackets.
    return Path(f'/proc/{pid}/stat').read_text(encoding='utf-8').rpartition(')')[2].split()
