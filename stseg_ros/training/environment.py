"""What a run was trained with: code, versions and machine."""

from __future__ import annotations

import platform
import shlex
import subprocess
import sys
from typing import Any

import cv2
import numpy as np
import torch

from stseg_ros.machine import processor_name
from stseg_ros.training.processes import Processes


def describe_environment(processes: Processes) -> dict[str, Any]:
    """Collect what may change a result that the recipe does not say.

    Args:
        processes: those that train together.

    Returns:
        Plain values for `run.yaml`; 'commit' is None where the working directory is no checkout.
    """
    return {
        'command': shlex.join(sys.argv),
        'commit': _commit(),
        'host': platform.node(),
        'cpu': processor_name(),
        'gpu': torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        'processes': processes.count,
        'platform': platform.platform(),
        'python': platform.python_version(),
        'torch': str(torch.__version__),
        'numpy': np.__version__,
        'opencv': cv2.__version__,
    }


def _commit() -> str | None:
    try:
        shown = subprocess.run(
            ['git', 'describe', '--always', '--dirty', '--abbrev=40', '--exclude=*'],  # noqa: S607
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError:
        return None
    return shown.stdout.strip() or None
