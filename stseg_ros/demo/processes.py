"""The demonstration's other processes: started, logged, and ended whatever happens."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from stseg_ros.errors import StsegError

_PATIENCE_S = 15.0


class LoggedProcess:
    """A Python module run in a process of its own, its output in a file."""

    def __init__(self, name: str, module: str, arguments: Sequence[str], log: Path) -> None:
        """Start it.

        Args:
            name: what it is, for messages.
            module: to be run with `python -m`.
            arguments: its command line.
            log: gets what it prints.
        """
        self._name = name
        self._log = log
        with log.open('w', encoding='utf-8') as file:
            self._process = subprocess.Popen(
                [sys.executable, '-m', module, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
            )

    @property
    def ended(self) -> bool:
        """Whether it is over."""
        return self._process.poll() is not None

    def check_alive(self) -> None:
        """Raise if it ended.

        Raises:
            StsegError: it did; the message holds the last line of its log.
        """
        if self.ended:
            raise StsegError(self._explain(f'ended early with status {self._process.returncode}'))

    def wait(self, timeout_s: float) -> None:
        """Wait for it to end well.

        Args:
            timeout_s: the longest to wait.

        Raises:
            StsegError: it is still running, or ended with another status than 0.
        """
        try:
            status = self._process.wait(timeout_s)
        except subprocess.TimeoutExpired as err:
            raise StsegError(self._explain(f'did not end in {timeout_s:.0f} s')) from err
        if status:
            raise StsegError(self._explain(f'ended with status {status}'))

    def stop(self) -> None:
        """Interrupt it as Ctrl-C does, and kill it if that does not end it."""
        if self.ended:
            return
        self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(_PATIENCE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _explain(self, what: str) -> str:
        lines = [
            line for line in self._log.read_text(encoding='utf-8').splitlines() if line.strip()
        ]
        last = lines[-1].strip() if lines else 'it printed nothing'
        return f'the {self._name} {what}; {self._log} ends with: {last}'


@contextmanager
def run_beside(
    name: str, module: str, arguments: Sequence[str], log: Path
) -> Iterator[LoggedProcess]:
    """Run a process for the length of a `with` block.

    Args:
        name: what it is, for messages.
        module: to be run with `python -m`.
        arguments: its command line.
        log: gets what it prints.

    Yields:
        The running process; it is stopped at the end of the block.
    """
    process = LoggedProcess(name, module, arguments, log)
    try:
        yield process
    finally:
        process.stop()
