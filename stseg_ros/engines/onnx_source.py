"""Where an ONNX network comes from: a file, or memory."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from stseg_ros.bundle import file_sha256
from stseg_ros.errors import EngineError


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedModel:
    """A serialised ONNX model that is in no file.

    Attributes:
        name: what messages and lists call it.
        content: the model.
    """

    name: str
    content: bytes

    def __str__(self) -> str:
        """Return the name, as a file's path is what messages call a file."""
        return self.name


OnnxSource = Path | NamedModel


def source_sha256(source: OnnxSource) -> str:
    """Hash a network.

    Args:
        source: the network.

    Returns:
        64 hexadecimal digits; the same for a file and a model of the same bytes.

    Raises:
        EngineError: the file cannot be read.
    """
    if isinstance(source, NamedModel):
        return hashlib.sha256(source.content).hexdigest()
    try:
        return file_sha256(source)
    except OSError as err:
        raise EngineError(f'{source} cannot be read ({err.strerror})') from err
