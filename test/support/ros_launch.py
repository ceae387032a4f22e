"""Running this package's launch files by `ros2 launch`, where launch_ros and ros2cli are."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[2]
HAS_LAUNCH_ROS = importlib.util.find_spec('launch_ros') is not None
PATIENCE_S = 30.0

needs_ros2 = pytest.mark.skipif(
    not HAS_LAUNCH_ROS or shutil.which('ros2') is None, reason='needs launch_ros and ros2cli'
)


class Launch:
    """A running `ros2 launch`."""

    def __init__(
        self, launch_file: Path, environment: dict[str, str], log: Path, *arguments: str
    ) -> None:
        """Start a launch file of this package; its output goes to the log file."""
        ros2 = shutil.which('ros2')
        assert ros2 is not None
        self.log = log
        with log.open('w') as output:
            self.process = subprocess.Popen(
                [sys.executable, ros2, 'launch', 'stseg_ros', launch_file.name, *arguments],
                env=environment,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def wait_for(self, *texts: str) -> None:
        """Wait until the log holds all of these."""
        deadline_s = time.monotonic() + PATIENCE_S
        while not all(text in self.log.read_text() for text in texts):
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < deadline_s, self.log.read_text()
            time.sleep(0.05)

    def stop(self) -> None:
        """End it, and check that it ends well."""
        # As Ctrl-C in a terminal: to the launcher and to what it started.
        os.killpg(self.process.pid, signal.SIGINT)
        assert self.process.wait(PATIENCE_S) == 0, self.log.read_text()
        assert 'Traceback' not in self.log.read_text()

    def kill(self) -> None:
        """End it, if it still runs, and all that it has started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
