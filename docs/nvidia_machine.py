"""What machine this is, for the results of `run_on_nvidia.py`: GPU, driver, power, versions."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from importlib import metadata
from pathlib import Path

from stseg_ros.engines.cuda.nvidia_gpu import find_gpu
from stseg_ros.engines.tensorrt.library import LIBRARIES, load_library
from stseg_ros.errors import EngineError
from stseg_ros.machine import processor_name

_PACKAGES = (
    'stseg_ros', 'numpy', 'opencv-python-headless', 'onnx', 'onnxruntime', 'openvino',
    'cuda-python', 'cuda-bindings', 'tensorrt', 'tensorrt-rtx', 'tensorrt-rtx-cu12-bindings',
    'tensorrt-rtx-cu13-bindings',
)  # fmt: skip
_QUERY = 'name,driver_version,memory.total,power.limit,clocks.max.graphics,clocks.max.memory'
# Texts that say which Jetson software is there and which driver is loaded.
_FILES = {
    'jetson_linux': Path('/etc/nv_tegra_release'),
    'model': Path('/proc/device-tree/model'),
    'driver': Path('/proc/driver/nvidia/version'),
}
_COMMANDS = {
    'nvidia_smi': ('nvidia-smi', f'--query-gpu={_QUERY}', '--format=csv,noheader'),
    'jetpack': ('dpkg-query', '--show', '--showformat=${Version}', 'nvidia-jetpack'),
    'power_mode': ('nvpmodel', '-q'),
}
_PATIENCE_S = 20


def describe_machine() -> dict[str, object]:
    """Collect what timings depend on.

    Returns:
        Plain values for JSON; what this machine does not have is left out.
    """
    gpu = find_gpu()
    facts: dict[str, object] = {
        'system': platform.platform(),
        'processor': processor_name(),
        'threads': os.cpu_count(),
        'python': platform.python_version(),
        'packages': _versions(),
        'libraries': {name: _library(name) for name in LIBRARIES},
    }
    if gpu is not None:
        facts['gpu'] = gpu.name
        facts['compute_capability'] = gpu.compute_capability
        facts['multiprocessors'] = gpu.multiprocessors
        facts['driver_serves_cuda'] = gpu.driver_cuda_major
    for name, path in _FILES.items():
        if path.is_file():
            facts[name] = path.read_text(errors='replace').strip('\0\n ').splitlines()[0]
    for name, command in _COMMANDS.items():
        answer = _ask(command)
        if answer:
            facts[name] = answer
    return facts


def _versions() -> dict[str, str]:
    versions = {}
    for name in _PACKAGES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:  # noqa: PERF203 (a dozen packages)
            continue
    return versions


def _library(name: str) -> str:
    """Return a library's version as it says itself, since Jetson's is no Python package."""
    try:
        return load_library(name).version
    except EngineError as err:
        return str(err)


def _ask(command: tuple[str, ...]) -> str:
    """Return what a command prints, in one line; nothing where it is missing or fails."""
    if shutil.which(command[0]) is None:
        return ''
    try:
        shown = subprocess.run(
            command, capture_output=True, text=True, timeout=_PATIENCE_S, check=True
        )
    except (subprocess.SubprocessError, OSError):
        return ''
    return ' '.join(shown.stdout.split())
