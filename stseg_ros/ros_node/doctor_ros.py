"""Uses rclpy as far as to make a node, and reports each step; see `stseg_ros.doctor.ros_check`."""

from __future__ import annotations

import importlib.util
import sys
from importlib import metadata

import rclpy
from rclpy.utilities import get_rmw_implementation_identifier

from stseg_ros.doctor.probe import report
from stseg_ros.ros_node.bag_node import plain_node

MESSAGES = (
    'diagnostic_msgs',
    'lifecycle_msgs',
    'rcl_interfaces',
    'rosgraph_msgs',
    'sensor_msgs',
    'std_msgs',
)


def main() -> int:
    """Take the steps; whichever does not work ends this process in its own way.

    Returns:
        0.
    """
    report(f'rclpy {metadata.version("rclpy")}')
    report(f'path {rclpy.__file__}')
    report(f'rmw {get_rmw_implementation_identifier()}')
    for package in MESSAGES:
        if importlib.util.find_spec(package) is None:
            report(f'missing {package}')
    with plain_node('stseg_doctor') as node:
        report(f'node {node.get_name()}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
