from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from support.tiny_bundle import read_tiny_bundle

from stseg_ros.errors import BundleError, StsegError
from stseg_ros.measure import compute_cost
from stseg_ros.measure.compute_cost import BundleCost, NetworkCost, bundle_cost, network_cost


def write_network(
    path: Path, nodes: list[onnx.NodeProto], weights: dict[str, np.ndarray], shape: list
) -> Path:
    graph = helper.make_graph(
        nodes,
        'network',
        [helper.make_tensor_value_info('image', TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info('logits', TensorProto.FLOAT, None)],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 17)], ir_version=8)
    onnx.save(model, path)
    return path


def floats(*shape: int) -> np.ndarray:
    return np.zeros(shape, np.float32)


def test_convolution_down_and_up_by_hand(tmp_path: Path) -> None:
    nodes = [
        helper.make_node(
            'Conv', ['image', 'down', 'bias'], ['deep'], strides=[2, 2], pads=[1, 1, 1, 1]
        ),
        helper.make_node(
            'ConvTranspose',
            ['deep', 'up'],
            ['logits'],
            strides=[2, 2],
            pads=[1, 1, 1, 1],
            output_padding=[1, 1],
        ),
    ]
    weights = {'down': floats(8, 3, 3, 3), 'bias': floats(8), 'up': floats(8, 5, 3, 3)}
    cost = network_cost(write_network(tmp_path / 'n.onnx', nodes, weights, ['batch', 3, 32, 48]))
    # 8 channels of 16x24 after the first; 5 of 32x48 after the second.
    down = 3 * 3 * 3 * 16 * 24 * 8
    assert cost.macs == down + 3 * 3 * 8 * 16 * 24 * 5
    assert cost.paper_flops == down + 3 * 3 * 8 * 32 * 48 * 5
    assert cost.parameters == 8 * 3 * 9 + 8 + 8 * 5 * 9


def test_groups_divide_the_work(tmp_path: Path) -> None:
    nodes = [
        helper.make_node('Conv', ['image', 'depth'], ['a'], group=6, pads=[1, 1, 1, 1]),
        helper.make_node('ConvTranspose', ['a', 'up'], ['logits'], group=6, strides=[2, 2]),
    ]
    weights = {'depth': floats(6, 1, 3, 3), 'up': floats(6, 1, 2, 2)}
    cost = network_cost(write_network(tmp_path / 'n.onnx', nodes, weights, [1, 6, 10, 10]))
    assert cost.macs == 6 * 10 * 10 * 9 + 6 * 10 * 10 * 4
    assert cost.paper_flops == 6 * 10 * 10 * 9 + 6 * 20 * 20 * 4


def test_matrix_products_and_half_precision_weights(tmp_path: Path) -> None:
    nodes = [
        helper.make_node('Cast', ['half'], ['whole'], to=TensorProto.FLOAT),
        helper.make_node('MatMul', ['image', 'whole'], ['a']),
        helper.make_node('Gemm', ['a', 'second'], ['logits'], transB=1),
    ]
    weights = {'half': np.zeros((20, 30), np.float16), 'second': floats(4, 30)}
    cost = network_cost(write_network(tmp_path / 'n.onnx', nodes, weights, [1, 20]))
    assert cost.macs == cost.paper_flops == 20 * 30 + 30 * 4
    assert cost.parameters == 20 * 30 + 30 * 4


def test_unknown_shape_is_one_line(tmp_path: Path) -> None:
    nodes = [helper.make_node('Conv', ['image', 'w'], ['logits'])]
    path = write_network(tmp_path / 'n.onnx', nodes, {'w': floats(2, 3, 3, 3)}, [1, 3, 'h', 'w'])
    with pytest.raises(BundleError, match=r'n\.onnx: the shape of tensor .* export') as caught:
        network_cost(path)
    assert '\n' not in str(caught.value)


def test_two_stages_cost_coarse_and_regions(tmp_path: Path) -> None:
    cost = bundle_cost(read_tiny_bundle(tmp_path / 'tiny'))
    # The tiny networks multiply each pixel's three colours by three weights.
    assert (cost.coarse.macs, cost.refine.macs) == (16 * 32 * 3, 32 * 64 * 3)
    assert cost.of('coarse', 0) == cost.coarse
    two = cost.of('two_stage', 2.5)
    assert two.macs == 16 * 32 * 3 + 2.5 * 32 * 64 * 3
    assert two.parameters == 3 + 3
    whole = NetworkCost(macs=9, paper_flops=9, parameters=9)
    assert BundleCost(coarse=cost.coarse, refine=cost.refine, whole=whole).of('whole', 0) == whole


def test_missing_onnx_names_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compute_cost, 'find_spec', {}.get)
    with pytest.raises(StsegError, match=r'needs onnx; .* `\.venv/bin/pip install onnx`'):
        compute_cost.require_onnx()


@pytest.mark.torch
@pytest.mark.parametrize('architecture', ['paper_unet', 'residual_fpn'])
def test_counts_what_pytorch_runs(architecture: str, tmp_path: Path) -> None:
    torch = pytest.importorskip('torch', reason='needs PyTorch, see requirements/train.txt')
    from torch.utils.flop_counter import FlopCounterMode

    from stseg_ros.networks.architectures import NetworkConfig, build_network
    from stseg_ros.networks.image_network import ImageNetwork
    from stseg_ros.training.export_onnx import export_network

    network = build_network(NetworkConfig(architecture=architecture, width=8)).eval()
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(torch.zeros(1, 3, 64, 96))
    path = tmp_path / 'network.onnx'
    export_network(ImageNetwork(network), path, (64, 96), max_batch=4)
    cost = network_cost(path)
    # PyTorch counts multiplications and additions.
    assert cost.macs == counter.get_total_flops() / 2
    assert cost.parameters == sum(weight.numel() for weight in network.parameters())
    assert cost.paper_flops >= cost.macs
