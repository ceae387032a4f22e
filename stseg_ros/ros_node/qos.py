"""QoS that users may override by parameter, as all standard image nodes allow."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rclpy.exceptions import ParameterException
from rclpy.qos_overriding_options import QoSOverridingOptions

from stseg_ros.errors import ConfigError


def overridable() -> QoSOverridingOptions:
    """Let ``qos_overrides`` parameters set history, depth and reliability."""
    return QoSOverridingOptions.with_default_policies()


@contextmanager
def override_errors(topic: str) -> Iterator[None]:
    """Name the topic whose override rclpy refuses.

    Args:
        topic: the topic, for the message.

    Raises:
        ConfigError: the publisher or subscription cannot be made as its overrides ask.
    """
    try:
        yield
    except (RuntimeError, ValueError, ParameterException) as err:
        raise ConfigError(f'{topic}: {err}; look at its qos_overrides parameters') from err
