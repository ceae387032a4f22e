"""Order, recordings and freeing when plans run."""

from __future__ import annotations

import gc
import threading

import numpy as np
import pytest
from support.fake_cuda import FakeCuda
from support.fake_tensorrt import PLAN, fake_library
from support.plan_sessions import SHAPE, open_session, run, use, whole_life
from support.tensorrt_names import LACKS

from stseg_ros.engines.cuda.runtime import CudaRuntime
from stseg_ros.engines.tensorrt.session import PlanSession
from stseg_ros.errors import EngineError


def test_tensors_are_described_inputs_first() -> None:
    session = open_session(FakeCuda())
    (image,), (logits,) = session.inputs, session.outputs
    assert (image.name, image.shape, image.largest) == ('image', (None, 8, 16, 3), (4, 8, 16, 3))
    assert (logits.name, logits.shape, logits.largest) == ('logits', (None, 8, 16), (4, 8, 16))
    assert image.largest_bytes == 4 * 8 * 16 * 3
    session.close()


@pytest.mark.parametrize(('name', 'version'), LACKS)
def test_a_plan_runs_with_the_names_that_each_version_has(name: str, version: str) -> None:
    fake = FakeCuda()
    session = PlanSession(fake_library(fake, name=name, version=version), PLAN, CudaRuntime(fake))
    use(session)
    assert session.no_graph == ''
    session.close()
    gc.collect()
    assert not fake.live


def test_a_plan_without_a_free_axis_has_no_profile() -> None:
    fake = FakeCuda()
    session = PlanSession(fake_library(fake, is_free=False), PLAN, CudaRuntime(fake))
    ((image,), (logits,)) = session.inputs, session.outputs
    assert image.shape == image.largest == (4, 8, 16, 3)
    assert logits.shape == logits.largest == (4, 8, 16)
    assert run(session, 4).shape == (4, 8, 16)
    session.close()


def test_the_first_run_of_a_size_is_recorded_and_the_second_replayed() -> None:
    fake = FakeCuda()
    session = open_session(fake)
    queued = ['cudaMemcpyAsync', 'execute_async_v3', 'cudaMemcpyAsync']
    recording = ['cudaStreamBeginCapture', *queued, 'cudaStreamEndCapture']
    for count in (2, 3):
        fake.calls.clear()
        assert run(session, count).shape == (count, 8, 16)
        assert (
            fake.calls[-9:]
            == [
                *queued,
                'cudaStreamSynchronize',
                *recording,
                'cudaGraphInstantiateWithFlags',
            ][-9:]
        )
    for count in (2, 3, 2):
        fake.calls.clear()
        assert run(session, count).shape == (count, 8, 16)
        assert fake.calls == ['cudaGraphLaunch', 'cudaStreamSynchronize']
    assert session.no_graph == ''
    session.close()


def test_outputs_that_are_not_wanted_stay_on_the_device() -> None:
    fake = FakeCuda()
    session = open_session(fake)
    run(session)
    for _ in range(2):
        session.staging('image', SHAPE)
        fake.calls.clear()
        assert session.execute({'image': SHAPE}, without=('logits',)) == {}
    # A recording of its own, made at the first of the two runs, and no other context.
    assert fake.calls == ['cudaGraphLaunch', 'cudaStreamSynchronize']
    fake.calls.clear()
    assert run(session).shape == (2, 8, 16)
    assert fake.calls == ['cudaGraphLaunch', 'cudaStreamSynchronize']
    kinds = [kind for kind, _ in fake.live]
    assert [kinds.count(kind) for kind in ('context', 'graph')] == [1, 2]
    session.close()
    gc.collect()
    assert not fake.live


def test_without_an_output_nothing_is_copied_for_it() -> None:
    fake = FakeCuda()
    session = open_session(fake)
    fake.calls.clear()
    session.execute({'image': SHAPE}, without=('logits',))
    assert fake.calls.count('cudaMemcpyAsync') == 2  # up, and up again for the recording
    session.close()


def test_inputs_lie_in_pinned_memory() -> None:
    session = open_session(FakeCuda())
    image = session.staging('image', SHAPE)
    image[...] = 9
    assert np.shares_memory(image, session.staging('image', SHAPE))
    assert (session.staging('image', SHAPE) == 9).all()
    session.close()


def test_a_larger_batch_than_the_plans_leaves_the_session_open() -> None:
    session = open_session(FakeCuda())
    with pytest.raises(EngineError, match=r'got \(5, 8, 16, 3\), the plan was built for up to'):
        session.staging('image', (5, 8, 16, 3))
    run(session)
    session.close()


def test_everything_is_freed_in_reverse_order() -> None:
    fake = FakeCuda()
    session = open_session(fake)
    run(session)
    made = [kind for kind, _ in fake.live]
    assert made == [
        'stream',
        *['device'],
        *['pinned', 'device'] * 2,
        'context',
        'graph',
        'executable',
    ]
    fake.calls.clear()
    fake.freed.clear()
    session.close()
    gc.collect()
    # A recording may not outlive the context that it was made from.
    assert fake.freed[:3] == ['executable', 'graph', 'context']
    assert fake.calls == [
        'cudaGraphExecDestroy',
        'cudaGraphDestroy',
        *['cudaFree', 'cudaFreeHost'] * 2,
        'cudaFree',
        'cudaStreamDestroy',
    ]
    assert not fake.live
    session.close()


def test_all_recordings_are_freed_before_any_context() -> None:
    fake = FakeCuda()
    whole_life(fake)
    gc.collect()
    # The first context was there for the description alone.
    assert fake.freed[:9] == ['context', *['executable', 'graph'] * 3, 'context', 'context']


def test_a_closed_session_refuses() -> None:
    session = open_session(FakeCuda())
    session.close()
    with pytest.raises(EngineError, match='tensorrt: the network is closed'):
        run(session)


def test_another_thread_takes_the_device() -> None:
    fake = FakeCuda()
    session = open_session(fake)
    run(session)
    fake.calls.clear()
    thread = threading.Thread(target=run, args=(session,))
    thread.start()
    thread.join()
    assert fake.calls == ['cudaSetDevice', 'cudaGraphLaunch', 'cudaStreamSynchronize']
    session.close()


def test_contexts_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr('stseg_ros.engines.tensorrt.session._CONTEXTS_KEPT', 2)
    fake = FakeCuda()
    session = open_session(fake)
    for count in (1, 2, 1, 3, 1):
        run(session, count)
    gc.collect()
    kinds = [kind for kind, _ in fake.live]
    assert [kinds.count(kind) for kind in ('context', 'graph', 'executable')] == [2, 2, 2]
    # 1 was used last before 3 came, so 2 gave way.
    fake.calls.clear()
    run(session, 1)
    assert fake.calls == ['cudaGraphLaunch', 'cudaStreamSynchronize']
    session.close()
    assert not fake.live
