"""Tests of who shares networks with whom, and of what the cameras' masks are then."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.tiny_bundle import read_tiny_bundle
from support.tiny_features import block_image, read_feature_bundle

from stseg_ros.assembly import open_segmenter
from stseg_ros.bundle import ModelBundle
from stseg_ros.config import PipelineConfig
from stseg_ros.engines import backends
from stseg_ros.engines.backends import EnginePair
from stseg_ros.errors import ConfigError, EngineError
from stseg_ros.records import ChannelOrder, Frame, SegmentationResult
from stseg_ros.ros_node.many_cameras import shared_networks
from stseg_ros.ros_node.many_cameras.request_queue import Request, RequestQueue
from stseg_ros.ros_node.many_cameras.shared_networks import SharedNetworks
from stseg_ros.ros_node.many_cameras.shared_pair import SharedEngine, SharedPair
from stseg_ros.ros_node.networks import NetworkUser, OtherUserError

CONFIG = PipelineConfig(backend='onnxruntime', precision='float32', threads=1)
PATIENCE_S = 20.0


class Openings:
    """Counts the pairs that are opened and not closed; the real ones are behind it."""

    def __init__(self) -> None:
        self.opened = 0
        self.closed = 0
        self.error: Exception | None = None
        self.entered = threading.Event()
        self.gate: threading.Event | None = None
        self.progress: Callable[[float, str], None] | None = None

    def __call__(self, *paths: Path, **options: Any) -> EnginePair:
        self.progress = options['options'].progress
        self.entered.set()
        if self.gate is not None:
            assert self.gate.wait(PATIENCE_S)
        if self.error is not None:
            raise self.error
        self.opened += 1
        pair = backends.open_pair(*paths, **options)
        return _Counted(coarse=pair.coarse, refine=pair.refine, note=pair.note, openings=self)


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Counted(EnginePair):
    openings: Openings

    def close(self) -> None:
        EnginePair.close(self)
        self.openings.closed += 1


@pytest.fixture
def openings(monkeypatch: pytest.MonkeyPatch) -> Openings:
    openings = Openings()
    monkeypatch.setattr(shared_networks, 'open_pair', openings)
    return openings


@pytest.fixture
def bundle(tmp_path: Path) -> ModelBundle:
    return read_tiny_bundle(tmp_path)


@pytest.fixture(autouse=True)
def _no_threads_left(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """End the threads of a test that failed, which would otherwise keep the process alive."""
    made: list[SharedPair] = []

    class Noted(SharedPair):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments)
            made.append(self)

    monkeypatch.setattr(shared_networks, 'SharedPair', Noted)
    yield
    for pair in made:
        with suppress(RuntimeError):  # Closed already, as it should be.
            pair.close()


def user(name: str, told: list[Any] | None = None, stop: bool = False) -> NetworkUser:
    return NetworkUser(
        name=name,
        progress=lambda *_: None,
        stop=lambda: stop,
        fail=pytest.fail if told is None else told.append,
    )


def test_the_same_networks_are_opened_once_and_closed_by_the_last(
    openings: Openings, bundle: ModelBundle
) -> None:
    networks = SharedNetworks()
    front = networks.open(bundle, CONFIG, user('front'))
    # Settings of the pipeline are each camera's own.
    other = dataclasses.replace(CONFIG, regions=2, fusion='max', threshold=0.9)
    left = networks.open(bundle, other, user('left'))
    assert openings.opened == 1
    assert (front.segmenter.settings.regions, left.segmenter.settings.regions) == (4, 2)
    assert front.segmenter.backend_note == left.segmenter.backend_note
    front.segmenter.close()
    front.segmenter.close()
    assert openings.closed == 0
    left.segmenter.segment(Frame(image_hwc=np.zeros((32, 32, 3), np.uint8)))
    left.segmenter.close()
    assert openings.closed == 1
    networks.open(bundle, CONFIG, user('front')).segmenter.close()
    assert (openings.opened, openings.closed) == (2, 2)


@pytest.mark.parametrize(
    'other', [{'threads': 2}, {'precision': 'default'}, {'backend': 'auto'}], ids=str
)
def test_different_networks_are_different_pairs(
    openings: Openings, bundle: ModelBundle, other: dict[str, Any]
) -> None:
    networks = SharedNetworks()
    opened = [
        networks.open(bundle, config, user(str(number)))
        for number, config in enumerate((CONFIG, dataclasses.replace(CONFIG, **other)))
    ]
    assert openings.opened == 2
    for it in opened:
        it.segmenter.close()
    assert openings.closed == 2


def test_bundles_are_told_apart_by_what_is_in_them(openings: Openings, tmp_path: Path) -> None:
    networks = SharedNetworks()
    bundles = [
        read_tiny_bundle(tmp_path / 'a'),
        read_tiny_bundle(tmp_path / 'same'),
        read_tiny_bundle(tmp_path / 'other', refine_gain=4.0),
    ]
    opened = [networks.open(it, CONFIG, user(it.root.name)) for it in bundles]
    assert openings.opened == 2
    for it in opened:
        it.segmenter.close()
    assert openings.closed == 2


def test_cameras_that_start_together_open_the_networks_once(
    openings: Openings, bundle: ModelBundle
) -> None:
    networks = SharedNetworks()
    openings.gate = threading.Event()
    with ThreadPoolExecutor() as pool:
        opening = [pool.submit(networks.open, bundle, CONFIG, user(name)) for name in 'abc']
        assert openings.entered.wait(PATIENCE_S)
        openings.gate.set()
        opened = [it.result(PATIENCE_S) for it in opening]
    assert openings.opened == 1
    for it in opened:
        it.segmenter.close()
    assert openings.closed == 1


def test_all_that_wait_are_told_how_far_the_building_is(
    openings: Openings, bundle: ModelBundle
) -> None:
    networks = SharedNetworks()
    openings.gate = threading.Event()
    told: dict[str, list[tuple[float, str]]] = {'a': [], 'b': []}
    asked = threading.Event()

    def waiting(name: str) -> NetworkUser:
        return dataclasses.replace(
            user(name),
            progress=lambda share, phase: told[name].append((share, phase)),
            stop=lambda: asked.set() is not None,
        )

    with ThreadPoolExecutor() as pool:
        first = pool.submit(networks.open, bundle, CONFIG, waiting('a'))
        assert openings.entered.wait(PATIENCE_S)
        second = pool.submit(networks.open, bundle, CONFIG, waiting('b'))
        try:
            # It asks whether to stop while it waits.
            assert asked.wait(PATIENCE_S)
            assert openings.progress is not None
            openings.progress(0.4, 'trying tactics')
        finally:
            openings.gate.set()
        opened = [it.result(PATIENCE_S) for it in (first, second)]
    assert told == {name: [(0.4, 'trying tactics')] for name in 'ab'}
    openings.progress(0.5, 'late')
    assert len(told['a']) == 1
    for it in opened:
        it.segmenter.close()


def test_a_camera_that_waits_for_anothers_opening_can_be_stopped(
    openings: Openings, bundle: ModelBundle
) -> None:
    networks = SharedNetworks()
    openings.gate = threading.Event()
    with ThreadPoolExecutor() as pool:
        first = pool.submit(networks.open, bundle, CONFIG, user('a'))
        assert openings.entered.wait(PATIENCE_S)
        try:
            with pytest.raises(EngineError, match='stopped while another node opened'):
                networks.open(bundle, CONFIG, user('b', stop=True))
        finally:
            openings.gate.set()
        first.result(PATIENCE_S).segmenter.close()


def test_what_one_camera_cannot_open_another_may(openings: Openings, bundle: ModelBundle) -> None:
    networks = SharedNetworks()
    openings.error = EngineError('out of memory')
    with pytest.raises(EngineError, match='out of memory'):
        networks.open(bundle, CONFIG, user('a'))
    openings.error = None
    networks.open(bundle, CONFIG, user('b')).segmenter.close()
    assert (openings.opened, openings.closed) == (1, 1)


def test_networks_of_no_use_to_a_newcomer_are_not_given_to_it_again(
    openings: Openings, bundle: ModelBundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    networks = SharedNetworks()
    front = networks.open(bundle, CONFIG, user('front'))

    def fail(*_: Any) -> None:
        raise EngineError('the device is lost')

    with monkeypatch.context() as patch:
        patch.setattr(SharedEngine, 'infer', fail)
        with pytest.raises(EngineError, match='the device is lost'):
            networks.open(bundle, CONFIG, user('left'))
    # The one that has them keeps them.
    assert (openings.opened, openings.closed) == (1, 0)
    left = networks.open(bundle, CONFIG, user('left'))
    assert openings.opened == 2
    for it in (front, left):
        it.segmenter.segment(Frame(image_hwc=np.zeros((32, 32, 3), np.uint8)))
        it.segmenter.close()
    assert openings.closed == 2


def test_who_joins_while_networks_fail_is_told(openings: Openings, bundle: ModelBundle) -> None:
    networks = SharedNetworks()
    front = networks.open(bundle, CONFIG, user('front'))
    (shared,) = networks._shared.values()
    reporting = threading.Thread(target=front.report, args=[EngineError('the device is lost')])

    class Users(list[NetworkUser]):
        """The failure comes when the networks have been found good, and before they are used."""

        def append(self, new: NetworkUser) -> None:
            reporting.start()
            reporting.join(0.2)
            super().append(new)

    shared.users = Users(shared.users)
    told: list[Any] = []
    left = networks.open(bundle, CONFIG, user('left', told))
    reporting.join(PATIENCE_S)
    assert openings.opened == 1
    assert len(told) == 1
    for it in (front, left):
        it.segmenter.close()


def test_settings_that_do_not_fit_give_the_networks_back(
    openings: Openings, bundle: ModelBundle
) -> None:
    networks = SharedNetworks()
    with pytest.raises(ConfigError, match='at most 16'):
        networks.open(bundle, dataclasses.replace(CONFIG, regions=17), user('a'))
    assert openings.opened == openings.closed == 1


def test_one_graph_cannot_be_shared(openings: Openings, bundle: ModelBundle) -> None:
    config = dataclasses.replace(CONFIG, execution='one_graph')
    with pytest.raises(ConfigError, match=r'execution is one_graph.*expected stages'):
        SharedNetworks().open(bundle, config, user('a'))
    assert openings.opened == 0


def test_a_failure_is_told_to_the_others_and_opens_the_networks_anew(
    openings: Openings, bundle: ModelBundle
) -> None:
    networks = SharedNetworks()
    told: dict[str, list[Any]] = {'front': [], 'left': [], 'apart': []}
    front, left = (networks.open(bundle, CONFIG, user(it, told[it])) for it in ('front', 'left'))
    apart = networks.open(bundle, dataclasses.replace(CONFIG, threads=2), user('apart', []))
    front.report(EngineError('the device is lost'))
    assert {name: len(errors) for name, errors in told.items()} == {
        'front': 0,
        'left': 1,
        'apart': 0,
    }
    (error,) = told['left']
    assert str(error) == 'the device is lost (an image of front, on shared networks)'
    # The others stop by that, and have nothing to tell.
    left.report(error)
    assert told['front'] == []

    # Networks that have failed are given to nobody new; who has them may try again.
    assert openings.opened == 2
    front.segmenter.close()
    front = networks.open(bundle, CONFIG, user('front'))
    assert openings.opened == 3
    left.segmenter.segment(Frame(image_hwc=np.zeros((32, 32, 3), np.uint8)))
    left.segmenter.close()
    assert openings.closed == 1
    joined = networks.open(bundle, CONFIG, user('right'))
    assert openings.opened == 3
    for it in (front, apart, joined):
        it.segmenter.close()
    assert openings.closed == 3


def test_others_errors_are_engine_errors() -> None:
    assert issubclass(OtherUserError, EngineError)


def test_turns_are_taken_on_a_cpu_and_not_on_a_gpu() -> None:
    assert set(backends.BACKENDS) - {'openvino', 'onnxruntime'} == shared_networks._ON_A_GPU
    networks = SharedNetworks()
    turns = networks._turns('openvino')
    assert turns is networks._turns('onnxruntime')
    assert turns is not None
    assert networks._turns('tensorrt') is None
    asked_for = SharedNetworks(at_once=2)
    assert asked_for._turns('tensorrt') is asked_for._turns('openvino') is not None


def red_picture(seed: int, size_hw: tuple[int, int]) -> np.ndarray:
    """Draw a picture whose coarse map is doubtful in places that depend on the seed."""
    random = np.random.default_rng(seed)
    image = random.integers(0, 60, (*size_hw, 3), np.uint8)
    height, width = size_hw
    for _ in range(6):
        top, left = random.integers(0, height * 3 // 4), random.integers(0, width * 3 // 4)
        image[top : top + height // 4, left : left + width // 5, 0] += 120
    return image


class Counts:
    """Tells when so many requests of each stage have been made."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.coarse = self.refine = 0
        self.changed = threading.Condition()
        put = RequestQueue.put

        def counted(queue: RequestQueue, request: Request) -> None:
            put(queue, request)
            with self.changed:
                is_coarse = request.network.input.shape[0] == 1
                self.coarse += is_coarse
                self.refine += not is_coarse
                self.changed.notify_all()

        monkeypatch.setattr(RequestQueue, 'put', counted)

    def wait_for(self, *, coarse: int, refine: int) -> None:
        with self.changed:
            assert self.changed.wait_for(
                lambda: self.coarse >= coarse and self.refine >= refine, PATIENCE_S
            )


