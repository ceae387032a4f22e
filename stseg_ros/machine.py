"""What this machine is."""

from __future__ import annotations

import platform
from pathlib import Path

_CPU_NAMES = Path('/proc/cpuinfo')


def processor_name() -> str:
    """Return the processor's name as its maker gives it, or its kind where that is not told."""
    if _CPU_NAMES.is_file():
        for line in _CPU_NAMES.read_text(encoding='utf-8').splitlines():
            if line.startswith('model name'):
                return line.partition(':')[2].strip()
    return platform.processor() or platform.machine()
