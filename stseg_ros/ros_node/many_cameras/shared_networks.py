"""The networks of a process with several cameras: each opened once, for all that use it."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from stseg_ros.assembly import open_segmenter
from stseg_ros.bundle import file_sha256
from stseg_ros.config import ONE_GRAPH
from stseg_ros.engines.backends import EnginePair, open_pair
from stseg_ros.errors import ConfigError, EngineError
from stseg_ros.ros_node.many_cameras.shared_pair import SharedPair
from stseg_ros.ros_node.many_cameras.turns import Turns
from stseg_ros.ros_node.networks import NetworkUser, OpenedNetworks, OtherUserError

if TYPE_CHECKING:
    from stseg_ros.bundle import ModelBundle
    from stseg_ros.config import PipelineConfig
    from stseg_ros.engines.engine_protocol import EngineOptions

# There one camera's steps on the host run while the GPU works for another, and a joined batch
# takes less than its parts. On a CPU the networks take all cores, and a batch as long as its
# parts: images worked on at once would only all be late.
_ON_A_GPU = frozenset({'tensorrt', 'tensorrt_rtx'})
_ASK_TO_STOP_S = 0.2


class _Key(NamedTuple):
    """What makes networks the same."""

    coarse_sha256: str
    refine_sha256: str
    backend: str
    options: EngineOptions


@dataclass(slots=True, kw_only=True, eq=False)
class _Shared:
    """An open pair and who uses it; one that has failed is given to nobody else."""

    pair: SharedPair
    users: list[NetworkUser] = field(default_factory=list)
    failed: bool = False


class SharedNetworks:
    """Opens one pair of networks for all nodes that ask for the same; see `Networks`.

    Nodes may differ in their bundle, backend, precision or threads: each combination is a pair in
    a thread of its own. Every node has a segmenter of its own, with its own settings and buffers,
    around the shared networks. Any thread may call any method.
    """

    def __init__(self, at_once: int | None = None) -> None:
        """Open nothing yet.

        Args:
            at_once: of how many cameras images may be worked on at once, 1 or more; None decides
                by the backend: one camera's on a CPU, all on a GPU.
        """
        self._lock = threading.Lock()
        self._key_locks: dict[_Key, threading.Lock] = {}
        self._waiting: dict[_Key, list[NetworkUser]] = {}
        self._shared: dict[_Key, _Shared] = {}
        self._cpu_turns = Turns(at_once or 1)
        self._gpu_turns = None if at_once is None else self._cpu_turns

    def open(
        self, bundle: ModelBundle, config: PipelineConfig, user: NetworkUser
    ) -> OpenedNetworks:
        """See `Networks.open`.

        Raises:
            ConfigError: `execution` is 'one_graph', or another setting is at fault.
        """
        if config.execution == ONE_GRAPH:
            raise ConfigError(
                f'execution is {ONE_GRAPH}, whose graphs cameras cannot share; expected stages, '
                'or a process for each camera (shared:=false)'
            )
        used: list[_Shared] = []

        def lease(
            coarse_path: Path, refine_path: Path, *, backend: str, options: EngineOptions
        ) -> EnginePair:
            key = _key(coarse_path, refine_path, backend, options)
            options = dataclasses.replace(options, progress=partial(self._tell, key))
            opener = partial(open_pair, coarse_path, refine_path, backend=backend, options=options)
            with self._waiting_for(key, user), self._alone_with(key, user):
                shared = self._join(key, user)
                if shared is None:
                    shared = _Shared(pair=SharedPair(opener, options.max_batch), users=[user])
                    with self._lock:
                        self._shared[key] = shared
            used.append(shared)
            return shared.pair.lend(partial(self._release, key, shared, user))

        try:
            segmenter = open_segmenter(
                bundle, config, progress=user.progress, stop=user.stop, open_networks=lease
            )
        except EngineError:
            # Open, and of no use: the next attempt must not be given the same ones again.
            with self._lock:
                for shared in used:
                    shared.failed = True
            raise
        (shared,) = used
        return OpenedNetworks(
            segmenter=segmenter,
            turns=self._turns(segmenter.backend),
            report=partial(self._report, shared, user),
        )

    def _turns(self, backend: str) -> AbstractContextManager[None] | None:
        return self._gpu_turns if backend in _ON_A_GPU else self._cpu_turns

    def _join(self, key: _Key, user: NetworkUser) -> _Shared | None:
        """Become a user of the open pair; None where there is none that works."""
        with self._lock:
            shared = self._shared.get(key)
            if shared is None or shared.failed:
                return None
            shared.users.append(user)
            return shared

    def _tell(self, key: _Key, share: float, phase: str) -> None:
        """Tell all that wait for a pair how far it has been built."""
        with self._lock:
            waiting = tuple(self._waiting.get(key, ()))
        for user in waiting:
            user.progress(share, phase)

    @contextmanager
    def _waiting_for(self, key: _Key, user: NetworkUser) -> Iterator[None]:
        with self._lock:
            self._waiting.setdefault(key, []).append(user)
        try:
            yield
        finally:
            with self._lock:
                self._waiting[key].remove(user)

    @contextmanager
    def _alone_with(self, key: _Key, user: NetworkUser | None = None) -> Iterator[None]:
        """Keep others from opening or closing the same pair, which may take minutes.

        Raises:
            EngineError: the user was told to stop while it waited.
        """
        with self._lock:
            lock = self._key_locks.setdefault(key, threading.Lock())
        while not lock.acquire(timeout=_ASK_TO_STOP_S):
            if user is not None and user.stop():
                raise EngineError('stopped while another node opened the shared networks')
        try:
            yield
        finally:
            lock.release()

    def _release(self, key: _Key, shared: _Shared, user: NetworkUser) -> None:
        """End one use; the last one closes the pair.

        Raises:
            EngineError: the networks did not close.
        """
        with self._alone_with(key):
            with self._lock:
                if user not in shared.users:
                    return  # Each of the two networks is closed, and the first stands for both.
                shared.users.remove(user)
                if shared.users:
                    return
                if self._shared.get(key) is shared:
                    del self._shared[key]
            shared.pair.close()

    def _report(self, shared: _Shared, user: NetworkUser, error: EngineError) -> None:
        """Have all users of a pair stop that has failed one of them for good."""
        if isinstance(error, OtherUserError):
            return  # All have been told already.
        with self._lock:
            shared.failed = True
            others = [it for it in shared.users if it is not user]
        for other in others:
            other.fail(OtherUserError(f'{error} (an image of {user.name}, on shared networks)'))


def _key(coarse_path: Path, refine_path: Path, backend: str, options: EngineOptions) -> _Key:
    return _Key(
        coarse_sha256=file_sha256(coarse_path),
        refine_sha256=file_sha256(refine_path),
        backend=backend,
        options=dataclasses.replace(options, progress=None, stop=None),
    )
