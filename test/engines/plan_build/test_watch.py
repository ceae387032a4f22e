"""Builds that run beside the caller: progress, stopping, Ctrl-C."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from stseg_ros.engines.plan_build.watch import BuildWatch, PhaseTree, run_watched
from stseg_ros.engines.tensorrt.library import TensorRtLibrary

PATIENCE_S = 60.0


def wait_for_cancellation(watch: BuildWatch) -> str:
    """Build until told to stop."""
    assert watch.cancelled.wait(PATIENCE_S)
    return 'cancelled'


def test_steps_of_parts_count_within_a_step_of_the_whole() -> None:
    tree = PhaseTree()
    assert tree.share() == 0.0
    tree.start('whole', None, 4)
    tree.complete('whole', 0)
    assert tree.share() == pytest.approx(0.25)
    tree.start('part', 'whole', 2)
    tree.complete('part', 0)
    assert tree.share() == pytest.approx(0.25 + 0.5 / 4)
    tree.start('detail', 'part', 5)
    tree.complete('detail', 2)
    assert tree.share() == pytest.approx(0.25 + (0.5 + 0.6 / 2) / 4)
    tree.finish('detail')
    tree.finish('part')
    tree.complete('whole', 1)
    assert tree.share() == pytest.approx(0.5)


def test_the_share_never_falls_and_never_passes_one() -> None:
    tree = PhaseTree()
    tree.start('whole', None, 2)
    tree.complete('whole', 1)
    tree.start('part', 'whole', 0)
    tree.complete('part', 7)
    assert tree.share() == 1.0
    tree.finish('whole')
    tree.start('another', None, 10)
    tree.complete('unknown', 3)
    assert tree.share() == 1.0


@pytest.fixture
def _hasty_threads() -> Iterator[None]:
    """Let threads take turns as often as they can."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-7)
    yield
    sys.setswitchinterval(usual)


@pytest.mark.usefixtures('_hasty_threads')
def test_a_library_may_report_from_several_threads() -> None:
    watch = BuildWatch()
    module = SimpleNamespace(IProgressMonitor=object)
    monitor = watch.monitor(TensorRtLibrary(name='tensorrt', version='10.3', module=module))
    threads, phases, steps = 4, 40, 8
    started = threading.Barrier(threads)
    errors: list[BaseException] = []

    def report(number: int) -> None:
        try:
            started.wait(PATIENCE_S)
            for phase in range(phases):
                name = f'{number}, {phase}'
                monitor.phase_start(name, 'whole', steps)
                for step in range(steps):
                    assert monitor.step_complete(name, step)
                monitor.phase_finish(name)
                monitor.step_complete('whole', number * phases + phase)
        except BaseException as err:  # noqa: BLE001 - raised again below
            errors.append(err)

    monitor.phase_start('whole', None, threads * phases)
    workers = [threading.Thread(target=report, args=(number,)) for number in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    if errors:
        raise errors[0]
    shares = [watch.progress.get_nowait() for _ in range(watch.progress.qsize())]
    assert None not in shares
    assert len(shares) == 1 + threads * phases * (1 + steps + 1)
    assert shares == sorted(shares, key=lambda news: news[0] if news else 0.0)


def test_what_a_build_returns_or_raises_reaches_the_caller() -> None:
    assert run_watched(lambda _: threading.current_thread().name, progress=None, stop=None) == (
        'build'
    )

    def fail(watch: BuildWatch) -> None:
        raise ValueError('no memory')

    with pytest.raises(ValueError, match='no memory'):
        run_watched(fail, progress=None, stop=None)


def test_progress_comes_in_order_in_the_callers_thread() -> None:
    heard = []

    def build(watch: BuildWatch) -> None:
        for share in (0.0, 0.5, 0.9):
            watch.progress.put((share, f'phase {share}'))

    def progress(share: float, phase: str) -> None:
        heard.append((threading.current_thread(), share, phase))

    run_watched(build, progress=progress, stop=None)
    here = threading.current_thread()
    assert heard == [(here, share, f'phase {share}') for share in (0.0, 0.5, 0.9)]


def test_stop_cancels_the_build() -> None:
    asked = []

    def stop() -> bool:
        asked.append(threading.current_thread())
        return len(asked) == 3

    assert run_watched(wait_for_cancellation, progress=None, stop=stop) == 'cancelled'
    assert set(asked) == {threading.current_thread()}


def test_ctrl_c_ends_the_build_before_it_is_raised() -> None:
    ended = threading.Event()

    def build(watch: BuildWatch) -> None:
        watch.progress.put((0.1, 'begun'))
        wait_for_cancellation(watch)
        ended.set()

    def progress(share: float, phase: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_watched(build, progress=progress, stop=None)
    assert ended.is_set()
