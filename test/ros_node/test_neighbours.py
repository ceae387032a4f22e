"""Tests of what other programs get from a running node, and of the rights it needs."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

pytest.importorskip('rclpy', reason='needs rclpy, from a ROS installation or its wheels')

import rclpy
from rclpy.qos import DurabilityPolicy, QoSProfile
from sensor_msgs.msg import CompressedImage, Image
from support.ros_segmenter import (
    CHECKOUT,
    Client,
    free_domain_id,
    mask_pixels,
    rgb_image,
    running_segmenter,
)
from support.security_policy import read_policy

from stseg_ros.ros_node.outputs import Outputs

pytestmark = pytest.mark.ros

# The node's own Python path, with whatever offers vision_msgs here.
PATH = os.pathsep.join(
    [str(CHECKOUT), str(CHECKOUT / 'test'), *filter(None, [os.environ.get('PYTHONPATH')])]
)
NODE = 'segmenter'
NAMESPACE = '/'
# Topics of packages that not every machine has, and a service that Humble has not yet.
OPTIONAL = {'vehicles', 'label_info', 'regions', '~/get_type_description'}


@pytest.fixture(scope='module')
def client(tmp_path_factory: pytest.TempPathFactory, tiny_bundle: Path) -> Iterator[Client]:
    with running_segmenter(
        tmp_path_factory.mktemp('node'),
        free_domain_id(51),
        bundle=tiny_bundle,
        regions=16,
        precision='float32',
        vehicle_min_pixels=100,
        environment={'PYTHONPATH': PATH},
    ) as (_, client):
        client.meet()
        yield client


def scene() -> Image:
    """Draw three red blocks on black, one of them small."""
    pixels_hwc = np.zeros((128, 256, 3), np.uint8)
    pixels_hwc[16:48, 32:96, 0] = 100
    pixels_hwc[64:112, 160:240, 0] = 100
    pixels_hwc[100:104, 20:24, 0] = 100
    return rgb_image(pixels_hwc)


def ask(client: Client, subscriptions: dict[str, type]) -> tuple[Image, dict[str, Any]]:
    """Subscribe, send scenes until each topic has told of the same one, and unsubscribe.

    Returns:
        The mask of that scene, and the message on each topic.
    """
    received: dict[str, dict[tuple[int, int], Any]] = {topic: {} for topic in subscriptions}

    def keep(topic: str) -> Callable[[Any], None]:
        def callback(message: Any) -> None:
            stamp = message.header.stamp
            received[topic][stamp.sec, stamp.nanosec] = message

        return callback

    made = [
        client.node.create_subscription(kind, topic, keep(topic), 10)
        for topic, kind in subscriptions.items()
    ]
    common: set[tuple[int, int]] = set()
    mask = Image()

    def answered() -> bool:
        nonlocal mask
        mask = client.segment(scene())
        common.update(set.intersection(*(set(messages) for messages in received.values())))
        return bool(common)

    try:
        client.wait_until(answered, f'one scene on each of {", ".join(subscriptions)}')
    finally:
        for subscription in made:
            client.node.destroy_subscription(subscription)
    stamp = min(common)
    mask = client.masks[stamp[0] * 1_000_000_000 + stamp[1]]
    return mask, {topic: messages[stamp] for topic, messages in received.items()}


def test_one_frame_has_one_header_and_size_on_all_topics(client: Client) -> None:
    kinds = {'labels': Image, 'confidence': Image, 'mask/compressed': CompressedImage}
    mask, messages = ask(client, kinds)
    assert mask.header.frame_id == 'camera_left'
    assert all(message.header == mask.header for message in messages.values())
    mask_hw = mask_pixels(mask)
    np.testing.assert_array_equal(mask_pixels(messages['labels']), mask_hw // 255)
    assert mask_pixels(messages['confidence']).shape == mask_hw.shape
    png = np.frombuffer(messages['mask/compressed'].data, np.uint8)
    np.testing.assert_array_equal(cv2.imdecode(png, cv2.IMREAD_UNCHANGED), mask_hw)


def test_vehicles_are_boxes(client: Client) -> None:
    vision_msgs = pytest.importorskip('vision_msgs.msg')
    mask, messages = ask(client, {'vehicles': vision_msgs.Detection2DArray})
    found = messages['vehicles']
    assert found.header == mask.header
    boxes = []
    for detection in found.detections:
        centre, box = detection.bbox.center.position, detection.bbox
        boxes.append((centre.x, centre.y, box.size_x, box.size_y))
        assert detection.results[0].hypothesis.class_id == '1'
        assert 0.5 < detection.results[0].hypothesis.score <= 1.0
    assert boxes == [(200.0, 88.0, 80.0, 48.0), (64.0, 32.0, 64.0, 32.0)]


def test_whoever_comes_late_learns_the_names_of_the_labels(client: Client) -> None:
    vision_msgs = pytest.importorskip('vision_msgs.msg')
    received: list[Any] = []
    latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
    subscription = client.node.create_subscription(
        vision_msgs.LabelInfo, 'label_info', received.append, latched
    )
    try:
        client.wait_until(lambda: received, 'the names')
        (message,) = received
        named = [(entry.class_id, entry.class_name) for entry in message.class_map]
        assert named == [(0, 'background'), (1, 'vehicle')]
        assert message.threshold == 0.5
        assert client.set_parameters(threshold=0.75).successful
        client.segment(scene())
        client.wait_until(lambda: len(received) == 2, 'the new threshold')
        assert received[1].threshold == 0.75
    finally:
        client.node.destroy_subscription(subscription)
        client.set_parameters(threshold=-1.0)


def test_regions_are_lines_in_the_image(client: Client) -> None:
    visualization_msgs = pytest.importorskip('visualization_msgs.msg')
    mask, messages = ask(client, {'regions': visualization_msgs.ImageMarker})
    marker = messages['regions']
    assert marker.header == mask.header
    # Sixteen cells in four rows and columns cover the image.
    assert len(marker.points) == 16 * 8
    assert {point.x for point in marker.points} == {0.0, 64.0, 128.0, 192.0, 256.0}
    assert {point.y for point in marker.points} == {0.0, 32.0, 64.0, 96.0, 128.0}


def test_a_remapping_of_mask_moves_its_compressed_form_along() -> None:
    context = rclpy.Context()
    rclpy.init(context=context, domain_id=free_domain_id(53))
    try:
        remapping = ['--ros-args', '-r', 'mask:=/roof/cars']
        node = rclpy.create_node('segmenter', context=context, cli_args=remapping)
        outputs = Outputs(node)
        topics = {publisher.topic_name for publisher in node.publishers}
        outputs.destroy()
        node.destroy_node()
    finally:
        rclpy.shutdown(context=context)
    assert {'/roof/cars', '/roof/cars/compressed', '/labels'} <= topics


def test_the_security_policy_allows_what_the_node_does_and_no_more(
    client: Client, tmp_path: Path, tiny_bundle: Path
) -> None:
    here = rights_used(client, {'/image'})
    with running_segmenter(
        tmp_path,
        free_domain_id(52),
        bundle=tiny_bundle,
        transport='compressed',
        use_sim_time=True,
        environment={'PYTHONPATH': PATH},
    ) as (process, other):
        process.wait_for_log('segmenting /image/compressed')
        also = rights_used(other, {'/image/compressed', '/clock'})
    allowed = read_policy()
    assert here[1] | also[1] == allowed.subscribe
    for published, _, served in (here, also):
        assert needed(allowed.publish) <= published <= allowed.publish
        assert needed(allowed.reply) <= served <= allowed.reply
    assert not allowed.request


def rights_used(client: Client, listens: set[str]) -> tuple[set[str], set[str], set[str]]:
    """List the topics that the node publishes and subscribes to, and its services."""
    allowed, node = read_policy(), client.node
    graph: list[set[str]] = []

    def known() -> bool:
        """Look again: one look does not yet find all that there is."""
        graph[:] = [
            {name for name, _ in of(NODE, NAMESPACE)}
            for of in (
                node.get_publisher_names_and_types_by_node,
                node.get_subscriber_names_and_types_by_node,
                node.get_service_names_and_types_by_node,
                node.get_client_names_and_types_by_node,
            )
        ]
        published, subscribed, served, _ = graph
        return (
            needed(allowed.publish) <= published
            and needed(allowed.reply) <= served
            and listens <= subscribed
        )

    client.wait_until(known, 'all that the policy allows')
    published, subscribed, served, requested = graph
    assert not requested
    return published, subscribed, served


def needed(allowed: set[str]) -> set[str]:
    """Leave out what some machines have not."""
    return allowed - {f'/{name.replace("~", NODE)}' for name in OPTIONAL}
