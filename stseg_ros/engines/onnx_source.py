"""Where an ONNX network comes from: a file, or memory."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

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
    return hashlib.sha256(read_source(source).content).hexdigest()


def read_source(source: OnnxSource) -> NamedModel:
    """Take a network into memory.

    Args:
        source: the network.

    Returns:
        The network, called by the file's path; later changes of the file do not matter to it.

    Raises:
        EngineError: the file cannot be read.
    """
    if isinstance(source, NamedModel):
        return source
    try:
        return NamedModel(name=str(source), content=source.read_bytes())
    except OSError as err:
        raise EngineError(f'{source} cannot be read ({err.strerror})') from err
