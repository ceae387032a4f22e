"""Tests of the graph on networks whose logits are known, against the method in float64."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from support.frame_graphs import read_prior_bundle, run_graph
from support.tiny_bundle import (
    COARSE_FACTOR,
    GRID,
    WORKING_HW,
    add_learned,
    read_tiny_bundle,
    tiny_merge_table,
)
from support.tiny_features import (
    COARSE_GAINS,
    REFINE_GAINS,
    block_image,
    read_feature_bundle,
    write_linear_network,
)
from support.tiny_features import enlarged as at_full_size

from stseg_ros.bundle import ModelBundle
from stseg_ros.config import FUSIONS
from stseg_ros.engines.graph_runner import FrameGraphSpec
from stseg_ros.engines.tensorrt.library import load_library, make_logger
from stseg_ros.errors import BundleError, EngineError
from stseg_ros.frame_graph.build import build_frame_graph

# What TensorRT 8.6 knows, of what the frame needs around the networks.
PORTABLE = {
    'Abs', 'Add', 'AveragePool', 'Cast', 'Clip', 'Concat', 'Gather', 'Greater', 'Less', 'Max',
    'Mul', 'Reshape', 'Resize', 'Round', 'ScatterND', 'Sigmoid', 'Slice', 'Sub', 'TopK',
    'Transpose', 'Where',
}  # fmt: skip

COARSE_GAIN, REFINE_GAIN = 3.0, 9.0
COARSE_HW = WORKING_HW[0] // COARSE_FACTOR, WORKING_HW[1] // COARSE_FACTOR
CELL_HW = WORKING_HW[0] // GRID[0], WORKING_HW[1] // GRID[1]


@pytest.fixture
def bundle(tmp_path: Path) -> ModelBundle:
    return read_tiny_bundle(tmp_path, coarse_gain=COARSE_GAIN, refine_gain=REFINE_GAIN)


def blocks(seed: int = 0) -> np.ndarray:
    """Draw one colour per coarse pixel, so that every sample of a block is its mean."""
    colours = np.random.default_rng(seed).integers(0, 256, (*COARSE_HW, 3), np.uint8)
    return np.repeat(np.repeat(colours, COARSE_FACTOR, axis=0), COARSE_FACTOR, axis=1)


def redness(rgb: np.ndarray) -> np.ndarray:
    return (rgb[..., 0].astype(float) - rgb[..., 1]) / 255.0


def limited(logits: np.ndarray) -> np.ndarray:
    return np.clip(logits, -8.0, 127.0 / 16.0)


def enlarged(values: np.ndarray, axis: int) -> np.ndarray:
    """Interpolate linearly between the centres of coarse pixels, level beyond the outer ones."""
    count = values.shape[axis]
    centres = (np.arange(count) + 0.5) * COARSE_FACTOR - 0.5
    wanted = np.arange(count * COARSE_FACTOR)
    return np.apply_along_axis(lambda line: np.interp(wanted, centres, line), axis, values)


def cell(index: int) -> tuple[slice, slice]:
    row, column = divmod(index, GRID[1])
    height, width = CELL_HW
    return (
        slice(row * height, (row + 1) * height),
        slice(column * width, (column + 1) * width),
    )


def two_stages(
    rgb: np.ndarray, regions: int, fusion: str, *, refine_below: float = 2.0, prior_gain: float = 0
) -> dict[str, np.ndarray]:
    """Compute what the graph should: scores, chosen cells and the fused map, in float64."""
    coarse = limited(COARSE_GAIN * redness(rgb[::COARSE_FACTOR, ::COARSE_FACTOR]))
    rows, columns = COARSE_HW[0] // GRID[0], COARSE_HW[1] // GRID[1]
    probability = 1.0 / (1.0 + np.exp(-coarse))
    means = probability.reshape(GRID[0], rows, GRID[1], columns).mean(axis=(1, 3)).ravel()
    scores = np.abs(2.0 * means - 1.0)
    chosen = np.argsort(scores, kind='stable')[:regions]
    fused = enlarged(enlarged(coarse, 0), 1)
    prior = 128.0 + 16.0 * fused
    refined = limited(REFINE_GAIN * redness(rgb) + prior_gain * prior / 255.0)
    for index in chosen:
        if scores[index] < refine_below:
            place = cell(index)
            fused[place] = {
                'paste': refined[place],
                'add': limited(fused[place] + refined[place]),
                'max': np.maximum(fused[place], refined[place]),
            }[fusion]
    return {'scores': scores, 'chosen': chosen, 'fused': fused}


def check(outputs: dict[str, np.ndarray], expected: dict[str, np.ndarray], limit: float) -> None:
    np.testing.assert_allclose(outputs['scores'], expected['scores'], atol=1e-5)
    np.testing.assert_array_equal(outputs.get('chosen', []), expected['chosen'])
    fused = expected['fused']
    difference = outputs['logit_bytes'] - (128.0 + 16.0 * fused)
    assert np.abs(difference).max() < 0.501
    sure = np.abs(fused - limit) > 1e-4
    np.testing.assert_array_equal(outputs['mask'][sure], np.where(fused > limit, 255, 0)[sure])
    assert set(np.unique(outputs['mask'])) == {0, 255}


def spec(
    regions: int, fusion: str = 'paste', camera_hw: tuple[int, int] = WORKING_HW
) -> FrameGraphSpec:
    return FrameGraphSpec(camera_hw=camera_hw, regions=regions, fusion=fusion)


@pytest.mark.parametrize('fusion', ['paste', 'add', 'max'])
@pytest.mark.parametrize('regions', [0, 1, 5, 16])
def test_the_graph_computes_both_stages(bundle: ModelBundle, regions: int, fusion: str) -> None:
    image = blocks()
    outputs = run_graph(build_frame_graph(bundle, spec(regions, fusion)), image)
    check(outputs, two_stages(image, regions, fusion), 0.0)
    assert ('chosen' in outputs) == (regions > 0)


def test_the_learned_merge_is_looked_up(bundle: ModelBundle) -> None:
    image = blocks()
    outputs = run_graph(build_frame_graph(add_learned(bundle), spec(5, 'learned')), image)
    coarse, refined = (two_stages(image, count, 'paste') for count in (0, 5))
    table = tiny_merge_table().bytes_cr.astype(int)
    fused = 128.0 + 16.0 * coarse['fused']
    for index in refined['chosen']:
        row, column = (
            np.rint(128.0 + 16.0 * maps['fused'][cell(index)]).astype(int)
            for maps in (coarse, refined)
        )
        fused[cell(index)] = table[row, column]
    # A logit half way between two bytes may be rounded to either.
    difference = np.abs(outputs['logit_bytes'] - np.rint(fused))
    assert difference.max() <= 1
    assert (difference == 0).mean() > 0.99
    np.testing.assert_array_equal(outputs['mask'][fused > 129], 255)
    np.testing.assert_array_equal(outputs['mask'][fused < 127], 0)


def test_the_threshold_may_change_between_frames(bundle: ModelBundle) -> None:
    image = blocks(1)
    model = build_frame_graph(bundle, spec(4))
    for limit in (-2.0, 0.5, 3.0):
        outputs = run_graph(model, image, threshold_logit=limit)
        check(outputs, two_stages(image, 4, 'paste'), limit)


def test_only_doubtful_cells_are_merged(bundle: ModelBundle) -> None:
    image = blocks(2)
    scores = two_stages(image, 8, 'paste')['scores']
    third, fourth = np.sort(scores)[2:4]
    outputs = run_graph(
        build_frame_graph(bundle, spec(8)), image, refine_below=(third + fourth) / 2.0
    )
    expected = two_stages(image, 8, 'paste', refine_below=(third + fourth) / 2.0)
    check(outputs, expected, 0.0)
    np.testing.assert_array_equal(expected['fused'], two_stages(image, 3, 'paste')['fused'])


def test_equally_doubtful_cells_come_row_by_row(tmp_path: Path) -> None:
    bundle = read_tiny_bundle(tmp_path, coarse_gain=0.0)
    outputs = run_graph(build_frame_graph(bundle, spec(6)), blocks())
    assert outputs['chosen'].tolist() == [0, 1, 2, 3, 4, 5]


def test_both_channel_orders_share_a_graph(bundle: ModelBundle) -> None:
    image = blocks(3)
    model = build_frame_graph(bundle, spec(5, 'add'))
    bgr = np.ascontiguousarray(image[..., ::-1])
    check(run_graph(model, bgr, channels=(2, 1, 0)), two_stages(image, 5, 'add'), 0.0)


def test_the_refine_network_may_see_the_coarse_logits(tmp_path: Path) -> None:
    bundle = read_prior_bundle(
        tmp_path, coarse_gain=COARSE_GAIN, refine_gain=REFINE_GAIN, prior_gain=-4.0
    )
    image = blocks(4)
    model = build_frame_graph(bundle, spec(5, 'add'))
    expected = two_stages(image, 5, 'add', prior_gain=-4.0)
    check(run_graph(model, image), expected, 0.0)
    bgr = np.ascontiguousarray(image[..., ::-1])
    check(run_graph(model, bgr, channels=(2, 1, 0)), expected, 0.0)


@pytest.mark.parametrize('fusion', ['paste', 'add'])
def test_the_refine_network_may_see_features_too(tmp_path: Path, fusion: str) -> None:
    bundle = read_feature_bundle(tmp_path)
    image = block_image(4)
    model = build_frame_graph(bundle, spec(5, fusion))
    small = image[::COARSE_FACTOR, ::COARSE_FACTOR].astype(float)
    # Here nothing is rounded between the stages.
    logits, *features = limited(np.einsum('pc,yxc->pyx', COARSE_GAINS.astype(float), small) / 255)
    said = [128.0 + 16.0 * at_full_size(plane) for plane in (logits, *features)]
    seen = np.dstack([image.astype(float), *said])
    refined = limited(np.einsum('c,yxc->yx', REFINE_GAINS[0].astype(float), seen) / 255.0)
    coarse = at_full_size(logits)
    merged = refined if fusion == 'paste' else limited(coarse + refined)
    outputs = run_graph(model, image)
    expected = coarse.copy()
    for index in outputs['chosen']:
        expected[cell(index)] = merged[cell(index)]
    assert np.abs(outputs['logit_bytes'] - (128.0 + 16.0 * expected)).max() < 0.501
    bgr = np.ascontiguousarray(image[..., ::-1])
    again = run_graph(model, bgr, channels=(2, 1, 0))
    np.testing.assert_array_equal(again['mask'], outputs['mask'])
    used = {node.op_type for node in onnx.load_model_from_string(model).graph.node}
    assert used <= PORTABLE | {'MatMul', 'Squeeze'}


def test_features_that_the_network_does_not_give_are_refused(tmp_path: Path) -> None:
    bundle = read_feature_bundle(tmp_path)
    gains = COARSE_GAINS[:2]
    write_linear_network(bundle.coarse_path, bundle.geometry.coarse_hw, gains, batch=1)
    with pytest.raises(BundleError, match='is not float32 1x3x16x32, which the geometry'):
        build_frame_graph(bundle, spec(5))


def test_the_mask_has_the_cameras_size(bundle: ModelBundle) -> None:
    camera_hw = WORKING_HW[0] * 2, WORKING_HW[1] * 3
    image = np.repeat(np.repeat(blocks(5), 2, axis=0), 3, axis=1)
    model = build_frame_graph(bundle, spec(16, camera_hw=camera_hw))
    # Above the rounding of equal colours, below a difference of one grey level.
    outputs = run_graph(model, image, threshold_logit=0.01)
    # Pixels next to a block's border are interpolated from both sides.
    rows, columns = np.arange(camera_hw[0]) % 16, np.arange(camera_hw[1]) % 24
    inside = np.ix_((rows > 1) & (rows < 14), (columns > 2) & (columns < 21))
    np.testing.assert_array_equal(outputs['mask'][inside] > 0, (redness(image) > 0)[inside])
    assert outputs['mask'].shape == camera_hw


def test_a_damaged_network_is_one_line(bundle: ModelBundle) -> None:
    bundle.coarse_path.write_bytes(b'\x08\x01broken')
    with pytest.raises(BundleError, match=r'coarse\.onnx is no ONNX network') as refused:
        build_frame_graph(bundle, spec(3, 'add'))
    assert '\n' not in str(refused.value)


def test_inputs_and_outputs_are_as_documented(bundle: ModelBundle) -> None:
    model = onnx.load_from_string(build_frame_graph(bundle, spec(3, camera_hw=(37, 61))))
    sides = [
        {
            value.name: (
                TensorProto.DataType.Name(value.type.tensor_type.elem_type),
                tuple(axis.dim_value for axis in value.type.tensor_type.shape.dim),
            )
            for value in side
        }
        for side in (model.graph.input, model.graph.output)
    ]
    assert sides == [
        {
            'frame': ('UINT8', (37, 61, 3)),
            'channels': ('INT32', (3,)),
            'threshold_logit': ('FLOAT', (1,)),
            'refine_below': ('FLOAT', (1,)),
        },
        {
            'scores': ('FLOAT', (16,)),
            'chosen': ('INT32', (3,)),
            'mask': ('UINT8', (37, 61)),
            'logit_bytes': ('UINT8', WORKING_HW),
        },
    ]


@pytest.mark.parametrize('fusion', FUSIONS)
def test_only_portable_operators_surround_the_networks(bundle: ModelBundle, fusion: str) -> None:
    model = onnx.load_from_string(
        build_frame_graph(add_learned(bundle), spec(3, fusion, (300, 700)))
    )
    surrounding = [
        node for node in model.graph.node if not node.name.startswith(('coarse/', 'refine/'))
    ]
    assert {node.op_type for node in surrounding} <= PORTABLE
    # uint8 enters by the first cast and leaves by the last ones.
    assert [node.op_type for node in model.graph.node if 'frame' in node.input] == ['Cast']
    ends = [node for node in model.graph.node if node.output[0] in {'mask', 'logit_bytes'}]
    assert [node.op_type for node in ends] == ['Cast', 'Cast']


def test_equal_arguments_give_equal_bytes(bundle: ModelBundle) -> None:
    first, second = (build_frame_graph(bundle, spec(3)) for _ in range(2))
    assert first == second
    assert first != build_frame_graph(bundle, spec(4))


def test_networks_of_another_size_are_refused(bundle: ModelBundle) -> None:
    bundle.coarse_path.write_bytes(bundle.refine_path.read_bytes())
    with pytest.raises(BundleError, match=r"coarse.onnx: input 'image' does not take uint8 1x16x"):
        build_frame_graph(bundle, spec(3))


def test_networks_of_different_operators_are_refused(bundle: ModelBundle) -> None:
    model = onnx.load(bundle.refine_path)
    model.opset_import[0].version = 18
    onnx.save(model, bundle.refine_path)
    with pytest.raises(BundleError, match=r'version 17 of the ONNX operators, the refine .* 18'):
        build_frame_graph(bundle, spec(3))


def test_a_network_that_computes_in_bytes_is_refused(bundle: ModelBundle) -> None:
    model = onnx.load(bundle.coarse_path)
    flip = helper.make_node('BitwiseNot', ['image'], ['flipped'])
    model.graph.node[0].input[0] = 'flipped'
    model.graph.node.insert(0, flip)
    for path in (bundle.coarse_path, bundle.refine_path):
        changed = model if path == bundle.coarse_path else onnx.load(path)
        changed.opset_import[0].version = 18
        onnx.save(changed, path)
    with pytest.raises(
        BundleError, match=r'the networks cannot be joined into one graph: .*Bitwise'
    ):
        build_frame_graph(bundle, spec(3))


@pytest.mark.parametrize('fusion', FUSIONS)
def test_tensorrt_rtx_builds_the_graph(bundle: ModelBundle, fusion: str) -> None:
    try:
        library = load_library('tensorrt_rtx')
    except EngineError as err:
        pytest.skip(str(err))
    module, logger = library.module, make_logger(library)
    builder = module.Builder(logger.handle)
    strongly_typed = 1 << int(module.NetworkDefinitionCreationFlag.STRONGLY_TYPED)
    network = builder.create_network(strongly_typed)
    parser = module.OnnxParser(network, logger.handle)
    model = build_frame_graph(add_learned(bundle), spec(3, fusion, (300, 700)))
    assert parser.parse(model), logger.reason()
    outputs = [network.get_output(index) for index in range(network.num_outputs)]
    assert {output.name: tuple(output.shape) for output in outputs} == {
        'scores': (16,),
        'chosen': (3,),
        'mask': (300, 700),
        'logit_bytes': WORKING_HW,
    }
    config = builder.create_builder_config()
    config.num_compute_capabilities = 1
    config.set_compute_capability(module.ComputeCapability.SM89, 0)
    assert builder.build_serialized_network(network, config) is not None, logger.reason()
