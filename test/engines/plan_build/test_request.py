"""Requests for one network and for those of a bundle."""

from __future__ import annotations

import sys
from pathlib import Path

import onnx
import pytest
from support.tiny_bundle import read_tiny_bundle
from support.tiny_networks import write_conv_network

from stseg_ros import assembly
from stseg_ros.config import PipelineConfig
from stseg_ros.engines.engine_protocol import EngineOptions
from stseg_ros.engines.plan_build.request import InputProfile, network_request, network_requests
from stseg_ros.errors import EngineError
from stseg_ros.records import ChannelOrder


def test_a_free_batch_gets_a_profile(tmp_path: Path) -> None:
    path = write_conv_network(tmp_path / 'n.onnx', (8, 16), channels=4)
    request = network_request(path, max_batch=32, usual_batch=6)
    assert request.profiles == (
        InputProfile(
            name='image', minimum=(1, 8, 16, 4), usual=(6, 8, 16, 4), maximum=(32, 8, 16, 4)
        ),
    )
    assert request.profiles[0].text() == 'image:1x8x16x4/6x8x16x4/32x8x16x4'


@pytest.mark.parametrize(('usual', 'tuned'), [(0, 5), (9, 5), (5, 5), (1, 1)])
def test_the_usual_batch_lies_within(tmp_path: Path, usual: int, tuned: int) -> None:
    path = write_conv_network(tmp_path / 'n.onnx', (8, 16))
    (profile,) = network_request(path, max_batch=5, usual_batch=usual).profiles
    assert profile.usual == (tuned, 8, 16, 3)


def test_a_fixed_batch_needs_none(tmp_path: Path) -> None:
    path = write_conv_network(tmp_path / 'n.onnx', (8, 16), batch=1)
    assert network_request(path, max_batch=32, usual_batch=8).profiles == ()


def test_the_networks_of_a_bundle(tmp_path: Path) -> None:
    bundle = read_tiny_bundle(tmp_path / 'tiny', regions=3)
    requests = network_requests(
        bundle, precision='fp32', order=ChannelOrder.BGR, compute_capability='8.6'
    )
    assert set(requests) == {'coarse', 'refine'}
    assert requests['coarse'].network == bundle.coarse_path
    assert requests['coarse'].profiles == ()
    # Working size 128 x 256 in 4 x 4 cells, all 16 of which may be refined.
    (profile,) = requests['refine'].profiles
    assert profile.text() == 'image:1x32x64x3/3x32x64x3/16x32x64x3'
    for request in requests.values():
        assert (request.precision, request.order, request.logits, request.compute_capability) == (
            'fp32',
            ChannelOrder.BGR,
            'bytes',
            '8.6',
        )


@pytest.mark.parametrize('regions', [0, 3])
def test_what_is_built_beforehand_is_what_the_node_opens(tmp_path: Path, regions: int) -> None:
    bundle = read_tiny_bundle(tmp_path / 'tiny', regions=regions)
    opened: list[EngineOptions] = []

    def open_pair(*paths: Path, backend: str, options: EngineOptions) -> None:
        opened.append(options)
        raise EngineError(f'{backend} is not opened in this test')

    config = PipelineConfig(regions=5, backend='onnxruntime')
    with pytest.raises(EngineError, match='not opened'):
        assembly.open_segmenter(bundle, config, open_networks=open_pair)
    (options,) = opened
    for path, request in (
        (bundle.coarse_path, network_requests(bundle)['coarse']),
        (bundle.refine_path, network_requests(bundle)['refine']),
    ):
        assert request == network_request(
            path,
            max_batch=options.max_batch,
            usual_batch=options.usual_batch,
            logits=options.logits,
        )


def test_other_inputs_are_refused(tmp_path: Path) -> None:
    path = write_conv_network(tmp_path / 'n.onnx', (8, 16))
    model = onnx.load(path)
    model.graph.input[0].type.tensor_type.shape.dim[1].dim_param = 'height'
    onnx.save(model, path)
    with pytest.raises(EngineError, match=r'one input of images, .*; it has image NxNx16x3$'):
        network_request(path)


def test_without_onnx(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_conv_network(tmp_path / 'n.onnx', (8, 16))
    monkeypatch.delitem(
        sys.modules, 'stseg_ros.engines.network_rewrite.network_steps', raising=False
    )
    monkeypatch.setitem(sys.modules, 'onnx', None)
    with pytest.raises(EngineError, match=r'onnx is not installed .*; pip install onnx$'):
        network_request(path)
