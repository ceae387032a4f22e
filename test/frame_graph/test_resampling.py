"""Tests of resizing inside the graph against OpenCV and against means taken by hand."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto

from stseg_ros.frame_graph.graph_writer import GraphWriter
from stseg_ros.frame_graph.resampling import resize, resize_to_working, shrink_to_coarse
from stseg_ros.pipeline.preprocess import FrameSampler, resize_image

WORKING_HW = (64, 96)
COARSE_HW = (8, 12)

Size = tuple[int, int]


def noise(size_hw: Size) -> np.ndarray:
    return np.random.default_rng(size_hw[0] * size_hw[1]).integers(0, 256, (*size_hw, 3), np.uint8)


def run(
    write: Callable[[GraphWriter, str], str], image_hwc: np.ndarray, size_hw: Size
) -> np.ndarray:
    """Run nodes that turn planes into planes on an image; return the image."""
    height, width = image_hwc.shape[:2]
    graph = GraphWriter()
    planes = graph.input('planes', TensorProto.FLOAT, (1, 3, height, width))
    graph.output('result', write(graph, planes), TensorProto.FLOAT, (1, 3, *size_hw))
    session = onnxruntime.InferenceSession(
        graph.model('test', opset=17, ir_version=8).SerializeToString(),
        providers=['CPUExecutionProvider'],
    )
    (result,) = session.run(None, {'planes': image_hwc.transpose(2, 0, 1)[None].astype('f4')})
    return np.asarray(result)[0].transpose(1, 2, 0)


def coarse(image_hwc: np.ndarray) -> np.ndarray:
    height, width = image_hwc.shape[:2]
    return run(
        lambda graph, planes: shrink_to_coarse(graph, planes, (height, width), COARSE_HW),
        image_hwc,
        COARSE_HW,
    )


def working(image_hwc: np.ndarray) -> np.ndarray:
    height, width = image_hwc.shape[:2]
    return run(
        lambda graph, planes: resize_to_working(graph, planes, (height, width), WORKING_HW),
        image_hwc,
        WORKING_HW,
    )


@pytest.mark.parametrize(
    'camera_hw',
    [(64, 96), (90, 160), (47, 156), (60, 80), (33, 50), (211, 97), (400, 500), (700, 1300)],
    ids=str,
)
def test_coarse_input_is_the_hosts(camera_hw: Size) -> None:
    image = noise(camera_hw)
    sampler = FrameSampler(working_hw=WORKING_HW, coarse_factor=8)
    difference = coarse(image) - sampler.coarse(image)[0]
    # The host rounds to a byte when it samples, and after each of one to five halvings, where it
    # rounds a half up.
    assert np.abs(difference).max() < 2.0
    assert np.abs(difference).mean() < 0.7


def test_coarse_input_is_the_mean_of_its_samples() -> None:
    # Four times the size: every other row is read, and all columns.
    image = noise((32, 48))
    expected = image.astype(float)[::2].reshape(8, 2, 12, 4, 3).mean(axis=(1, 3))
    np.testing.assert_allclose(coarse(image), expected, atol=1e-3)


@pytest.mark.parametrize(
    'camera_hw', [(64, 96), (128, 192), (90, 160), (47, 156), (33, 50), (64, 50)], ids=str
)
def test_up_to_a_shrinkage_of_two_pixels_are_the_hosts(camera_hw: Size) -> None:
    image = noise(camera_hw)
    difference = working(image) - resize_image(image, WORKING_HW)
    # The host's weights are whole numbers of 1/2048, its result a byte.
    assert np.abs(difference).max() < 1.0
    assert np.abs(difference).mean() < 0.5


@pytest.mark.parametrize('times', [(4, 4), (4, 2), (8, 4)], ids=str)
def test_shrinkages_by_powers_of_two_average_blocks(times: Size) -> None:
    image = noise((WORKING_HW[0] * times[0], WORKING_HW[1] * times[1]))
    blocks = image.reshape(WORKING_HW[0], times[0], WORKING_HW[1], times[1], 3)
    np.testing.assert_allclose(working(image), blocks.mean(axis=(1, 3)), atol=1e-2)


@pytest.mark.parametrize(
    'camera_hw',
    [(135, 180), (135, 250), (150, 200), (181, 303), (270, 300), (640, 200), (64, 960)],
    ids=str,
)
def test_larger_shrinkages_are_the_hosts_and_near_the_mean_over_areas(camera_hw: Size) -> None:
    image = noise(camera_hw)
    difference = working(image) - resize_image(image, WORKING_HW)
    # The host rounds to a byte when it samples and after each halving, where a half goes up.
    assert np.abs(difference).max() < 2.0
    assert np.abs(difference).mean() < 0.9
    smooth = cv2.GaussianBlur(image, (0, 0), 2.0)
    expected = cv2.resize(smooth, WORKING_HW[::-1], interpolation=cv2.INTER_AREA).astype(float)
    assert np.abs(working(smooth) - expected).mean() < 0.6


def test_an_equal_size_needs_no_node() -> None:
    graph = GraphWriter()
    assert resize(graph, 'planes', (5, 7), (5, 7), 3) == 'planes'
    assert not graph.model('empty', opset=17, ir_version=8).graph.node
