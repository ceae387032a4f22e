"""Errors and freeing when plans run, on a CUDA that fails at every call in turn."""

from __future__ import annotations

import gc
from collections import Counter

import pytest
from support.fake_cuda import FakeCuda
from support.plan_sessions import SHAPE, open_session, run, use, whole_life

from stseg_ros.engines.tensorrt.loaded_plan import PlanRejectedError
from stseg_ros.errors import EngineError

FREEING = {
    'stream': 'cudaStreamDestroy',
    'device': 'cudaFree',
    'pinned': 'cudaFreeHost',
    'graph': 'cudaGraphDestroy',
    'executable': 'cudaGraphExecDestroy',
}


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
        ('Runtime', EngineError, r'tensorrt 10\.13\.3 does not start: .*nullptr'),
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


@pytest.mark.parametrize(
    ('count', 'call'),
    [
        (2, 'cudaGraphLaunch'),
        (2, 'cudaStreamSynchronize'),
        (3, 'set_tensor_address'),
        (3, 'execute_async_v3'),
    ],
)
def test_after_a_failure_contexts_go_before_what_they_use(count: int, call: str) -> None:
    counted = FakeCuda()
    session = open_session(counted)
    run(session)
    opened = len(counted.calls)
    run(session, count)
    fake = FakeCuda(fail_at=opened + counted.calls[opened:].index(call))
    session = open_session(fake)
    run(session)
    fake.freed.clear()
    with pytest.raises(EngineError, match='tensorrt failed') as failed:
        run(session, count)
    # While the error is still held, and with it what its traceback holds.
    contexts = 1 if count == 2 else 2
    assert sorted(fake.freed[: 2 + contexts]) == ['context'] * contexts + ['executable', 'graph']
    assert fake.freed[2 + contexts] == 'device'
    assert not fake.live
    del failed


def test_a_plan_that_does_not_load_is_told_apart() -> None:
    fake = FakeCuda()
    with pytest.raises(PlanRejectedError, match=r'tensorrt 10\.13\.3 does not load the plan'):
        open_session(fake, b'something else')
    assert not fake.live


def test_a_failure_while_freeing_does_not_stop_the_freeing() -> None:
    counted = FakeCuda()
    whole_life(counted)
    first_free = counted.calls.index('cudaFree')
    fake = FakeCuda(fail_at=first_free)
    session = open_session(fake)
    use(session)
    with pytest.raises(EngineError, match='cudaFree failed'):
        session.close()
    assert [kind for kind, _ in fake.live] == ['device']
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
