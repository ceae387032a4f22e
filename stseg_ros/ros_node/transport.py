"""Fast DDS for cameras: large images get through, and processes find each other at once."""

from __future__ import annotations

import os
from collections.abc import Mapping
from importlib import metadata

from stseg_ros.locations import data_file

PROFILE = 'config/fastdds.xml'
_VARIABLE = 'FASTDDS_DEFAULT_PROFILES_FILE'
_VARIABLE_BEFORE_KILTED = 'FASTRTPS_DEFAULT_PROFILES_FILE'
_BUILTIN_TRANSPORTS = 'FASTDDS_BUILTIN_TRANSPORTS'
_RCLPY_MAJOR_OF_KILTED = 9


def large_image_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Find the variables that make Fast DDS use our profile.

    The profile reaches processes that use Fast DDS as it comes. ``LARGE_DATA`` does not: a process
    that has it and one that has not exchange no message of any size.

    Args:
        environ: the process's environment.

    Returns:
        Variables to add; none where the user has chosen a profile or transports already.
    """
    chosen = (_VARIABLE, _VARIABLE_BEFORE_KILTED, _BUILTIN_TRANSPORTS)
    profile = data_file(PROFILE)
    if profile is None or any(environ.get(name) for name in chosen):
        return {}
    return {profile_variable(): str(profile)}


def profile_variable() -> str:
    """Name the variable from which this distribution's Fast DDS takes its profiles."""
    major = int(metadata.version('rclpy').split('.')[0])
    return _VARIABLE if major >= _RCLPY_MAJOR_OF_KILTED else _VARIABLE_BEFORE_KILTED


def use_large_image_transport() -> None:
    """Set those variables for this process; call it before `rclpy.init`."""
    os.environ.update(large_image_environment(os.environ))
