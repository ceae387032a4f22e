"""Tests of networks that run in a thread of their own."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.tiny_bundle import COARSE_FACTOR, GRID, WORKING_HW

from stseg_ros.engines.backends import EnginePair, open_pair
from stseg_ros.engines.engine_protocol import EngineOptions
from stseg_ros.errors import EngineError
from stseg_ros.ros_node.many_cameras.shared_pair import SharedPair

REGION_HW = WORKING_HW[0] // GRID[0], WORKING_HW[1] // GRID[1]
COARSE_HW = WORKING_HW[0] // COARSE_FACTOR, WORKING_HW[1] // COARSE_FACTOR


class Watched:
    """A network that notes in which threads it is used."""

    def __init__(self, network: Any) -> None:
        self._network = network
        self.threads = [threading.current_thread().name]
        self.error: Exception | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._network, name)

    def infer(self, *arguments: Any) -> Any:
        self.threads.append(threading.current_thread().name)
        return self._network.infer(*arguments)

    def close(self) -> None:
        self.threads.append(threading.current_thread().name)
        self._network.close()
        if self.error is not None:
            raise self.error


@pytest.fixture
def networks() -> list[Watched]:
    return []


@pytest.fixture
def pair(tiny_bundle: Path, networks: list[Watched]) -> Iterator[SharedPair]:
    def open_networks() -> EnginePair:
        opened = open_pair(
            tiny_bundle / 'coarse.onnx',
            tiny_bundle / 'refine.onnx',
            backend='onnxruntime',
            options=EngineOptions(max_batch=16, threads=1),
        )
        networks.extend([Watched(opened.coarse), Watched(opened.refine)])
        return EnginePair(coarse=networks[0], refine=networks[1], note=opened.note)

    pair = SharedPair(open_networks, max_batch=16)
    yield pair
    with suppress(RuntimeError):  # Closed already, as most tests do.
        pair.close()


def inference_threads() -> list[str]:
    names = (thread.name for thread in threading.enumerate())
    return [name for name in names if name.startswith('inference')]


def test_one_thread_opens_runs_and_closes(pair: SharedPair, networks: list[Watched]) -> None:
    released: list[int] = []
    lent = pair.lend(lambda: released.append(1))
    assert lent.note.startswith('onnxruntime on ')
    assert lent.refine.input.shape == (None, *REGION_HW, 3)
    # The tiny networks' logits are 8 (R - G) / 255, and a byte is 128 + 16 logits.
    red = np.zeros((2, *REGION_HW, 3), np.uint8)
    red[1, ..., 0] = 102
    logits = lent.refine.infer(red)
    assert (logits[0] == 128).all()
    assert (logits[1] == round(128 + 16 * 8 * 102 / 255)).all()
    assert (lent.coarse.infer(np.zeros((1, *COARSE_HW, 3), np.uint8)) == 128).all()
    lent.close()
    assert released == [1, 1]
    pair.close()
    (thread,) = {name for network in networks for name in network.threads}
    assert thread.startswith('inference')
    assert inference_threads() == []


def test_a_batch_that_does_not_fit_is_refused_before_it_is_joined(
    pair: SharedPair, networks: list[Watched]
) -> None:
    lent = pair.lend(lambda: None)
    before = len(networks[1].threads)
    with pytest.raises(EngineError, match='the network takes uint8'):
        lent.refine.infer(np.zeros((1, 8, 8, 3), np.uint8))
    assert len(networks[1].threads) == before
    pair.close()


def test_after_closing_every_use_is_an_error(pair: SharedPair) -> None:
    lent = pair.lend(lambda: None)
    pair.close()
    with pytest.raises(EngineError, match='closed'):
        lent.coarse.infer(np.zeros((1, *COARSE_HW, 3), np.uint8))


def test_what_does_not_close_ends_the_thread(pair: SharedPair, networks: list[Watched]) -> None:
    networks[0].error = EngineError('the device is lost')
    with pytest.raises(EngineError, match='the device is lost'):
        pair.close()
    assert inference_threads() == []


def test_what_does_not_open_leaves_no_thread() -> None:
    def fail() -> EnginePair:
        raise EngineError('no such backend here')

    with pytest.raises(EngineError, match='no such backend here'):
        SharedPair(fail, max_batch=1)
    assert inference_threads() == []
