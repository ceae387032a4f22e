"""Who gives the simulated time."""

from __future__ import annotations

import time

from stseg_ros.ros_node.bag_node import plain_node

_POLL_S = 0.1


def clock_publishers(look_s: float) -> list[str]:
    """Look who publishes /clock.

    Args:
        look_s: how long; processes find each other within seconds, not at once.

    Returns:
        Full names of the nodes, sorted.
    """
    deadline_s = time.monotonic() + look_s
    with plain_node('stseg_doctor') as node:
        while True:
            found = node.get_publishers_info_by_topic('/clock')
            # All of the time: a second publisher may be found later than the first.
            if time.monotonic() > deadline_s:
                names = (f'{info.node_namespace.rstrip("/")}/{info.node_name}' for info in found)
                return sorted(names)
            time.sleep(_POLL_S)
