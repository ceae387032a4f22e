"""Tests that an image a running node cannot use costs only itself, and is named."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip('rclpy', reason='needs rclpy, from a ROS installation or its wheels')

from sensor_msgs.msg import CompressedImage, Image
from support.ros_segmenter import (
    Client,
    SegmenterProcess,
    free_domain_id,
    mask_pixels,
    rgb_image,
    running_segmenter,
)

pytestmark = pytest.mark.ros

HEIGHT, WIDTH = 64, 96
RED = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
RED[16:48, 24:72, 0] = 200


@pytest.fixture(scope='module')
def raw_node(
    tmp_path_factory: pytest.TempPathFactory, tiny_bundle: Path
) -> Iterator[tuple[SegmenterProcess, Client]]:
    with running_segmenter(
        tmp_path_factory.mktemp('raw'),
        free_domain_id(1),
        bundle=tiny_bundle,
        regions=16,
        log_throttle_s=0.0,
    ) as (process, client):
        client.meet()
        yield process, client


@pytest.fixture(scope='module')
def compressed_node(
    tmp_path_factory: pytest.TempPathFactory, tiny_bundle: Path
) -> Iterator[tuple[SegmenterProcess, Client]]:
    with running_segmenter(
        tmp_path_factory.mktemp('compressed'),
        free_domain_id(2),
        bundle=tiny_bundle,
        regions=16,
        transport='compressed',
    ) as (process, client):
        client.camera = client.node.create_publisher(CompressedImage, 'image/compressed', 10)
        client.wait_until(client.camera.get_subscription_count, 'the subscription')
        yield process, client


def with_padded_rows() -> Image:
    padded = np.full((HEIGHT, 3 * WIDTH + 20), 255, np.uint8)
    padded[:, : 3 * WIDTH] = RED.reshape(HEIGHT, -1)
    message = rgb_image(RED)
    message.step = padded.shape[1]
    message.data = padded.tobytes()
    return message


def with_16_bits(big_endian: bool) -> Image:
    message = rgb_image(RED)
    samples = (RED.astype(np.uint16) * 256 + 13).astype('>u2' if big_endian else '<u2')
    message.encoding, message.is_bigendian = 'rgb16', int(big_endian)
    message.step, message.data = 6 * WIDTH, samples.tobytes()
    return message


def as_bgra() -> Image:
    message = rgb_image(RED)
    message.encoding, message.step = 'bgra8', 4 * WIDTH
    message.data = cv2.cvtColor(RED, cv2.COLOR_RGB2BGRA).tobytes()
    return message


@pytest.mark.parametrize(
    'make',
    [with_padded_rows, lambda: with_16_bits(False), lambda: with_16_bits(True), as_bgra],
    ids=['padded step', '16-bit', '16-bit big-endian', 'bgra8'],
)
def test_unusual_images_give_the_same_mask(
    raw_node: tuple[SegmenterProcess, Client], make: Callable[[], Image]
) -> None:
    _, client = raw_node
    usual = mask_pixels(client.segment(rgb_image(RED)))
    assert usual[32, 48] == 255
    np.testing.assert_array_equal(mask_pixels(client.segment(make())), usual)


def changed(**fields: object) -> Callable[[], Image]:
    def make() -> Image:
        message = rgb_image(RED)
        for name, value in fields.items():
            setattr(message, name, value)
        return message

    return make


@pytest.mark.parametrize(
    ('make', 'reason'),
    [
        (changed(encoding='rgb9'), "encoding 'rgb9' is not supported"),
        (changed(encoding=''), "encoding '' is not supported"),
        (changed(encoding='bgra8'), 'step is 288 bytes, expected 384 or more'),
        (changed(data=RED.tobytes()[:-1]), 'is truncated: expected 18432 bytes, got 18431'),
        (changed(data=b''), 'is truncated: expected 18432 bytes, got 0'),
        (changed(height=0, data=b''), 'has no pixels'),
        (changed(step=0), 'step is 0 bytes'),
    ],
    ids=['unknown', 'empty', 'wrong encoding', 'truncated', 'no data', 'no rows', 'no step'],
)
def test_a_bad_image_costs_only_itself(
    raw_node: tuple[SegmenterProcess, Client], make: Callable[[], Image], reason: str
) -> None:
    process, client = raw_node
    seen = len(client.statuses)
    bad_ns = client.publish(make())
    process.wait_for_log(reason)
    client.segment(rgb_image(RED))
    assert bad_ns not in client.masks
    assert process.process.poll() is None

    def named() -> bool:
        return any(
            status.level == status.WARN and reason in status.message
            for status in client.statuses[seen:]
        )

    client.wait_until(named, 'a warning on /diagnostics')


def jpeg(quality: int = 95) -> bytes:
    good, data = cv2.imencode(
        '.jpg', cv2.cvtColor(RED, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality]
    )
    assert good
    return data.tobytes()


def test_compressed_images_are_segmented(
    compressed_node: tuple[SegmenterProcess, Client],
) -> None:
    _, client = compressed_node
    mask = mask_pixels(client.segment(CompressedImage(format='jpeg', data=jpeg())))
    assert mask.shape == (HEIGHT, WIDTH)
    # JPEG blurs colours at edges by some pixels; the block's inside and the far outside are sure.
    assert (mask[24:40, 32:64] == 255).all()


@pytest.mark.parametrize(
    ('data', 'reason'),
    [
        (jpeg()[:-200], 'jpeg image is truncated'),
        (b'\xff\xd8\xff' + bytes(500), 'jpeg image is corrupt'),
        (b'GIF89a' + bytes(20), 'neither JPEG nor PNG'),
        (b'', 'neither JPEG nor PNG'),
    ],
    ids=['truncated', 'corrupt', 'other format', 'empty'],
)
def test_a_bad_compressed_image_costs_only_itself(
    compressed_node: tuple[SegmenterProcess, Client], data: bytes, reason: str
) -> None:
    process, client = compressed_node
    bad_ns = client.publish(CompressedImage(format='jpeg', data=data))
    process.wait_for_log(reason)
    client.segment(CompressedImage(format='jpeg', data=jpeg()))
    assert bad_ns not in client.masks
