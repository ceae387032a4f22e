"""The contract that every inference engine keeps."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from support.tiny_bundle import write_redness_network

from stseg_ros.engines.backends import BACKENDS, open_pair
from stseg_ros.engines.engine_protocol import EngineOptions, InferenceEngine
from stseg_ros.engines.onnxruntime_engine import OnnxRuntimeEngine
from stseg_ros.engines.openvino_engine import OpenVinoEngine
from stseg_ros.errors import ConfigError, EngineError

ENGINES = [OpenVinoEngine, OnnxRuntimeEngine]
FLOAT32 = EngineOptions(precision='float32', max_batch=4)


@pytest.fixture
def network(tmp_path: Path) -> Path:
    path = tmp_path / 'network.onnx'
    write_redness_network(path, (8, 16), batch=None, gain=2.0)
    return path


@pytest.fixture(params=ENGINES, ids=lambda engine: engine.backend)
def engine(request: pytest.FixtureRequest, network: Path) -> InferenceEngine:
    return request.param(network, FLOAT32)


def random_batch(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, 8, 16, 3), np.uint8)


def test_every_backend_is_under_contract() -> None:
    assert {engine.backend for engine in ENGINES} == set(BACKENDS)


def test_specs(engine: InferenceEngine) -> None:
    assert (engine.input.name, engine.input.shape) == ('image', (None, 8, 16, 3))
    assert (engine.output.name, engine.output.shape) == ('logits', (None, 8, 16))
    assert (engine.input.dtype, engine.output.dtype) == ('uint8', 'float32')
    assert engine.device


@pytest.mark.parametrize('count', [1, 4, 2, 7])
def test_logits_are_the_networks(engine: InferenceEngine, count: int) -> None:
    batch = random_batch(count)
    red, green = batch[..., 0].astype(float), batch[..., 1].astype(float)
    logits = engine.infer(batch)
    assert (logits.shape, logits.dtype) == ((count, 8, 16), np.float32)
    np.testing.assert_allclose(logits, 2.0 * (red - green) / 255.0, atol=1e-5)


def test_a_changed_batch_size_keeps_the_answers(engine: InferenceEngine) -> None:
    batch = random_batch(3)
    first = engine.infer(batch).copy()
    engine.infer(random_batch(1, seed=1))
    np.testing.assert_array_equal(engine.infer(batch), first)


@pytest.mark.parametrize(
    'batch',
    [
        np.zeros((1, 8, 16, 3), np.float32),
        np.zeros((1, 16, 8, 3), np.uint8),
        np.zeros((8, 16, 3), np.uint8),
        np.zeros((0, 8, 16, 3), np.uint8),
    ],
    ids=['float', 'transposed', 'no batch axis', 'empty'],
)
def test_a_batch_that_does_not_fit_is_refused(engine: InferenceEngine, batch: np.ndarray) -> None:
    with pytest.raises(EngineError, match='the network takes uint8 Nx8x16x3'):
        engine.infer(batch)


def test_closed_engines_refuse_and_close_again(engine: InferenceEngine) -> None:
    engine.close()
    engine.close()
    with pytest.raises(EngineError, match='closed'):
        engine.infer(random_batch(1))


@pytest.mark.parametrize('engine_type', ENGINES, ids=lambda engine: engine.backend)
def test_an_unreadable_network_is_one_error(engine_type: type, tmp_path: Path) -> None:
    path = tmp_path / 'broken.onnx'
    path.write_bytes(b'\x08\x01broken')
    with pytest.raises(EngineError, match=r'cannot open .*broken\.onnx'):
        engine_type(path, FLOAT32)


def test_auto_takes_the_first_and_says_so(network: Path) -> None:
    pair = open_pair(network, network, backend='auto', options=FLOAT32)
    assert pair.refine.backend == next(iter(BACKENDS))
    assert 'the best that opens here' in pair.note
    pair.close()


def test_auto_says_what_it_passed_over(network: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, 'openvino', None)
    pair = open_pair(network, network, backend='auto', options=FLOAT32)
    assert pair.refine.backend == 'onnxruntime'
    assert 'passed over openvino: openvino is not installed' in pair.note
    pair.close()


def test_a_named_backend_is_never_replaced(network: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, 'openvino', None)
    with pytest.raises(EngineError, match=r'openvino is not installed .* pip install openvino'):
        open_pair(network, network, backend='openvino', options=FLOAT32)


def test_an_unknown_backend_lists_the_known(network: Path) -> None:
    with pytest.raises(ConfigError, match='expected one of auto, openvino, onnxruntime'):
        open_pair(network, network, backend='magic', options=FLOAT32)
