"""Layers folded over the batch give what OpenVINO's own convolutions give."""

from __future__ import annotations

from typing import Any

import numpy as np
import openvino
import pytest
from openvino import opset13

from stseg_ros.engines.openvino.fold_batch import fold_batch

LARGE = (256, 256)  # With a kernel of 3x3, 590 thousand weights.
LARGE_1X1 = (768, 768)


def model_of(layer: Any, image: Any) -> Any:
    return openvino.Model([layer], [image], 'layer')


def images(batch: int, channels: int, height: int, width: int) -> Any:
    return opset13.parameter([batch, channels, height, width], np.float32)


def weights(first: int, second: int, kernel: int, dtype: type = np.float32) -> Any:
    rng = np.random.default_rng(5)
    values = rng.normal(0.0, 0.02, (first, second, kernel, kernel)).astype(dtype)
    constant = opset13.constant(values)
    return constant if dtype is np.float32 else opset13.convert(constant, 'f32')


def convolution(
    image: Any,
    kernel: Any,
    strides: tuple[int, int] = (2, 2),
    begin: tuple[int, int] = (1, 1),
    end: tuple[int, int] = (1, 1),
    dilations: tuple[int, int] = (1, 1),
) -> Any:
    return opset13.convolution(
        image, kernel, list(strides), list(begin), list(end), list(dilations)
    )


def doubling(image: Any, kernel: Any, output_padding: int = 1) -> Any:
    return opset13.convolution_backprop_data(
        image, kernel, [2, 2], None, [1, 1], [1, 1], output_padding=[output_padding] * 2
    )


def run(model: Any, batch: np.ndarray) -> np.ndarray:
    exact = {'INFERENCE_PRECISION_HINT': 'f32'}
    compiled = openvino.Core().compile_model(model, 'CPU', exact)
    return np.array(compiled(batch)[0])


def check_same(model: Any, shape: tuple[int, ...], folded: int) -> None:
    batch = np.random.default_rng(6).normal(size=shape).astype(np.float32)
    expected = run(model, batch)
    copy = model.clone()
    assert fold_batch(copy) == folded
    types = [op.get_type_name() for op in copy.get_ordered_ops()]
    assert ('Gather' in types) == bool(folded)
    assert copy.output(0).get_shape() == model.output(0).get_shape()
    # Sums of thousands of float32 products, in another order.
    np.testing.assert_allclose(run(copy, batch), expected, atol=1e-4)


@pytest.mark.parametrize('dtype', [np.float32, np.float16])
def test_convolution_of_stride_2(dtype: type) -> None:
    image = images(3, LARGE[1], 8, 6)
    check_same(model_of(convolution(image, weights(*LARGE, 3, dtype)), image), (3, 256, 8, 6), 1)


def test_convolution_with_uneven_padding_and_strides() -> None:
    image = images(2, LARGE[1], 7, 9)
    layer = convolution(image, weights(*LARGE, 3), strides=(1, 2), begin=(0, 2), end=(1, 0))
    check_same(model_of(layer, image), (2, 256, 7, 9), 1)


def test_convolution_of_1x1() -> None:
    image = images(4, LARGE_1X1[1], 5, 3)
    layer = convolution(image, weights(*LARGE_1X1, 1), strides=(1, 1), begin=(0, 0), end=(0, 0))
    check_same(model_of(layer, image), (4, 768, 5, 3), 1)


@pytest.mark.parametrize('dtype', [np.float32, np.float16])
def test_transposed_convolution_that_doubles(dtype: type) -> None:
    image = images(3, LARGE[0], 4, 5)
    check_same(model_of(doubling(image, weights(*LARGE, 3, dtype)), image), (3, 256, 4, 5), 1)


def test_layers_one_after_the_other() -> None:
    image = images(2, LARGE[1], 6, 8)
    down = convolution(image, weights(*LARGE, 3))
    up = doubling(opset13.relu(down), weights(*LARGE, 3))
    check_same(model_of(up, image), (2, 256, 6, 8), 2)


def test_one_image_is_left_alone() -> None:
    image = images(1, LARGE[1], 8, 8)
    check_same(model_of(convolution(image, weights(*LARGE, 3)), image), (1, 256, 8, 8), 0)


def test_many_positions_are_left_alone() -> None:
    # 4 images of 9x9 after the stride: 324 positions.
    image = images(4, LARGE[1], 18, 18)
    check_same(model_of(convolution(image, weights(*LARGE, 3)), image), (4, 256, 18, 18), 0)


def test_small_weights_are_left_alone() -> None:
    image = images(4, 64, 8, 8)
    check_same(model_of(convolution(image, weights(64, 64, 3)), image), (4, 64, 8, 8), 0)


def test_dilated_convolutions_are_left_alone() -> None:
    image = images(2, LARGE[1], 8, 8)
    layer = convolution(image, weights(*LARGE, 3), dilations=(2, 2))
    check_same(model_of(layer, image), (2, 256, 8, 8), 0)


def test_transposed_convolutions_that_do_not_double_are_left_alone() -> None:
    image = images(2, LARGE[0], 4, 4)
    layer = doubling(image, weights(*LARGE, 3), output_padding=0)
    check_same(model_of(layer, image), (2, 256, 4, 4), 0)


def test_computed_weights_are_left_alone() -> None:
    image = images(2, LARGE[1], 8, 8)
    doubled = opset13.multiply(weights(*LARGE, 3), opset13.constant(np.float32(2.0)))
    check_same(model_of(convolution(image, doubled), image), (2, 256, 8, 8), 0)


def test_convolutions_along_one_axis_are_left_alone() -> None:
    line = opset13.parameter([2, 768, 9], np.float32)
    values = np.random.default_rng(5).normal(0.0, 0.02, (768, 768, 1)).astype(np.float32)
    layer = opset13.convolution(line, opset13.constant(values), [1], [0], [0], [1])
    check_same(model_of(layer, line), (2, 768, 9), 0)
