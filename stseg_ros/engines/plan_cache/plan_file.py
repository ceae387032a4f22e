"""One plan in one file, with what is needed to tell whether it is whole and the one looked for.

A line that names the format, a line of JSON, then the plan. Libraries accept only their own plans,
but some read a damaged one until they crash, so the digest is checked first.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

MAGIC = b'stseg_ros plan 2\n'
UNFINISHED = '.part'

_LONGEST_HEADER = 1 << 16


class PlanFileError(Exception):
    """A file is not the plan that it should be; the message says why, for people."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanKey:
    """Everything that a plan depends on; another value of any of these is another plan.

    Attributes:
        onnx_sha256: of the ONNX file.
        library: 'tensorrt' or 'tensorrt_rtx'.
        version: the library's full version.
        gpu: the GPU's name; 'any' where the plan runs on every GPU of the compute capability.
        compute_capability: such as '8.9'.
        multiprocessors: how many the GPU has; 0 where the plan does not depend on it.
        driver_cuda_major: major version of the CUDA that the driver offers; 0 where the plan does
            not depend on it.
        precision: 'fp16' or 'fp32'.
        profiles: the inputs' shapes as text.
        flags: everything else as text: channel order, form of the logits, workspace, versions of
            the code that rewrites networks and that configures the builder; and 'kernels' where
            this is not the plan, but what was compiled from it.
    """

    onnx_sha256: str
    library: str
    version: str
    gpu: str
    compute_capability: str
    multiprocessors: int
    driver_cuda_major: int
    precision: str
    profiles: str
    flags: str

    def digest(self) -> str:
        """Hash the key.

        Returns:
            64 hexadecimal digits.
        """
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanHeader:
    """What a plan's file says of it.

    Attributes:
        key: what the plan depends on.
        sha256: of the plan, in hexadecimal.
        plan_bytes: its length.
        facts: for people, such as the network's name.
    """

    key: PlanKey
    sha256: str
    plan_bytes: int
    facts: dict[str, str] = field(default_factory=dict)


def write_plan_file(path: Path, key: PlanKey, plan: bytes, facts: dict[str, str]) -> None:
    """Write a plan so that no reader ever sees half of it, not even after a power cut.

    Args:
        path: the file to write or to replace; its folder exists.
        key: what the plan depends on.
        plan: the serialized plan.
        facts: for people.

    Raises:
        OSError: it cannot be written; nothing is left behind.
    """
    header = PlanHeader(
        key=key, sha256=hashlib.sha256(plan).hexdigest(), plan_bytes=len(plan), facts=facts
    )
    line = json.dumps(asdict(header), sort_keys=True).encode() + b'\n'
    # Not a private temporary file: a cache may be shared by the users of a machine.
    part = path.with_name(f'{path.stem}.{os.getpid()}.{threading.get_ident()}{UNFINISHED}')
    try:
        with part.open('wb') as file:
            file.writelines((MAGIC, line, plan))
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def read_plan_file(path: Path, key: PlanKey) -> bytes:
    """Read a plan and check that it is whole and the one looked for.

    Args:
        path: the file.
        key: what the plan must depend on.

    Returns:
        The serialized plan.

    Raises:
        PlanFileError: it is cut short, altered, foreign or of another key.
        OSError: it cannot be read.
    """
    content = path.read_bytes()
    header, start = _parse_header(content)
    plan = content[start:]
    if header.key != key:
        raise PlanFileError('holds the plan of another network or machine')
    if len(plan) != header.plan_bytes:
        raise PlanFileError(f'has {len(plan)} of {header.plan_bytes} bytes of plan')
    if hashlib.sha256(plan).hexdigest() != header.sha256:
        raise PlanFileError('was altered: its plan does not have the SHA-256 recorded')
    return plan


def read_header(path: Path) -> PlanHeader:
    """Read what a file says of its plan, without the plan.

    Args:
        path: the file.

    Returns:
        The header, which may promise more than the file holds.

    Raises:
        PlanFileError: the file is no plan of this package.
        OSError: it cannot be read.
    """
    with path.open('rb') as file:
        return _parse_header(file.read(len(MAGIC) + _LONGEST_HEADER))[0]


def _parse_header(content: bytes) -> tuple[PlanHeader, int]:
    """Return the header and where the plan starts."""
    if not content.startswith(MAGIC):
        raise PlanFileError('is not a plan file of this version of stseg_ros')
    end = content.find(b'\n', len(MAGIC), len(MAGIC) + _LONGEST_HEADER)
    try:
        fields: dict[str, Any] = json.loads(content[len(MAGIC) : end]) if end > 0 else {}
        header = PlanHeader(**{**fields, 'key': PlanKey(**fields['key'])})
    except (ValueError, TypeError, KeyError) as err:
        raise PlanFileError('has a header that is cut short or altered') from err
    return header, end + 1


def _sync_folder(folder: Path) -> None:
    """Make the new name itself survive a power cut, where the file system can do that."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        # Some network file systems refuse; the plan is there all the same.
        with suppress(OSError):
            os.fsync(handle)
    finally:
        os.close(handle)
