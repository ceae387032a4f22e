"""Real plans, built by TensorRT-RTX, which needs no GPU for it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import onnx
import pytest
from support.rtx import CAPABILITY, RTX_MAGIC
from support.tiny_networks import conv_weights, write_conv_network

from stseg_ros.engines.network_rewrite.network_steps import prepare_network
from stseg_ros.engines.plan_build.plans import (
    BuildRequest,
    InputProfile,
    build_plan,
    network_request,
)
from stseg_ros.engines.tensorrt.library import TensorRtLibrary, make_logger
from stseg_ros.errors import EngineError
from stseg_ros.records import ChannelOrder


def parsed_types(library: TensorRtLibrary, network: bytes) -> dict[str, list[str]]:
    """Parse a strongly typed network and list the types of its layers' outputs by kind."""
    trt = library.module
    logger = make_logger(library)
    builder = trt.Builder(logger.handle)
    strongly_typed = 1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED)
    definition = builder.create_network(strongly_typed)
    parser = trt.OnnxParser(definition, logger.handle)
    assert parser.parse(network), logger.errors
    found: dict[str, list[str]] = {}
    for index in range(definition.num_layers):
        layer = definition.get_layer(index)
        found.setdefault(layer.type.name, []).append(layer.get_output(0).dtype.name)
    found['out'] = [definition.get_output(i).dtype.name for i in range(definition.num_outputs)]
    return found


def shipped_network(stage: str) -> Path:
    return Path(__file__).parents[3] / 'models' / 'driving_small' / f'{stage}.onnx'


def test_a_plan_is_built(library: TensorRtLibrary, request_: BuildRequest) -> None:
    plan = build_plan(library, request_)
    assert isinstance(plan, bytes)
    assert plan.startswith(RTX_MAGIC)


@pytest.mark.parametrize('stage', ['coarse', 'refine'])
def test_convolutions_of_the_shipped_networks_are_half_for_the_builder(
    library: TensorRtLibrary, stage: str
) -> None:
    def prepared(*, half: bool, logits: str) -> dict[str, list[str]]:
        path = shipped_network(stage)
        content = prepare_network(path, half=half, order=ChannelOrder.RGB, logits=logits)
        return parsed_types(library, content)

    half, real = (prepared(half=flag, logits='bytes') for flag in (True, False))
    assert len(half['CONVOLUTION']) == len(real['CONVOLUTION']) == 28
    assert set(half['CONVOLUTION']) == set(half['RESIZE']) == {'HALF'}
    assert set(real['CONVOLUTION']) == set(real['RESIZE']) == {'FLOAT'}
    assert half['out'] == real['out'] == ['UINT8']
    assert prepared(half=True, logits='float32')['out'] == ['FLOAT']


@pytest.mark.parametrize('order', list(ChannelOrder))
@pytest.mark.parametrize('logits', ['bytes', 'float32'])
@pytest.mark.parametrize('precision', ['fp16', 'fp32'])
def test_every_form_is_taken(
    library: TensorRtLibrary,
    request_: BuildRequest,
    order: ChannelOrder,
    logits: str,
    precision: str,
) -> None:
    request = replace(request_, order=order, logits=logits, precision=precision)
    assert build_plan(library, request).startswith(RTX_MAGIC)


def test_fp16_halves_the_weights_in_the_plan(library: TensorRtLibrary, tmp_path: Path) -> None:
    weights = conv_weights(hidden=4096)
    path = write_conv_network(tmp_path / 'n.onnx', (8, 16), batch=1, weights=weights)
    request = network_request(path, compute_capability=CAPABILITY)
    half = build_plan(library, request)
    real = build_plan(library, replace(request, precision='fp32'))
    # Not all of the two bytes saved per weight: kernels pad the channels, each kind its own way.
    assert len(real) - len(half) > weights.first.size


def test_profiles_are_built_in(library: TensorRtLibrary, tmp_path: Path) -> None:
    path = write_conv_network(tmp_path / 'n.onnx', (8, 16))
    request = network_request(path, max_batch=4, usual_batch=2, compute_capability=CAPABILITY)
    assert build_plan(library, request).startswith(RTX_MAGIC)
    with pytest.raises(EngineError, match='given for none, inputs with a free axis are image'):
        build_plan(library, replace(request, profiles=()))
    stranger = InputProfile(
        name='frame', minimum=(1, 8, 16, 3), usual=(1, 8, 16, 3), maximum=(1, 8, 16, 3)
    )
    with pytest.raises(EngineError, match='given for frame, inputs'):
        build_plan(library, replace(request, profiles=(stranger,)))
    wrong = replace(
        request.profiles[0], minimum=(1, 9, 16, 3), usual=(1, 9, 16, 3), maximum=(1, 9, 16, 3)
    )
    with pytest.raises(EngineError, match=r'cannot build .*n\.onnx: .*image') as caught:
        build_plan(library, replace(request, profiles=(wrong,)))
    assert '\n' not in str(caught.value)


def test_what_the_parser_does_not_know_is_one_line(
    library: TensorRtLibrary, network: Path, request_: BuildRequest
) -> None:
    model = onnx.load(network)
    relu = next(node for node in model.graph.node if node.op_type == 'Relu')
    relu.op_type, relu.name = 'Bernoulli', 'strange'
    onnx.save(model, network)
    expected = r'tensorrt_rtx .* cannot build .*network\.onnx: node \d+ \(Bernoulli\): UNSUPPORTED'
    with pytest.raises(EngineError, match=expected) as caught:
        build_plan(library, request_)
    assert '\n' not in str(caught.value)
