"""The contract that every inference engine keeps."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from support.tiny_bundle import write_redness_network
from support.tiny_features import write_linear_network

from stseg_ros.engines import backends
from stseg_ros.engines.backends import BACKENDS, EnginePair, open_pair
from stseg_ros.engines.cuda.nvidia_gpu import find_gpu
from stseg_ros.engines.engine_protocol import EngineOptions, InferenceEngine
from stseg_ros.engines.onnxruntime.engine import OnnxRuntimeEngine
from stseg_ros.engines.openvino.engine import OpenVinoEngine
from stseg_ros.engines.tensorrt.engine import TensorRtEngine, TensorRtRtxEngine
from stseg_ros.engines.tensorrt.library import is_installed
from stseg_ros.errors import ConfigError, EngineError
from stseg_ros.records import ChannelOrder

ENGINES = [TensorRtEngine, TensorRtRtxEngine, OpenVinoEngine, OnnxRuntimeEngine]
FLOAT32 = EngineOptions(precision='float32', max_batch=7)
FLOAT32_LOGITS = EngineOptions(precision='float32', max_batch=7, logits='float32')
NVIDIA = ('tensorrt', 'tensorrt_rtx')
NO_GPU = 'no NVIDIA GPU here'
without_gpu = pytest.mark.skipif(find_gpu() is not None, reason='this machine has a GPU')


@pytest.fixture
def network(tmp_path: Path) -> Path:
    path = tmp_path / 'network.onnx'
    write_redness_network(path, (8, 16), batch=None, gain=2.0)
    return path


def engine_parameter(engine: type) -> object:
    if engine.backend not in NVIDIA:
        return pytest.param(engine, id=engine.backend)
    missing = NO_GPU if find_gpu() is None else ''
    if not missing and not is_installed(engine.backend):
        missing = f'{engine.backend} is not installed'
    marks = [pytest.mark.gpu, pytest.mark.skipif(bool(missing), reason=missing or 'runs')]
    return pytest.param(engine, id=engine.backend, marks=marks)


@pytest.fixture(params=[engine_parameter(engine) for engine in ENGINES])
def engine_type(request: pytest.FixtureRequest) -> type:
    return request.param


@pytest.fixture
def engine(engine_type: type, network: Path) -> InferenceEngine:
    return engine_type(network, FLOAT32)


def random_batch(count: int, seed: int = 0, channels: int = 3) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, 8, 16, channels), np.uint8)


def redness(batch_rgb: np.ndarray, gain: float = 2.0) -> np.ndarray:
    """Compute the logits of `write_redness_network`."""
    return gain * (batch_rgb[..., 0].astype(float) - batch_rgb[..., 1]) / 255.0


def test_every_backend_is_under_contract() -> None:
    assert {engine.backend for engine in ENGINES} == set(BACKENDS)


def test_specs(engine: InferenceEngine) -> None:
    assert (engine.input.name, engine.input.shape) == ('image', (None, 8, 16, 3))
    assert (engine.output.name, engine.output.shape) == ('logits', (None, 8, 16))
    assert (engine.input.dtype, engine.output.dtype) == ('uint8', 'float32')
    assert engine.device


@pytest.mark.parametrize('count', [1, 4, 2, 7])
@pytest.mark.parametrize('order', list(ChannelOrder))
def test_logits_are_the_networks(
    engine_type: type, network: Path, count: int, order: ChannelOrder
) -> None:
    engine = engine_type(network, FLOAT32_LOGITS)
    rgb = random_batch(count)
    batch = rgb if order is ChannelOrder.RGB else np.ascontiguousarray(rgb[..., ::-1])
    logits = engine.infer(batch, order)
    assert (logits.shape, logits.dtype) == ((count, 8, 16), np.float32)
    np.testing.assert_allclose(logits, redness(rgb), atol=1e-5)


@pytest.mark.parametrize('order', list(ChannelOrder))
def test_bytes_are_the_rounded_logits(
    engine_type: type, tmp_path: Path, order: ChannelOrder
) -> None:
    # Logits from -12 to 12: beyond 8 either way bytes are cut off.
    path = tmp_path / 'network.onnx'
    write_redness_network(path, (8, 16), batch=None, gain=12.0)
    rgb = random_batch(3)
    rgb[0, 0, :2] = [[255, 0, 9], [0, 255, 9]]
    batch = rgb if order is ChannelOrder.RGB else np.ascontiguousarray(rgb[..., ::-1])
    steps = engine_type(path, FLOAT32).infer(batch, order)
    expected = 128.0 + 16.0 * redness(rgb, gain=12.0)
    assert (steps.shape, steps.dtype) == ((3, 8, 16), np.uint8)
    np.testing.assert_array_less(np.abs(steps - np.clip(expected, 0.0, 255.0)), 0.501)
    assert steps[0, 0, :2].tolist() == [255, 0]


def test_the_prior_stays_last(engine_type: type, tmp_path: Path) -> None:
    # The network looks at the prior, too: the fourth channel takes part in its first colour.
    path = tmp_path / 'network.onnx'
    write_redness_network(path, (8, 16), batch=None, gain=2.0, prior_gain=1.0)
    engine = engine_type(path, FLOAT32_LOGITS)
    rgb = random_batch(2, channels=4)
    bgr = np.ascontiguousarray(rgb[..., [2, 1, 0, 3]])
    expected = redness(rgb) + rgb[..., 3] / 255.0
    np.testing.assert_allclose(engine.infer(rgb), expected, atol=1e-5)
    np.testing.assert_allclose(engine.infer(bgr, ChannelOrder.BGR), expected, atol=1e-5)


@pytest.mark.parametrize('features', [1, 4, 16])
def test_features_stay_last(engine_type: type, tmp_path: Path, features: int) -> None:
    # Each further channel counts twice as much as the one before it, so that their order shows.
    gains = np.array([[2.0, -3.0, 5.0, *(0.01 * 2.0**place for place in range(1 + features))]])
    path = write_linear_network(tmp_path / 'network.onnx', (8, 16), gains, batch=None)
    engine = engine_type(path, FLOAT32_LOGITS)
    rgb = random_batch(2, channels=4 + features)
    bgr = np.ascontiguousarray(rgb[..., [2, 1, 0, *range(3, 4 + features)]])
    expected = (rgb.astype(float) * gains[0]).sum(axis=3) / 255.0
    np.testing.assert_allclose(engine.infer(rgb), expected, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(engine.infer(bgr, ChannelOrder.BGR), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize('order', list(ChannelOrder))
def test_a_network_may_give_features_beside_its_logits(
    engine_type: type, tmp_path: Path, order: ChannelOrder
) -> None:
    gains = np.array([[12.0, -12.0, 0.0], [0.0, 3.0, -3.0], [1.0, 1.0, -40.0]])
    path = write_linear_network(tmp_path / 'network.onnx', (8, 16), gains, batch=1)
    rgb = random_batch(1)
    batch = rgb if order is ChannelOrder.RGB else np.ascontiguousarray(rgb[..., ::-1])
    expected = np.einsum('pc,nyxc->npyx', gains, rgb.astype(float)) / 255.0
    engine = engine_type(path, FLOAT32_LOGITS)
    assert engine.output.shape == (1, 3, 8, 16)
    np.testing.assert_allclose(engine.infer(batch, order), expected, rtol=1e-4, atol=1e-4)
    steps = engine_type(path, FLOAT32).infer(batch, order)
    assert (steps.shape, steps.dtype) == ((1, 3, 8, 16), np.uint8)
    wanted = np.clip(128.0 + 16.0 * expected, 0.0, 255.0)
    np.testing.assert_array_less(np.abs(steps - wanted), 0.501)


def test_a_batch_is_left_alone(engine: InferenceEngine) -> None:
    batch = random_batch(2)
    before = batch.copy()
    engine.infer(batch, ChannelOrder.BGR)
    np.testing.assert_array_equal(batch, before)


@pytest.mark.parametrize('order', list(ChannelOrder))
def test_a_read_only_batch_is_taken(engine: InferenceEngine, order: ChannelOrder) -> None:
    batch = random_batch(2)
    expected = engine.infer(batch, order).copy()
    batch.flags.writeable = False
    np.testing.assert_array_equal(engine.infer(batch, order), expected)


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


def test_an_unreadable_network_is_one_error(engine_type: type, tmp_path: Path) -> None:
    path = tmp_path / 'broken.onnx'
    path.write_bytes(b'\x08\x01broken')
    with pytest.raises(EngineError, match=r'broken\.onnx'):
        engine_type(path, FLOAT32)


@without_gpu
def test_auto_takes_the_first_that_opens_and_says_why(network: Path) -> None:
    pair = open_pair(network, network, backend='auto', options=FLOAT32)
    assert pair.refine.backend == 'openvino'
    assert pair.note == (
        f'openvino on {pair.refine.device}, the best that opens here; '
        f'passed over tensorrt, tensorrt_rtx: {NO_GPU}'
    )
    pair.close()


@without_gpu
def test_auto_says_what_it_passed_over(network: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, 'openvino', None)
    pair = open_pair(network, network, backend='auto', options=FLOAT32)
    assert pair.refine.backend == 'onnxruntime'
    assert f'passed over tensorrt, tensorrt_rtx: {NO_GPU};' in pair.note
    assert 'passed over openvino: openvino is not installed' in pair.note
    pair.close()


@without_gpu
def test_auto_asks_nothing_of_nvidia_libraries_without_a_gpu() -> None:
    code = (
        'import sys\n'
        'from pathlib import Path\n'
        'from stseg_ros.engines.backends import open_pair\n'
        'from stseg_ros.engines.engine_protocol import EngineOptions\n'
        'try:\n'
        "    path = Path('no.onnx')\n"
        "    open_pair(path, path, backend='auto', options=EngineOptions())\n"
        'except Exception as err:\n'
        '    print(type(err).__name__)\n'
        "nvidia = {'tensorrt', 'tensorrt_rtx', 'tensorrt_rtx_bindings', 'cuda', 'onnx'}\n"
        'print(sorted(nvidia & set(sys.modules)))'
    )
    shown = subprocess.run(
        [sys.executable, '-c', code], capture_output=True, text=True, check=True
    )
    assert shown.stdout.split('\n')[:2] == ['EngineError', '[]']


def test_auto_names_a_library_that_is_missing(
    network: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backends, 'find_gpu', lambda: 'a GPU')
    monkeypatch.setattr(backends, 'is_installed', lambda _: False)
    pair = open_pair(network, network, backend='auto', options=FLOAT32)
    assert pair.note.endswith('passed over tensorrt, tensorrt_rtx: not installed')
    pair.close()


def test_auto_that_is_stopped_does_not_go_on(
    network: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def open_engine(backend: str, path: Path, options: EngineOptions) -> InferenceEngine:
        raise EngineError(f'{backend}: the build was stopped')

    monkeypatch.setattr(backends, '_not_worth_a_try', lambda _: '')
    monkeypatch.setattr(backends, 'open_engine', open_engine)
    options = EngineOptions(stop=lambda: True)
    with pytest.raises(EngineError, match=r'^tensorrt: the build was stopped$'):
        open_pair(network, network, backend='auto', options=options)


def test_a_pair_closes_both_even_if_one_fails(network: Path) -> None:
    closed = []

    class Engine:
        def __init__(self, name: str) -> None:
            self.name = name

        def close(self) -> None:
            closed.append(self.name)
            raise EngineError(self.name)

    with pytest.raises(EngineError):
        EnginePair(coarse=Engine('coarse'), refine=Engine('refine'), note='').close()
    assert closed == ['refine', 'coarse']


def test_a_named_backend_is_never_replaced(network: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, 'openvino', None)
    with pytest.raises(EngineError, match=r'openvino is not installed .* pip install openvino'):
        open_pair(network, network, backend='openvino', options=FLOAT32)


def test_an_unknown_backend_lists_the_known(network: Path) -> None:
    known = 'auto, tensorrt, tensorrt_rtx, openvino, onnxruntime'
    with pytest.raises(ConfigError, match=f'expected one of {known}'):
        open_pair(network, network, backend='magic', options=FLOAT32)
