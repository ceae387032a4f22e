"""Deep layers as one product over the whole batch, so that their weights are read once.

The plug-in convolves the images of a batch one by one and reads the weights for each. The deepest
layers of a U-Net have megabytes of them and, in a region of 128x128, a picture of 4x4: reading is
what takes the time. Written as a product of matrices, with the positions of all images as its
rows, such a layer reads them once. The sums are the same, but for the order of their terms.

The product is a convolution of 1x1 over a picture one pixel high. As a `MatMul` it takes up to
twice as long: in float32 the plug-in leaves that to another library, and in bfloat16 256 rows take
1.4 ms instead of 0.6.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

# Above, a layer works for longer than it reads. Measured with the paper's U-Net, in which refining
# 4 regions of 128x128 takes 0.9 of the time so, and 8 of 64x64 0.6 to 0.7.
_MOST_POSITIONS = 256
# Smaller weights stay in the processor's cache from one image to the next.
_LEAST_WEIGHTS = 1 << 19
_IMAGE_KERNEL_AXES = 4


def fold_batch(model: Any) -> int:
    """Rewrite the layers that gain from it, in place.

    These are convolutions, and transposed ones of 3x3 that double the picture, of a batch of more
    than one image, with large weights and few positions.

    Args:
        model: an OpenVINO model whose shapes are all known.

    Returns:
        How many layers were rewritten.
    """
    rewritten = 0
    for layer in model.get_ordered_ops():
        rewrite = _REWRITE.get(layer.get_type_name())
        weights = _weights(layer) if rewrite else None
        # Convolutions along one axis or three stay as they are.
        if rewrite is None or weights is None or weights.ndim != _IMAGE_KERNEL_AXES:
            continue
        if not _gains(layer, weights):
            continue
        images_nhwc = rewrite(layer, weights)
        if images_nhwc is not None:
            layer.output(0).replace(_opset().transpose(images_nhwc, _ints(0, 3, 1, 2)).output(0))
            rewritten += 1
    model.validate_nodes_and_infer_types()
    return rewritten


def _gains(layer: Any, weights: npt.NDArray[Any]) -> bool:
    """Say whether reading the weights again for each image is what a layer's time goes into."""
    batch, _, height, width = layer.get_input_shape(0)
    if layer.get_type_name() == 'Convolution':
        _, _, height, width = layer.get_output_shape(0)
    return (
        batch > 1 and batch * height * width <= _MOST_POSITIONS and weights.size >= _LEAST_WEIGHTS
    )


def _convolution(layer: Any, weights_oikk: npt.NDArray[Any]) -> Any | None:
    """Write a convolution as a product; (N, H, W, C), or None where it cannot be."""
    facts = layer.get_attributes()
    if list(facts['dilations']) != [1, 1]:
        return None
    batch, _, *image_hw = layer.get_input_shape(0)
    _, outputs, *output_hw = layer.get_output_shape(0)
    _, _, kernel_rows, kernel_columns = weights_oikk.shape
    before_rows, before_columns = facts['pads_begin']
    taps = [
        (row - before_rows, column - before_columns)
        for row in range(kernel_rows)
        for column in range(kernel_columns)
    ]
    seen = _seen(batch, image_hw, output_hw, taps, facts['strides'])
    matrix = weights_oikk.transpose(2, 3, 1, 0).reshape(-1, outputs)
    pixels = _product(_pixels(layer.input_value(0)), seen, matrix)
    return _opset().reshape(pixels, _ints(batch, *output_hw, outputs), False)