class HeldNetwork:
    """A network that notes its batches, and may be held up before each."""

    def __init__(self, network: Any) -> None:
        self._network = network
        self.hold: Callable[[int], None] | None = None
        self.batches: list[int] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._network, name)

    def infer(self, batch_nhwc: np.ndarray, order: ChannelOrder) -> Any:
        self.batches.append(len(batch_nhwc))
        if self.hold is not None:
            self.hold(len(self.batches))
        return self._network.infer(batch_nhwc, order)


@pytest.mark.parametrize('backend', ['onnxruntime', 'openvino'])
def test_joined_regions_give_each_camera_the_mask_that_it_gets_alone(
    monkeypatch: pytest.MonkeyPatch, bundle: ModelBundle, backend: str
) -> None:
    pytest.importorskip(backend)
    config = dataclasses.replace(CONFIG, backend=backend)
    cameras = {
        'front': (dataclasses.replace(config, regions=5, fusion='add'), (128, 256)),
        'left': (dataclasses.replace(config, regions=3, fusion='paste'), (96, 200)),
        'right': (dataclasses.replace(config, regions=8, threshold=0.7), (375, 1242)),
    }
    frames = {
        name: Frame(image_hwc=red_picture(number, size_hw))
        for number, (name, (_, size_hw)) in enumerate(cameras.items())
    }
    alone = {}
    for name, (own, _) in cameras.items():
        segmenter = open_segmenter(bundle, own)
        alone[name] = segmenter.segment(frames[name])
        segmenter.close()

    held: list[HeldNetwork] = []

    def open_held(*paths: Path, **options: Any) -> EnginePair:
        pair = backends.open_pair(*paths, **options)
        held.extend([HeldNetwork(pair.coarse), HeldNetwork(pair.refine)])
        return EnginePair(coarse=held[0], refine=held[1], note=pair.note)

    monkeypatch.setattr(shared_networks, 'open_pair', open_held)
    networks = SharedNetworks(at_once=3)
    opened = {name: networks.open(bundle, own, user(name)) for name, (own, _) in cameras.items()}
    for network in held:
        network.batches.clear()
    counts = Counts(monkeypatch)
    # Stage 1 begins once all frames wait for it; while it looks at the last one, the regions of
    # the two others come to wait.
    needed = {1: (3, 0), 2: (3, 0), 3: (3, 2)}
    held[0].hold = lambda call: counts.wait_for(coarse=needed[call][0], refine=needed[call][1])

    def segment(name: str) -> SegmentationResult:
        turns = opened[name].turns
        assert turns is not None
        with turns:
            return opened[name].segmenter.segment(frames[name])

    with ThreadPoolExecutor() as pool:
        results = dict(zip(cameras, pool.map(segment, cameras), strict=True))
    assert held[0].batches == [1, 1, 1]
    assert len(held[1].batches) == 2
    assert sum(held[1].batches) == 5 + 3 + 8
    for name, result in results.items():
        assert result.mask_hw.any()
        np.testing.assert_array_equal(result.mask_hw, alone[name].mask_hw)
        np.testing.assert_array_equal(result.logit_bytes_hw, alone[name].logit_bytes_hw)
        np.testing.assert_array_equal(
            result.selection.boxes_xyxy, alone[name].selection.boxes_xyxy
        )
    for it in opened.values():
        it.segmenter.close()


@pytest.mark.parametrize('backend', ['onnxruntime', 'openvino'])
def test_cameras_share_networks_that_pass_features_on(tmp_path: Path, backend: str) -> None:
    pytest.importorskip(backend)
    bundle = read_feature_bundle(tmp_path)
    config = dataclasses.replace(CONFIG, backend=backend, regions=5, fusion='paste')
    segmenter = open_segmenter(bundle, config)
    frames = [Frame(image_hwc=block_image(number)) for number in range(3)]
    alone = [segmenter.segment(frame) for frame in frames]
    segmenter.close()
    networks = SharedNetworks(at_once=3)
    opened = [networks.open(bundle, config, user(str(number))) for number in range(3)]
    with ThreadPoolExecutor() as pool:
        results = list(
            pool.map(
                lambda it, frame: it.segmenter.segment(frame), opened, frames, timeout=PATIENCE_S
            )
        )
    for result, expected in zip(results, alone, strict=True):
        np.testing.assert_array_equal(result.logit_bytes_hw, expected.logit_bytes_hw)
    for it in opened:
        it.segmenter.close()
