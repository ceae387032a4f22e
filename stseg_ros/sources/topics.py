"""Names of topics that belong to one camera."""

from __future__ import annotations

import re

from stseg_ros.errors import ConfigError

_TOPIC = re.compile(r'(/[A-Za-z_][A-Za-z0-9_]*)+')
_COMPRESSED = '/compressed'


def check_topic(topic: str) -> str:
    """Check an absolute topic name.

    Args:
        topic: such as '/camera/image'.

    Returns:
        The topic.

    Raises:
        ConfigError: it is not an absolute ROS topic name.
    """
    if not _TOPIC.fullmatch(topic):
        raise ConfigError(f'topic {topic!r} is not an absolute name such as /camera/image')
    return topic


def compressed_topic(image_topic: str) -> str:
    """Name the compressed form of an image topic, as image_transport does."""
    return image_topic if image_topic.endswith(_COMPRESSED) else image_topic + _COMPRESSED


def beside_image(image_topic: str, name: str) -> str:
    """Name a topic in the namespace of a camera's image topic.

    Args:
        image_topic: raw or compressed, such as '/camera/image/compressed'.
        name: such as 'camera_info'.

    Returns:
        The topic, such as '/camera/camera_info'.
    """
    namespace, _, _ = image_topic.removesuffix(_COMPRESSED).rpartition('/')
    return f'{namespace}/{name}'
