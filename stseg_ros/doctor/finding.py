"""What a check is, and what it finds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Protocol

from stseg_ros.errors import StsegError


class Status(str, Enum):
    """How a check went."""

    OK = 'ok'
    WARNING = 'warning'
    ERROR = 'error'
    SKIPPED = 'skipped'


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What one check found.

    Attributes:
        status: whether all is well, something is to be looked at, something is broken, or the
            check does not apply here.
        summary: what was found, one line.
        advice: what to do, one line; empty where there is nothing to do.
        details: more for programs, as far as JSON can hold it.
    """

    status: Status
    summary: str
    advice: str = ''
    details: Mapping[str, Any] = field(default_factory=dict)


class Check(Protocol):
    """Looks at one thing. To make one, and its `name`, costs nothing; to run it may."""

    @property
    def name(self) -> str:
        """What `--only` calls it: lower case, with underscores."""

    @property
    def title(self) -> str:
        """What it looks at, one line."""

    @property
    def limit_s(self) -> float:
        """After so long it is ended."""

    @property
    def needs(self) -> tuple[str, ...]:
        """Names of the checks without which, if they find an error, this one is of no use."""

    def run(self) -> Finding:
        """Look.

        Returns:
            What was found; whatever is wrong with the machine is a finding and not an exception.

        Raises:
            StsegError: something of this package is at fault; the caller makes a finding of it.
        """


def finding_of_error(error: StsegError, advice: str = '') -> Finding:
    """Make a finding of an error for users.

    Args:
        error: what was raised; what follows its last semicolon is taken for the advice.
        advice: what to do where the error does not say.

    Returns:
        The finding, an error.
    """
    what, _, how = str(error).rpartition('; ')
    if not what:
        return Finding(status=Status.ERROR, summary=str(error), advice=advice)
    return Finding(status=Status.ERROR, summary=what, advice=how)
