"""Order, errors and freeing when plans run, on a CUDA that fails at every call in turn."""

from __future__ import annotations

import gc
import threading
from collections import Counter

import numpy as np
import pytest
from support.fake_cuda import FakeCuda
from support.fake_tensorrt import PLAN, fake_library

from stseg_ros.engines.cuda_runtime import CudaRuntime
from stseg_ros.engines.tensorrt_plan import PlanRejectedError
from stseg_ros.engines.tensorrt_session import PlanSession
from stseg_ros.errors import EngineError

SHAPE = (2, 8, 16, 3)
FREEING = {
    'stream': 'cudaStreamDestroy',
    'device': 'cudaFree',
    'pinned': 'cudaFreeHost',
    'graph': 'cudaGraphDestroy',
    'executable': 'cudaGraphExecDestroy',
}


def open_session(fake: FakeCuda, plan: bytes = PLAN) -> PlanSession:
    return PlanSession(fake_library(fake), plan, CudaRuntime(fake))


def run(session: PlanSession, count: int = 2) -> np.ndarray:
    shape = (count, *SHAPE[1:])
    session.staging('image', shape)[...] = 7
    return session.execute({'image': shape})['logits']


def whole_life(fake: FakeCuda) -> PlanSession:
    """Open, run twice with one batch size and once with another, close."""
    session = open_session(fake)
    try:
        run(session)
        run(session)
        run(session, 3)
    finally:
        session.close()
    return session


def test_tensors_are_described_inputs_first() -> None:
    session = open_session(FakeCuda())
    (image,), (logits,) = session.inputs, session.outputs
    assert (image.name, image.shape, image.largest) == ('image', (None, 8, 16, 3), (4, 8, 16, 3))
    assert (logits.name, logits.shape, logits.largest) == ('logits', (None, 8, 16), (4, 8, 16))
    assert image.largest_bytes == 4 * 8 * 16 * 3
    session.close()


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


def test_a_refused_recording_is_said_and_not_tried_again() -> None:
    counted = FakeCuda()
    whole_life(counted)
    fake = FakeCuda(fail_at=counted.calls.index('cudaStreamEndCapture'))
    session = open_session(fake)
    run(session)
    assert 'cudaStreamEndCapture failed' in session.no_graph
    fake.calls.clear()
    run(session)
    run(session, 3)
    assert 'cudaStreamBeginCapture' not in fake.calls
    assert 'cudaGraphLaunch' not in fake.calls
    session.close()
    assert not fake.live


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
    assert fake.freed[:7] == ['context', *['executable', 'graph'] * 2, 'context', 'context']


@pytest.mark.parametrize('thrown', [None, RuntimeError, TypeError])
def test_a_failure_of_any_call_is_one_error_and_leaks_nothing(
    thrown: type[Exception] | None,
) -> None:
    counted = FakeCuda()
    whole_life(counted)
    assert not counted.live
    for fail_at, name in enumerate(counted.calls):
        fake = FakeCuda(fail_at, thrown=thrown)
        failed = None
        try:
            session = whole_life(fake)
        except EngineError as err:
            failed = str(err)
        gc.collect()
        freeing = 'Free' in name or 'Destroy' in name
        # What could not be freed is all that may be left.
        assert len(fake.live) == (1 if freeing else 0), (fail_at, name, fake.live)
        assert not fake.recording
        recording = failed is None and session.no_graph != ''
        assert failed is not None or recording, (fail_at, name)
        assert '\n' not in (failed or session.no_graph)


def test_after_an_error_that_stays_everything_is_still_given_back_once() -> None:
    counted = FakeCuda()
    whole_life(counted)
    for fail_at, name in enumerate(counted.calls):
        fake = FakeCuda(fail_at, is_sticky=True)
        with pytest.raises(EngineError) as failed:
            whole_life(fake)
        # Told is what failed first, not what failed because of it. Recordings may fail untold, and
        # of several things that cannot be freed the last one is told.
        before = Counter(counted.calls[:fail_at])
        recording = before['cudaStreamBeginCapture'] > before['cudaGraphInstantiateWithFlags']
        freeing = fail_at >= counted.calls.index('cudaGraphExecDestroy')
        if name.startswith('cuda') and not (recording or freeing or 'BeginCapture' in name):
            assert f'{name} failed: cudaErrorIllegalAddress' in str(failed.value), fail_at
        del failed
        gc.collect()
        # CUDA frees nothing any more, so that all it held is there still.
        held = Counter(FREEING[kind] for kind, _ in fake.live)
        asked = Counter(call for call in fake.calls[fail_at:] if call in FREEING.values())
        assert asked == held, (fail_at, name)
        assert not fake.recording


@pytest.mark.parametrize(
    ('call', 'kind', 'message'),
    [
        ('Runtime', EngineError, r'tensorrt 10\.13\.0 does not start: .*nullptr'),
        ('deserialize_cuda_engine', PlanRejectedError, 'does not load the plan: thrown'),
        ('create_execution_context', EngineError, 'cannot make a context: thrown'),
        ('set_input_shape', EngineError, 'cannot describe the plan: thrown'),
    ],
)
def test_what_the_bindings_raise_is_told_apart(
    call: str, kind: type[EngineError], message: str
) -> None:
    counted = FakeCuda()
    open_session(counted)
    fake = FakeCuda(counted.calls.index(call), thrown=RuntimeError)
    with pytest.raises(EngineError, match=message) as failed:
        open_session(fake)
    assert type(failed.value) is kind


def test_after_a_failure_the_session_says_what_it_was() -> None:
    counted = FakeCuda()
    open_session(counted)
    opened = len(counted.calls)
    run(open_session(counted))
    fake = FakeCuda(fail_at=opened + counted.calls[2 * opened :].index('cudaStreamSynchronize'))
    session = open_session(fake)
    with pytest.raises(EngineError, match='tensorrt failed: cudaStreamSynchronize failed'):
        run(session)
    assert not fake.live
    for attempt in (lambda: run(session), lambda: session.execute({'image': SHAPE})):
        with pytest.raises(EngineError, match=r'closed since it failed: cudaStreamSynchronize'):
            attempt()
    session.close()


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
    monkeypatch.setattr('stseg_ros.engines.tensorrt_session._CONTEXTS_KEPT', 2)
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


def test_a_plan_that_does_not_load_is_told_apart() -> None:
    fake = FakeCuda()
    with pytest.raises(PlanRejectedError, match=r'tensorrt 10\.13\.0 does not load the plan'):
        open_session(fake, b'something else')
    assert not fake.live


def test_a_failure_while_freeing_does_not_stop_the_freeing() -> None:
    counted = FakeCuda()
    whole_life(counted)
    first_free = counted.calls.index('cudaFree')
    fake = FakeCuda(fail_at=first_free)
    session = open_session(fake)
    for count in (2, 2, 3):
        run(session, count)
    with pytest.raises(EngineError, match='cudaFree failed'):
        session.close()
    assert [kind for kind, _ in fake.live] == ['device']
    session.close()
