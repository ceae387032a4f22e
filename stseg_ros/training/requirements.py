"""Checks for the libraries that only training needs; importing this needs none of them."""

from __future__ import annotations

from importlib.util import find_spec

from stseg_ros.errors import StsegError

_TRAINING_LIBRARIES = {
    'torch': 'torch',
    'onnx': 'onnx',
    'onnxscript': 'onnxscript',
    'tqdm': 'tqdm',
}


def require_training_libraries() -> None:
    """Check that PyTorch and its helpers are installed.

    Raises:
        StsegError: one is missing; the message has the command that installs them.
    """
    missing = [
        package for module, package in _TRAINING_LIBRARIES.items() if find_spec(module) is None
    ]
    if missing:
        raise StsegError(
            f'training and export need {", ".join(missing)}; install with '
            '`.venv/bin/pip install -r requirements/train.txt`'
        )


def require_tensorboard() -> None:
    """Check that TensorBoard is installed, which is needed only where it is asked for.

    Raises:
        StsegError: it is missing; the message has the command that installs it.
    """
    if find_spec('tensorboard') is None:
        raise StsegError(
            '--tensorboard needs TensorBoard; install with `pip install tensorboard`, or leave it '
            'out: RUN/log.csv and RUN/curves.png have the same'
        )
