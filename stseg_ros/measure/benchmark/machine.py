"""What machine the times are of."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import Any

from stseg_ros.engines.cuda.nvidia_gpu import find_gpu
from stseg_ros.machine import processor_name

_GIB = 2.0**30
_GOVERNOR = Path('/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor')
# Others may take so large a share of the usable cores before times become worthless.
_BUSY_SHARE = 0.25


def describe_machine() -> dict[str, Any]:
    """Collect what times depend on.

    Returns:
        Plain values for JSON; what this machine does not tell is left out.
    """
    usable, load = len(os.sched_getaffinity(0)), os.getloadavg()[0]
    facts: dict[str, Any] = {
        'processor': processor_name(),
        'cores': os.cpu_count(),
        'usable_cores': usable,
        'memory_gib': round(os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE') / _GIB, 1),
        'system': platform.platform(),
        # Of the last minute, and whether that is too much for timing anything.
        'load_before': round(load, 2),
        'busy': load > _BUSY_SHARE * usable,
    }
    if _GOVERNOR.is_file():
        facts['frequency_governor'] = _GOVERNOR.read_text(encoding='utf-8').strip()
    gpu = find_gpu()
    if gpu is not None:
        facts['gpu'] = gpu.name
        facts['compute_capability'] = gpu.compute_capability
    return facts
