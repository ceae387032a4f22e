"""Graphs of frames on TensorRT, around the GPU."""

from __future__ import annotations

import pytest
from support.fake_cuda import FakeCuda
from support.nvidia import FakeCache, random_batch

from stseg_ros.engines.engine_protocol import EngineOptions
from stseg_ros.engines.onnx_source import NamedModel
from stseg_ros.engines.tensorrt.graph import TensorRtGraph
from stseg_ros.errors import EngineError

MODEL = NamedModel(name='a frame', content=b'a model')


def test_a_graph_runs_by_names(cache: FakeCache) -> None:
    runner = TensorRtGraph(MODEL, EngineOptions(precision='float32'))
    assert runner.device == 'NVIDIA Model T (fp32, CUDA graph)'
    assert runner.run({'image': random_batch(4)})['logits'].shape == (4, 8, 16)
    runner.close()
    with pytest.raises(EngineError, match='closed'):
        runner.run({'image': random_batch(4)})


def test_without_a_recording_the_device_says_so(cache: FakeCache, fake: FakeCuda) -> None:
    runner = TensorRtGraph(MODEL, EngineOptions())
    # Another set of outputs is another recording.
    fake.calls.clear()
    fake.fail_at = 3
    runner.run({'image': random_batch(4)}, without=('logits',))
    assert fake.calls[3] == 'cudaStreamBeginCapture'
    assert 'no CUDA graph: cudaStreamBeginCapture failed' in runner.device
    runner.close()


def test_what_is_not_asked_for_stays_on_the_device(cache: FakeCache, fake: FakeCuda) -> None:
    runner = TensorRtGraph(MODEL, EngineOptions())
    fake.calls.clear()
    assert runner.run({'image': random_batch(3)}, without=('logits',)) == {}
    # Up before the run, and up in the recording of it.
    assert fake.calls.count('cudaMemcpyAsync') == 2
    runner.close()
