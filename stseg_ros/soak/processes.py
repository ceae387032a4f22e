"""The processes of a soak: the node under test, and the camera that it listens to."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from stseg_ros.errors import StsegError
from stseg_ros.soak.process_usage import Usage, members_of_session, read_usage

NODE_MODULE = 'stseg_ros.ros_node.segmenter_node'
CAMERA_MODULE = 'stseg_ros.ros_node.soak_camera'
_END_S = 15.0
_CHUNK = 1 << 16
_SHARED_MEMORY = Path('/dev/shm')  # noqa: S108 - Fast DDS keeps it there


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeEnd:
    """How the node ended.

    Attributes:
        status: its exit status; negative for the signal that ended it.
        seconds: from SIGINT to its end; None where it had ended before.
        killed: whether it had to be killed.
        processes_left: how many processes that it had started were still there.
        files_left: names of its shared memory that was still there.
    """

    status: int
    seconds: float | None
    killed: bool
    processes_left: int
    files_left: tuple[str, ...]


class NodeProcess:
    """The node under test. It has a session of its own, so that Ctrl-C does not reach it."""

    def __init__(
        self, arguments: Sequence[str], environment: Mapping[str, str], log: Path
    ) -> None:
        """Start it.

        Args:
            arguments: its command line.
            environment: its whole environment.
            log: gets what it prints.
        """
        self._log = log
        self._segments: set[str] = set()
        with log.open('wb') as output:
            self._process = _start(NODE_MODULE, arguments, environment, output)

    def usage(self) -> Usage | None:
        """Read what it holds now; None when it has ended."""
        usage = read_usage(self._process.pid)
        if usage is not None:
            self._note_segments()
        return usage

    def has_ended(self) -> bool:
        """Whether it is over."""
        return self._process.poll() is not None

    def check_alive(self) -> None:
        """Raise if it ended before a soak could begin.

        Raises:
            StsegError: it did; the message holds the last line of its log.
        """
        if self.has_ended():
            lines = self._log.read_text(encoding='utf-8', errors='replace').split('\n')
            last = next((line for line in reversed(lines) if line.strip()), 'it printed nothing')
            status = self._process.returncode
            raise StsegError(f'the node ended with status {status}; {self._log} ends with: {last}')

    def end(self) -> NodeEnd:
        """Interrupt it as Ctrl-C does, kill what does not end, and look for what it left."""
        process, seconds = self._process, None
        killed = False
        if process.poll() is None:
            self._note_segments()
            start_s = time.monotonic()
            process.send_signal(signal.SIGINT)
            try:
                process.wait(_END_S)
            except subprocess.TimeoutExpired:
                killed = True
                process.kill()
                process.wait()
            except BaseException:
                process.kill()  # Whoever has no patience leaves nothing running.
                raise
            seconds = time.monotonic() - start_s
        left = members_of_session(process.pid)
        for pid in left:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        names = [path.name for it in self._segments for path in _SHARED_MEMORY.glob(f'*{it}*')]
        return NodeEnd(
            status=process.returncode,
            seconds=seconds,
            killed=killed,
            processes_left=len(left),
            files_left=tuple(sorted(names)),
        )

    def _note_segments(self) -> None:
        """Remember its shared memory: once it has ended, nothing tells which was its own."""
        # Imported late: a package without a ROS installation has no use for it.
        from stseg_ros.ros_node.shared_segments import own_segments

        self._segments |= own_segments(Path(f'/proc/{self._process.pid}'))


class CameraProcess:
    """The camera: takes orders one by one, and answers while it obeys and when it is done."""

    def __init__(
        self, arguments: Sequence[str], environment: Mapping[str, str], log: Path
    ) -> None:
        """Start it.

        Args:
            arguments: its command line.
            environment: its whole environment.
            log: what it prints as errors is added to it.
        """
        with log.open('ab') as output:
            self._process = _start(CAMERA_MODULE, arguments, environment, output, piped=True)
        self._log = log
        self._buffer = b''

    def order(self, **order: Any) -> None:
        """Give an order; see `stseg_ros.ros_node.soak_camera`.

        Args:
            **order: what to do; nothing ends what is being sent.

        Raises:
            StsegError: it has ended.
        """
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(order).encode() + b'\n')
            self._process.stdin.flush()
        except BrokenPipeError as err:
            raise self._gone() from err

    def answers(self) -> Iterator[dict[str, Any]]:
        """Take what it has answered by now.

        Yields:
            The answers.

        Raises:
            StsegError: it has ended.
        """
        stdout = self._process.stdout
        assert stdout is not None
        while select.select([stdout], [], [], 0.0)[0]:
            chunk = os.read(stdout.fileno(), _CHUNK)
            if not chunk:
                raise self._gone()
            *lines, self._buffer = (self._buffer + chunk).split(b'\n')
            yield from map(json.loads, lines)

    def close(self) -> None:
        """End it by closing its input; kill it if that does not end it."""
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        with suppress(BrokenPipeError):
            process.stdin.close()
        try:
            process.wait(_END_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()

    def _gone(self) -> StsegError:
        return StsegError(f'the camera process of the soak has ended; see {self._log}')


@contextmanager
def running_node(
    arguments: Sequence[str], environment: Mapping[str, str], log: Path
) -> Iterator[NodeProcess]:
    """Run the node for a `with` block; it is ended with the block, if not before.

    Args:
        arguments: its command line.
        environment: its whole environment.
        log: gets what it prints.

    Yields:
        The running node.
    """
    node = NodeProcess(arguments, environment, log)
    try:
        yield node
    finally:
        if not node.has_ended():
            node.end()


def _start(
    module: str,
    arguments: Sequence[str],
    environment: Mapping[str, str],
    output: IO[bytes],
    *,
    piped: bool = False,
) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, '-m', module, *arguments],
        env=dict(environment),
        stdin=subprocess.PIPE if piped else subprocess.DEVNULL,
        stdout=subprocess.PIPE if piped else output,
        stderr=output,
        start_new_session=True,
    )
