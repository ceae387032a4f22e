"""Whether a bag or a simulator gives the time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from stseg_ros.doctor.finding import Finding, Status

_LOOK_S = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SimTimeCheck:
    """Looks who publishes /clock.

    Attributes:
        look_s: how long; processes find each other within seconds, not at once.
    """

    name: ClassVar[str] = 'sim_time'
    title: ClassVar[str] = (
        'whether something publishes /clock, which nodes may take their time from'
    )
    limit_s: ClassVar[float] = 40.0
    needs: ClassVar[tuple[str, ...]] = ('ros',)

    look_s: float = _LOOK_S

    def run(self) -> Finding:
        """Look.

        Returns:
            A warning where several publish it.
        """
        try:
            from stseg_ros.ros_node import doctor_sim_time
        except ImportError as err:
            return Finding(status=Status.SKIPPED, summary=f'no ROS 2 in this Python ({err})')
        return judge(doctor_sim_time.clock_publishers(self.look_s))


def judge(publishers: Sequence[str]) -> Finding:
    """Say what the publishers of /clock mean for the nodes.

    Args:
        publishers: their full names.

    Returns:
        The finding.
    """
    details = {'publishers': list(publishers)}
    names = ', '.join(publishers)
    if not publishers:
        return Finding(
            status=Status.OK,
            summary='nobody publishes /clock: leave use_sim_time false',
            details=details,
        )
    if len(publishers) == 1:
        return Finding(
            status=Status.OK,
            summary=f'{names} publishes /clock',
            advice='start nodes with use_sim_time:=true while it does, and the camera without',
            details=details,
        )
    return Finding(
        status=Status.WARNING,
        summary=f'{len(publishers)} publish /clock: {names}',
        advice='end all but one, or time jumps between them',
        details=details,
    )
