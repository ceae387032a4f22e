"""Recordings are freed, and a stream is usable after one that went wrong."""

from __future__ import annotations

import pytest
from support.fake_cuda import FakeCuda

from stseg_ros.engines.cuda.graphs import CapturedGraph
from stseg_ros.engines.cuda.runtime import CudaRuntime
from stseg_ros.errors import EngineError


def record(fake: FakeCuda) -> CapturedGraph:
    cuda = CudaRuntime(fake)
    stream = fake.cudaStreamCreateWithFlags(1)[1]

    def enqueue() -> None:
        fake.calls.append('enqueue')
        assert fake.recording

    graph = CapturedGraph(cuda, stream, enqueue)
    graph.launch(stream)
    return graph


def test_work_is_queued_once_and_replayed() -> None:
    fake = FakeCuda()
    graph = record(fake)
    assert fake.calls[1:] == [
        'cudaStreamBeginCapture',
        'enqueue',
        'cudaStreamEndCapture',
        'cudaGraphInstantiateWithFlags',
        'cudaGraphLaunch',
    ]
    graph.close()
    graph.close()
    assert [kind for kind, _ in fake.live] == ['stream']


@pytest.mark.parametrize('fail_at', [1, 3, 4])
def test_a_failed_recording_leaves_nothing(fail_at: int) -> None:
    fake = FakeCuda(fail_at)
    with pytest.raises(EngineError):
        record(fake)
    assert not fake.recording
    assert [kind for kind, _ in fake.live] == ['stream']


def test_work_that_cannot_be_recorded_ends_the_recording() -> None:
    fake = FakeCuda()
    stream = fake.cudaStreamCreateWithFlags(1)[1]

    def enqueue() -> None:
        raise EngineError('not while recording')

    with pytest.raises(EngineError, match='not while recording'):
        CapturedGraph(CudaRuntime(fake), stream, enqueue)
    assert not fake.recording
    assert not fake.error_is_set
    assert [kind for kind, _ in fake.live] == ['stream']
