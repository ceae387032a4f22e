"""Tests of a running node: what comes out of it, and its live parameters."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip('rclpy', reason='needs rclpy, from a ROS installation or its wheels')

from sensor_msgs.msg import Image
from support.ros_segmenter import (
    Client,
    free_domain_id,
    mask_pixels,
    rgb_image,
    running_segmenter,
    stamp_ns_of,
    values,
)

pytestmark = pytest.mark.ros

STAGES = ('decode', 'preprocess', 'coarse', 'select', 'refine', 'fuse', 'encode')


def red_block(size_hw: tuple[int, int] = (128, 256), red: int = 100) -> np.ndarray:
    """Draw a red block of half the height and width on black, in RGB."""
    height, width = size_hw
    image = np.zeros((height, width, 3), np.uint8)
    image[height // 4 : height * 3 // 4, width // 4 : width * 3 // 4, 0] = red
    return image


@pytest.fixture(scope='module')
def client(tmp_path_factory: pytest.TempPathFactory, tiny_bundle: Path) -> Iterator[Client]:
    # All 16 regions are refined, so that the mask is exact: the tiny network sees single pixels.
    with running_segmenter(
        tmp_path_factory.mktemp('node'),
        free_domain_id(0),
        bundle=tiny_bundle,
        regions=16,
        precision='float32',
    ) as (_, client):
        client.meet()
        yield client


@pytest.fixture(autouse=True)
def settings_as_started(client: Client) -> None:
    result = client.set_parameters(regions=16, threshold=-1.0, refine_below=1.0)
    assert result.successful


def test_the_mask_is_right_and_bears_the_images_header(client: Client) -> None:
    message = rgb_image(red_block())
    mask = client.segment(message)
    np.testing.assert_array_equal(mask_pixels(mask) > 0, red_block()[..., 0] > 0)
    assert stamp_ns_of(mask) == stamp_ns_of(message)
    assert mask.header.frame_id == 'camera_left'
    assert set(np.unique(mask_pixels(mask))) == {0, 255}


@pytest.mark.parametrize('size_hw', [(128, 256), (375, 1242), (61, 33), (720, 1280)], ids=str)
def test_the_mask_has_the_images_size_when_it_changes(
    client: Client, size_hw: tuple[int, int]
) -> None:
    image = red_block(size_hw)
    mask = mask_pixels(client.segment(rgb_image(image)))
    assert mask.shape == size_hw
    assert mask[size_hw[0] // 2, size_hw[1] // 2] == 255
    assert (mask > 0).mean() == pytest.approx((image[..., 0] > 0).mean(), abs=0.05)


def test_every_mask_has_a_timing(client: Client) -> None:
    stamp_ns = stamp_ns_of(client.segment(rgb_image(red_block())))
    client.wait_until(lambda: stamp_ns in client.timings, 'its timing')
    message = client.timings[stamp_ns]
    assert message.header.frame_id == 'camera_left'
    (status,) = message.status
    assert status.name == '/segmenter: frame timing'
    numbers = {key: float(value) for key, value in values(status).items()}
    stages_ms = sum(numbers[f'{stage}_ms'] for stage in STAGES)
    assert numbers['total_ms'] == pytest.approx(stages_ms, abs=0.01)
    assert numbers['node_ms'] > numbers['total_ms']
    assert numbers['queue_ms'] >= 0
    assert numbers['regions'] == 16
    assert numbers['frame'] >= 1


def test_confidence_comes_while_subscribed(client: Client) -> None:
    received: list[Image] = []
    subscription = client.node.create_subscription(Image, 'confidence', received.append, 10)
    client.wait_until(lambda: client.node.count_publishers('confidence'), 'the publisher')

    def answered() -> bool:
        client.segment(rgb_image(red_block(red=100)))
        return bool(received)

    client.wait_until(answered, 'a confidence image')
    client.node.destroy_subscription(subscription)
    pixels = mask_pixels(received[-1])
    assert stamp_ns_of(received[-1]) in client.masks
    # The tiny network's logit is 8 (R - G) / 255; black has probability one half.
    vehicle = 255 / (1 + math.exp(-8 * 100 / 255))
    assert pixels[64, 128] == round(vehicle)
    assert pixels[0, 0] in (127, 128)


def test_overlay_comes_while_subscribed(client: Client) -> None:
    received: list[Image] = []
    subscription = client.node.create_subscription(Image, 'overlay', received.append, 10)
    client.wait_until(lambda: client.node.count_publishers('overlay'), 'the publisher')
    image = red_block()
    image[..., 2] = 90

    def answered() -> bool:
        client.segment(rgb_image(image))
        return bool(received)

    client.wait_until(answered, 'an overlay')
    client.node.destroy_subscription(subscription)
    message = received[-1]
    assert (message.encoding, message.step) == ('bgr8', 3 * 256)
    assert stamp_ns_of(message) in client.masks
    overlay_hwc = np.frombuffer(message.data, np.uint8).reshape(128, 256, 3)
    # Inside a region and outside the vehicle the image shows, in BGR; the vehicle is tinted.
    np.testing.assert_array_equal(overlay_hwc[16, 16], [90, 0, 0])
    assert (overlay_hwc[56, 120] != [90, 0, 100]).all()


def test_parameters_take_effect_while_running(client: Client) -> None:
    assert client.set_parameters(regions=0).successful
    stamp_ns = stamp_ns_of(client.segment(rgb_image(red_block())))
    client.wait_until(lambda: stamp_ns in client.timings, 'its timing')
    assert values(client.timings[stamp_ns].status[0])['regions'] == '0'

    # The vehicle's probability is 1 / (1 + exp(-3.137)) = 0.958.
    assert client.set_parameters(regions=16, threshold=0.97).successful
    assert not mask_pixels(client.segment(rgb_image(red_block()))).any()
    assert client.set_parameters(threshold=0.95).successful
    assert mask_pixels(client.segment(rgb_image(red_block()))).any()


@pytest.mark.parametrize(
    ('changes', 'reason'),
    [
        ({'regions': 17}, 'at most 16'),
        ({'regions': -2}, 'regions out of range'),
        ({'regions': 2.0}, 'Wrong parameter type'),
        ({'threshold': 1.5}, 'threshold out of range'),
        ({'threshold': 0.0}, 'threshold is 0.0; expected above 0 and below 1'),
        ({'fusion': 'glue'}, "fusion is 'glue'; expected one of"),
        ({'bundle': 'other'}, 'read-only parameter: bundle'),
    ],
    ids=str,
)
def test_wrong_parameters_are_refused(
    client: Client, changes: dict[str, object], reason: str
) -> None:
    result = client.set_parameters(**changes)
    assert not result.successful
    assert reason in result.reason


def test_parameters_are_set_all_or_none(client: Client) -> None:
    result = client.set_parameters(regions=3, fusion='glue')
    assert not result.successful
    stamp_ns = stamp_ns_of(client.segment(rgb_image(red_block())))
    client.wait_until(lambda: stamp_ns in client.timings, 'its timing')
    assert values(client.timings[stamp_ns].status[0])['regions'] == '16'


def test_a_flood_is_dropped_and_counted(client: Client) -> None:
    # All forty together fit the shared memory, so that the transport loses none.
    image = rgb_image(cv2.resize(red_block(), (400, 240)))
    stamps_ns = [client.publish(image) for _ in range(40)]
    client.wait_until(lambda: stamps_ns[-1] in client.masks, 'the newest mask')

    def settled(_: object, pairs: dict[str, str]) -> bool:
        count = {key: int(value) for key, value in pairs.items() if value.isdigit()}
        accounted = count['masks_published'] + count['frames_dropped'] + count['frames_bad']
        return count['frames_received'] == accounted

    pairs = client.wait_for_status(settled, 'counts that add up')
    # Of so quick a burst the subscription itself may replace the most.
    assert int(pairs['frames_dropped']) + int(pairs['frames_lost']) > 0
    masks = [stamp_ns for stamp_ns in client.masks if stamp_ns in stamps_ns]
    assert masks == sorted(masks)
    assert len(masks) < len(stamps_ns)
