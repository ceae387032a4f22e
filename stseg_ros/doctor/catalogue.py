"""All checks, in the order in which they are made."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from stseg_ros.doctor.backend_check import AUTO, BACKENDS, BackendCheck
from stseg_ros.doctor.bundle_check import BundleCheck
from stseg_ros.doctor.cache_check import CacheCheck
from stseg_ros.doctor.clock import ClockCheck
from stseg_ros.doctor.finding import Check
from stseg_ros.doctor.kernel import KernelCheck
from stseg_ros.doctor.numpy_check import NumpyCheck
from stseg_ros.doctor.ros_check import RosCheck
from stseg_ros.doctor.shared_memory import SharedMemoryCheck
from stseg_ros.doctor.sim_time_check import SimTimeCheck
from stseg_ros.doctor.transport_check import TransportCheck
from stseg_ros.errors import ConfigError


def all_checks(bundle: str | None = None) -> dict[str, Check]:
    """Make the checks; nothing is looked at yet.

    Args:
        bundle: a shipped name or a folder; None takes the default bundle.

    Returns:
        The checks by name.
    """
    checks: list[Check] = [
        RosCheck(),
        TransportCheck(),
        SharedMemoryCheck(),
        KernelCheck(),
        NumpyCheck(),
        BundleCheck(bundle=bundle),
        CacheCheck(),
        *(BackendCheck(backend=backend, bundle=bundle) for backend in (AUTO, *BACKENDS)),
        ClockCheck(),
        SimTimeCheck(),
    ]
    return {check.name: check for check in checks}


def choose(checks: dict[str, Check], names: Sequence[str]) -> list[Check]:
    """Take the checks that were named.

    Args:
        checks: all of them.
        names: names, or their beginnings before an underscore: 'backend' is all backends. None
            means all.

    Returns:
        The chosen ones, in their own order.

    Raises:
        ConfigError: there is no check of a name.
    """
    chosen = set()
    for name in names:
        found = {known for known in checks if known == name or known.startswith(f'{name}_')}
        if not found:
            close = difflib.get_close_matches(name, checks, n=1)
            advice = f'did you mean {close[0]}?' if close else f'known are {", ".join(checks)}'
            raise ConfigError(f'there is no check {name!r}; {advice}')
        chosen |= found
    return [check for name, check in checks.items() if not names or name in chosen]
