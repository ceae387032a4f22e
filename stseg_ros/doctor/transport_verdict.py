"""What the images that came through say of the transport."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from stseg_ros.doctor.finding import Finding, Status

AS_IT_IS = 'as this shell is'
WITH_PROFILE = 'with config/fastdds.xml'
FAST_DDS = 'rmw_fastrtps'
LARGE_DATA = 'FASTDDS_BUILTIN_TRANSPORTS'

# A busy machine loses one now and then, whatever the transport.
_NEARLY_ALL = 0.9


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """What became of the images of one sender.

    Attributes:
        setup: the sender's transport, `AS_IT_IS` or `WITH_PROFILE`.
        sent: images sent, by size such as '1280x720'; empty where the two never met.
        received: images received, by the same sizes.
        carried_by: what carried them; empty where it cannot be told.
        failure: why nothing was sent; empty where it was.
    """

    setup: str
    sent: Mapping[str, int] = field(default_factory=dict)
    received: Mapping[str, int] = field(default_factory=dict)
    carried_by: str = ''
    failure: str = ''

    @property
    def share(self) -> float:
        """Share of the images received, of the size that fared worst; 0 where none was sent."""
        return min((self.received[size] / count for size, count in self.sent.items()), default=0.0)

    def describe(self) -> str:
        """Put it in words."""
        if not self.sent:
            return f'{self.setup}: {self.failure}'
        counts = ', '.join(
            f'{size} {self.received[size]} of {count}' for size, count in self.sent.items()
        )
        carried_by = f' by {self.carried_by}' if self.carried_by else ''
        return f'{self.setup}: {counts}{carried_by}'


@dataclass(frozen=True, slots=True, kw_only=True)
class Transport:
    """What is known of the transport beforehand.

    Attributes:
        rmw: the middleware, such as 'rmw_fastrtps_cpp'.
        profile_setting: 'VARIABLE=path' that gives a process our profile.
        chosen: the variables by which the user has chosen a transport already.
    """

    rmw: str
    profile_setting: str
    chosen: Mapping[str, str]


def judge(deliveries: Sequence[Delivery], transport: Transport) -> Finding:
    """Say whether a camera's images get through, and what to do where they do not.

    Args:
        deliveries: the one as the environment is, then the one with our profile where the two
            differ.
        transport: what is known beforehand.

    Returns:
        The finding.
    """
    plain, best = deliveries[0], deliveries[-1]
    details = {
        'rmw': transport.rmw,
        'chosen': dict(transport.chosen),
        'deliveries': [dataclasses.asdict(delivery) for delivery in deliveries],
    }
    words = '; '.join(delivery.describe() for delivery in deliveries)
    if plain.share == 1.0:
        status, advice = Status.OK, _same_everywhere(transport)
    elif best.share == 1.0:
        status = Status.WARNING
        advice = f'start whatever publishes images with {transport.profile_setting}'
    elif not best.sent:
        status, advice = Status.ERROR, _never_met(transport)
    else:
        status = Status.WARNING if best.share >= _NEARLY_ALL else Status.ERROR
        advice = _lost(transport, has_profile=best.setup == WITH_PROFILE)
        if best.share > plain.share:
            advice = f'better with {transport.profile_setting}; {advice}'
    return Finding(status=status, summary=words, advice=advice, details=details)


def _same_everywhere(transport: Transport) -> str:
    if LARGE_DATA in transport.chosen:
        setting = f'{LARGE_DATA}={transport.chosen[LARGE_DATA]}'
        return f'set {setting} for every process that exchanges images, or they hear nothing'
    return ''


def _never_met(transport: Transport) -> str:
    if transport.chosen:
        return f'try without {" and ".join(transport.chosen)}'
    return (
        'look at ROS_DOMAIN_ID, ROS_LOCALHOST_ONLY, ROS_AUTOMATIC_DISCOVERY_RANGE, a firewall, '
        'and multicast: sudo ip link set lo multicast on'
    )


def _lost(transport: Transport, *, has_profile: bool) -> str:
    ways = 'let the driver publish compressed or reliably'
    if not transport.rmw.startswith(FAST_DDS):
        return f'give {transport.rmw} larger receive buffers, see the check kernel; {ways}'
    if has_profile:
        return f'see the check shared_memory; run this again when the machine is idle; {ways}'
    return f'try without {" and ".join(transport.chosen) or "your own profile"}; {ways}'
