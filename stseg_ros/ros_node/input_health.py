"""Why no image arrives: the topic, its publishers, their QoS, and the transport."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any

from rclpy.qos import QoSCompatibility, QoSProfile, ReliabilityPolicy, qos_check_compatible
from rclpy.utilities import get_rmw_implementation_identifier

from stseg_ros.locations import data_file
from stseg_ros.ros_node.transport import PROFILE, profile_variable

if TYPE_CHECKING:
    from rclpy.node import Node

RAW = 'sensor_msgs/msg/Image'
COMPRESSED = 'sensor_msgs/msg/CompressedImage'
_TRANSPORT_OF_TYPE = {RAW: 'raw', COMPRESSED: 'compressed'}


def explain_silence(node: Node, topic: str, message_type: str, qos: QoSProfile) -> str:
    """Say why a subscription hears nothing.

    Args:
        node: the node that subscribes.
        topic: the topic's full name.
        message_type: its expected type, `RAW` or `COMPRESSED`.
        qos: what the subscription asks for.

    Returns:
        One line: the likeliest cause and what to do.
    """
    publishers = node.get_publishers_info_by_topic(topic)
    if not publishers:
        return f'nobody publishes {topic}; {_other_image_topics(node, topic, message_type)}'
    fitting = [info for info in publishers if info.topic_type == message_type]
    if not fitting:
        found = publishers[0].topic_type
        advice = (
            f'start the node with transport:={_TRANSPORT_OF_TYPE[found]} and image remapped to it'
            if found in _TRANSPORT_OF_TYPE
            else 'remap image to an image topic'
        )
        return f'{topic} carries {found}, expected {message_type}; {advice}'
    refused = [(info, _refusal(info.qos_profile, qos)) for info in fitting]
    heard = [info for info, reason in refused if not reason]
    if not heard:
        info, reason = refused[0]
        return (
            f'the QoS of {_name(info)} on {topic} does not fit ours: {reason}; it offers '
            f'{_describe(info.qos_profile)}, we ask for {_describe(qos)}: '
            f'{_mending(topic, info.qos_profile, qos)}'
        )
    names = ', '.join(sorted({_name(info) for info in heard}))
    return (
        f'{names} publishes {topic} with a fitting QoS ({_describe(heard[0].qos_profile)}) but '
        f'sends nothing, or its images are lost{_lost_hint(topic, qos)}'
    )


def explain_loss(topic: str, qos: QoSProfile) -> str:
    """Say how images got lost, and what keeps large ones from it.

    Args:
        topic: the topic's full name.
        qos: what the subscription asks for.

    Returns:
        One line.
    """
    return (
        f'images of {topic} did not reach this node: newer ones replaced them while it was too '
        'busy to take them, which fewer images or regions mend, or the transport lost '
        f'them{_lost_hint(topic, qos)}'
    )


def _name(info: Any) -> str:
    return f'{info.node_namespace.rstrip("/")}/{info.node_name}'


def _refusal(offered: QoSProfile, asked: QoSProfile) -> str:
    """Return why DDS does not connect the two, or nothing where it does."""
    compatibility, reason = qos_check_compatible(offered, asked)
    return reason.strip(' ;') if compatibility == QoSCompatibility.ERROR else ''


def _describe(qos: QoSProfile) -> str:
    return f'{_word(qos.reliability)}, {_word(qos.durability)}'


def _word(policy: Any) -> str:
    return str(policy.name).lower()


def _mending(topic: str, offered: QoSProfile, asked: QoSProfile) -> str:
    """Name the parameter that makes the two fit; only what we ask for can be changed from here."""
    parameter = f'qos_overrides.{topic}.subscription.reliability'
    if (
        asked.reliability == ReliabilityPolicy.RELIABLE
        and offered.reliability == ReliabilityPolicy.BEST_EFFORT
    ):
        return f'set the parameter {parameter} to best_effort'
    return 'change it in the publisher, or with its own qos_overrides parameters'


def _lost_hint(topic: str, qos: QoSProfile) -> str:
    """Tell how large images get lost, where that can be the cause."""
    if not get_rmw_implementation_identifier().startswith('rmw_fastrtps'):
        return ''
    hint = (
        ': give the process that publishes them '
        f'{profile_variable()}={data_file(PROFILE) or "stseg_ros/" + PROFILE}'
    )
    if qos.reliability != ReliabilityPolicy.RELIABLE:
        hint += (
            f', or set the parameter qos_overrides.{topic}.subscription.reliability to reliable'
        )
    return f'{hint}; FASTDDS_BUILTIN_TRANSPORTS must be the same on both sides'


def _other_image_topics(node: Node, topic: str, message_type: str) -> str:
    """Advise on the image topics that there are."""
    topics = {
        name: types
        for name, types in sorted(node.get_topic_names_and_types())
        if name != topic
        and set(types) & set(_TRANSPORT_OF_TYPE)
        and node.count_publishers(name)
        and not _is_ours(node, name)
    }
    if not topics:
        return 'no image topic is published at all: start the camera or play a bag'
    if (compressed := f'{topic}/compressed') in topics:
        return f'but {compressed} is there: start the node with transport:=compressed'
    raw = topic.removesuffix('/compressed')
    if RAW in topics.get(raw, ()):
        return f'but {raw} is there: start the node with transport:=raw'
    advice = f'image topics there are: {", ".join(topics)}; remap image to one of them'
    fitting = [name for name, types in topics.items() if message_type in types]
    closest = difflib.get_close_matches(topic, fitting, n=1, cutoff=0.0)
    return advice + ''.join(f', as image:={name}' for name in closest)


def _is_ours(node: Node, topic: str) -> bool:
    # Segmenters of other cameras have this name in other namespaces.
    return all(
        info.node_name == node.get_name() for info in node.get_publishers_info_by_topic(topic)
    )
