"""Whether ROS 2 is there, of which distribution, and with which middleware."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from stseg_ros.doctor.finding import Finding, Status
from stseg_ros.doctor.probe import Probe, run_probe

_INSTALLATIONS = Path('/opt/ros')
_TIMEOUT_S = 40.0
# Of the distributions that stseg_ros runs on; the first number of rclpy's version.
_DISTRIBUTION_OF_RCLPY = {'3': 'humble', '7': 'jazzy', '9': 'kilted'}


@dataclass(frozen=True, slots=True, kw_only=True)
class RosCheck:
    """Makes a node in another process: rclpy ends the process that asks for a wrong middleware.

    Attributes:
        installations: folder of the ROS 2 installations.
    """

    name: ClassVar[str] = 'ros'
    title: ClassVar[str] = 'rclpy, its distribution, the middleware, the message packages'
    limit_s: ClassVar[float] = 60.0
    needs: ClassVar[tuple[str, ...]] = ()

    installations: Path = _INSTALLATIONS

    def run(self) -> Finding:
        """Make a node.

        Returns:
            A warning without rclpy, for files can be segmented without it; an error where it is
            there and does not work.
        """
        if importlib.util.find_spec('rclpy') is None:
            return _no_rclpy(self.installations)
        probe = run_probe(['-m', 'stseg_ros.ros_node.doctor_ros'], timeout_s=_TIMEOUT_S)
        return judge(probe, os.environ)


def judge(probe: Probe, environ: Mapping[str, str]) -> Finding:
    """Tell from how far the probe came what is amiss.

    Args:
        probe: how it ended.
        environ: the environment it ran in.

    Returns:
        The finding.
    """
    pairs = [text.split(' ', 1) for text in probe.reports]
    reached = {name: value for name, value in pairs if name != 'missing'}
    missing = [value for name, value in pairs if name == 'missing']
    version = reached.get('rclpy', '')
    distribution = _DISTRIBUTION_OF_RCLPY.get(version.split('.')[0], '')
    sourced = environ.get('ROS_DISTRO', '')
    details = {
        **reached,
        'distribution': distribution or sourced,
        'ROS_DISTRO': sourced,
        'RMW_IMPLEMENTATION': environ.get('RMW_IMPLEMENTATION', ''),
        'ROS_DOMAIN_ID': environ.get('ROS_DOMAIN_ID', ''),
        'missing': missing,
        'output': list(probe.output) if probe.failure else [],
    }
    if missing:
        return Finding(
            status=Status.ERROR,
            summary=f'message packages are missing: {", ".join(missing)}',
            advice='rosdep install --from-paths src --ignore-src -y, or `make setup` for wheels',
            details=details,
        )
    if probe.failure or 'node' not in reached:
        return _broken(probe, environ, details)
    named = f' ({distribution})' if distribution else ''
    words = f'rclpy {version}{named}, {reached["rmw"]}'
    if distribution and sourced and sourced != distribution:
        return Finding(
            status=Status.WARNING,
            summary=f'{words}, but the sourced distribution is {sourced}: rclpy is another one, '
            f'{reached["path"]}',
            advice='open a shell without the virtual environment, or without the sourced ROS',
            details=details,
        )
    domain = environ.get('ROS_DOMAIN_ID') or '0'
    return Finding(status=Status.OK, summary=f'{words}, domain {domain}', details=details)


def _no_rclpy(installations: Path) -> Finding:
    found = sorted(path.parent for path in installations.glob('*/setup.bash'))
    if found:
        advice = f'source {found[-1]}/setup.bash and run stseg with the Python of that system'
    else:
        advice = 'to run the node: install ROS 2, or rclpy from wheels with `make setup`'
    return Finding(
        status=Status.WARNING,
        summary='no rclpy in this Python: files and bags can be segmented, the node cannot run',
        advice=advice,
        details={'installations': [str(path) for path in found]},
    )


def _broken(probe: Probe, environ: Mapping[str, str], details: Mapping[str, object]) -> Finding:
    """Advise where rclpy is there and makes no node."""
    # What names the cause is not always the last line.
    telling = [line for line in probe.output if 'Error' in line or 'ERROR' in line]
    reason = ': '.join([probe.failure, *(telling or list(probe.output))[-1:]])
    asked = environ.get('RMW_IMPLEMENTATION', '')
    if asked and any(asked in line or 'rmw' in line.lower() for line in probe.output):
        package = f'ros-{environ.get("ROS_DISTRO") or "DISTRIBUTION"}-{asked.replace("_", "-")}'
        advice = f'unset RMW_IMPLEMENTATION, or sudo apt install {package}'
    elif 'rclpy' not in details:
        advice = (
            "rclpy works only with its own distribution's Python: use that one, or a shell where "
            'no ROS is sourced with `make setup`'
        )
    else:
        advice = (
            'look at ROS_DOMAIN_ID (0 to 232), the Fast DDS profile and the network interfaces'
        )
    return Finding(
        status=Status.ERROR,
        summary=f'rclpy makes no node ({reason})',
        advice=advice,
        details=details,
    )