def _doubling(layer: Any, weights_iokk: npt.NDArray[Any]) -> Any | None:
    """Write a transposed convolution as products; (N, H, W, C), or None where it cannot be.

    Of the output's pixels those of even rows see one row of the input through the kernel's middle
    row, and those of odd rows see two, through its last and its first; columns likewise.
    """
    facts = layer.get_attributes()
    batch, _, height, width = layer.get_input_shape(0)
    _, outputs, *doubled_hw = layer.get_output_shape(0)
    if (
        weights_iokk.shape[2:] != (3, 3)
        or list(facts['strides']) != [2, 2]
        or list(facts['dilations']) != [1, 1]
        or list(facts['pads_begin']) != [1, 1]
        or doubled_hw != [2 * height, 2 * width]
    ):
        return None
    pixels = _pixels(layer.input_value(0))
    seen_by_parity = {0: ((0, 1),), 1: ((0, 2), (1, 0))}

    def every_second(odd_row: int, odd_column: int) -> Any:
        taps, matrices = [], []
        for row, kernel_row in seen_by_parity[odd_row]:
            for column, kernel_column in seen_by_parity[odd_column]:
                taps.append((row, column))
                matrices.append(weights_iokk[:, :, kernel_row, kernel_column])
        seen = _seen(batch, (height, width), (height, width), taps, (1, 1))
        product = _product(pixels, seen, np.concatenate(matrices))
        return _opset().reshape(product, _ints(batch, height, 1, width, 1, outputs), False)

    rows = [_opset().concat([every_second(odd, 0), every_second(odd, 1)], 4) for odd in (0, 1)]
    joined = _opset().concat(rows, 2)
    return _opset().reshape(joined, _ints(batch, *doubled_hw, outputs), False)


_REWRITE = {'Convolution': _convolution, 'ConvolutionBackpropData': _doubling}


def _product(pixels: Any, seen: npt.NDArray[np.int64], matrix: npt.NDArray[Any]) -> Any:
    """Multiply what all positions see with the weights at once.

    Args:
        pixels: (pixels, C), see `_pixels`.
        seen: (positions, taps) the pixel under each element of the kernel.
        matrix: (taps x C, outputs) weights.

    Returns:
        (1, 1, positions, outputs).
    """
    taken = _opset().gather(pixels, _ints(*seen.ravel()), _opset().constant(np.int64(0)))
    wide = _opset().reshape(taken, _ints(1, 1, len(seen), len(matrix)), False)
    kernel = _opset().constant(np.ascontiguousarray(matrix.T)[:, :, None, None])
    if matrix.dtype != np.float32:
        kernel = _opset().convert(kernel, 'f32')
    product = _opset().convolution(
        _opset().transpose(wide, _ints(0, 3, 1, 2)), kernel, [1, 1], [0, 0], [0, 0], [1, 1]
    )
    return _opset().transpose(product, _ints(0, 2, 3, 1))


def _pixels(images_nchw: Any) -> Any:
    """List the pixels of all images, and zeros as the last, which is seen outside of them."""
    batch, channels, height, width = images_nchw.get_shape()
    channels_last = _opset().transpose(images_nchw, _ints(0, 2, 3, 1))
    pixels = _opset().reshape(channels_last, _ints(batch * height * width, channels), False)
    return _opset().concat([pixels, _opset().constant(np.zeros((1, channels), np.float32))], 0)


def _seen(
    batch: int,
    image_hw: Sequence[int],
    output_hw: Sequence[int],
    taps_yx: Sequence[tuple[int, int]],
    strides_hw: Sequence[int],
) -> npt.NDArray[np.int64]:
    """Number the pixel under each element of a kernel, (positions, taps); see `_pixels`."""
    height, width = image_hw
    tap_y, tap_x = np.array(taps_yx).T
    y = np.arange(output_hw[0])[:, None] * strides_hw[0] + tap_y
    x = np.arange(output_hw[1])[:, None] * strides_hw[1] + tap_x
    inside = ((y >= 0) & (y < height))[:, None] & ((x >= 0) & (x < width))[None]
    images = np.arange(batch)[:, None, None, None] * (height * width)
    seen = np.where(inside, images + y[:, None] * width + x[None], batch * height * width)
    return seen.reshape(-1, len(taps_yx))


def _weights(layer: Any) -> npt.NDArray[Any] | None:
    """Return a layer's weights, also those that are kept in half precision; None if computed."""
    source = layer.input_value(1).get_node()
    if source.get_type_name() == 'Convert':
        source = source.input_value(0).get_node()
    if source.get_type_name() != 'Constant':
        return None
    weights: npt.NDArray[Any] = source.data
    return weights


def _ints(*values: int) -> Any:
    return _opset().constant(np.array(values, np.int64))


def _opset() -> Any:
    """Import OpenVINO's operations, when a network is opened."""
    from openvino import opset13

    return opset13
