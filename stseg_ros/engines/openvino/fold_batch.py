"""Deep layers as one product over the whole batch, so that their weights are read once.

The plug-in convolves the images of a batch one by one and reads the weights for each. The deepest
layers of a U-Net have megabytes of them and, in a region of 128x128, a picture of 4x4: reading is
what takes the time. Written as a product of matrices, with the positions of all images as its
rows, such a layer reads them once. The sums are the same, but for the order of their terms.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

# Above, a layer works for longer than it reads. Measured with the paper's U-Net, in which refining
# 4 regions of 128x128 takes 0.8 of the time so, 8 of 64x64 and 16 of 32x32 0.6.
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
    _, outputs, height, width = layer.get_output_shape(0)
    _, _, kernel_rows, kernel_columns = weights_oikk.shape
    padded_nhwc = _padded(layer.input_value(0), facts['pads_begin'], facts['pads_end'])
    taps = [
        _tap(padded_nhwc, (row, column), (height, width), facts['strides'])
        for row in range(kernel_rows)
        for column in range(kernel_columns)
    ]
    matrix = weights_oikk.transpose(2, 3, 1, 0).reshape(-1, outputs)
    return _product(taps, matrix, (layer.get_input_shape(0)[0], height, width))


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
    padded_nhwc = _padded(layer.input_value(0), (0, 0), (1, 1))
    seen_by_parity = {0: ((0, 1),), 1: ((0, 2), (1, 0))}

    def pixels(odd_row: int, odd_column: int) -> Any:
        taps, matrices = [], []
        for row, kernel_row in seen_by_parity[odd_row]:
            for column, kernel_column in seen_by_parity[odd_column]:
                taps.append(_tap(padded_nhwc, (row, column), (height, width), (1, 1)))
                matrices.append(weights_iokk[:, :, kernel_row, kernel_column])
        product_nhwc = _product(taps, np.concatenate(matrices), (batch, height, width))
        return _opset().reshape(product_nhwc, _ints(batch, height, 1, width, 1, outputs), False)

    rows = [_opset().concat([pixels(odd, 0), pixels(odd, 1)], 4) for odd in (0, 1)]
    joined = _opset().concat(rows, 2)
    return _opset().reshape(joined, _ints(batch, *doubled_hw, outputs), False)


_REWRITE = {'Convolution': _convolution, 'ConvolutionBackpropData': _doubling}


def _product(
    taps_nhwc: list[Any], matrix: npt.NDArray[Any], positions_nhw: tuple[int, int, int]
) -> Any:
    """Multiply the positions of all images with the weights at once."""
    taken = taps_nhwc[0] if len(taps_nhwc) == 1 else _opset().concat(taps_nhwc, 3)
    rows = _opset().reshape(taken, _ints(int(np.prod(positions_nhw)), len(matrix)), False)
    constant = _opset().constant(np.ascontiguousarray(matrix))
    if matrix.dtype != np.float32:
        constant = _opset().convert(constant, 'f32')
    product = _opset().matmul(rows, constant, False, False)
    return _opset().reshape(product, _ints(*positions_nhw, matrix.shape[1]), False)


def _tap(
    padded_nhwc: Any, first_hw: tuple[int, int], size_hw: tuple[int, int], strides_hw: Any
) -> Any:
    """Take what one element of a kernel sees at all positions."""
    batch, _, _, channels = padded_nhwc.get_output_shape(0)
    (top, left), (height, width), (down, right) = first_hw, size_hw, strides_hw
    return _opset().strided_slice(
        padded_nhwc,
        _ints(0, top, left, 0),
        _ints(batch, top + down * (height - 1) + 1, left + right * (width - 1) + 1, channels),
        _ints(1, down, right, 1),
        [0] * 4,
        [0] * 4,
    )


def _padded(images_nchw: Any, before_hw: Any, after_hw: Any) -> Any:
    """Bring the channels last, and put zeros around."""
    return _opset().pad(
        _opset().transpose(images_nchw, _ints(0, 2, 3, 1)),
        _ints(0, *before_hw, 0),
        _ints(0, *after_hw, 0),
        'constant',
        _opset().constant(np.float32(0.0)),
    )


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
