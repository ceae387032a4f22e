"""The argument that names an inference backend."""

from __future__ import annotations

import argparse

# As `stseg_ros.engines.backends` has them; a --help is not to import engines.
NAMES = ('auto', 'tensorrt', 'tensorrt_rtx', 'openvino', 'onnxruntime')


def add_backend_argument(
    group: argparse._ArgumentGroup | argparse.ArgumentParser, default: str | None = NAMES[0]
) -> None:
    """Declare the backend; whether it is known is checked where it is used.

    Args:
        group: where it belongs.
        default: what it is when it is not given; None leaves that to a file.
    """
    group.add_argument(
        '--backend',
        default=default,
        metavar='NAME',
        help=f'inference backend: {", ".join(NAMES[:-1])} or {NAMES[-1]} (default: auto, the '
        'best that opens)',
    )
