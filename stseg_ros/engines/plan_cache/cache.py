"""Plans kept on disk between runs, so that only the first start builds them.

Kernels that TensorRT-RTX compiles from a plan are kept as plans are, under a key of their own, see
`stseg_ros.engines.tensorrt.kernel_store`.

The cache lies in `$XDG_CACHE_HOME/stseg_ros/engines` (`~/.cache` where that is not set), may be
shared by processes, and may be deleted at any time. It never stands in the way: what cannot be
read is built, and what cannot be written is run from memory, with a warning.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from stseg_ros.engines.plan_cache.file_lock import hold_lock
from stseg_ros.engines.plan_cache.files import (
    LOCK,
    PLAN,
    SET_ASIDE,
    TIMING,
    delete_file,
    own_files,
)
from stseg_ros.engines.plan_cache.plan_file import (
    UNFINISHED,
    PlanFileError,
    PlanHeader,
    PlanKey,
    read_header,
    read_plan_file,
    write_plan_file,
)
from stseg_ros.locations import PACKAGE

# With the key that whoever uses a cache needs.
__all__ = ['DEFAULT_LIMIT_BYTES', 'CacheEntry', 'EngineCache', 'PlanKey']

DEFAULT_LIMIT_BYTES = 2 << 30

# A writer needs seconds; what is older was left by one that was killed.
_UNFINISHED_KEPT_S = 3600.0

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheEntry:
    """One kept plan.

    Attributes:
        path: its file.
        header: what the file says of it.
        used_ns: when it was last used, ns since the epoch.
    """

    path: Path
    header: PlanHeader
    used_ns: int


class EngineCache:
    """A folder of plans with a limit to its size.

    Attributes:
        root: the folder; it is made when the first plan is kept.
        limit_bytes: what all its plans together may take; the least recently used go first.
    """

    def __init__(
        self,
        root: Path | None = None,
        limit_bytes: int = DEFAULT_LIMIT_BYTES,
        *,
        warn: Callable[[str], None] = _logger.warning,
    ) -> None:
        """Name the folder; nothing is read or written yet.

        Args:
            root: the folder; None takes the user's cache.
            limit_bytes: what all plans together may take.
            warn: takes one line for people when a plan or the folder cannot be used.
        """
        self.root = _default_root() if root is None else root
        self.limit_bytes = limit_bytes
        self._warn = warn
        # Plans that could not be read, or that were set aside while the folder was read-only.
        self._refused: set[str] = set()

    def get(self, key: PlanKey) -> bytes | None:
        """Take a plan.

        Args:
            key: what it must depend on.

        Returns:
            The serialized plan; None where there is none, or where the one that is there cannot be
            used: that one is set aside with a warning.
        """
        if key.digest() in self._refused:
            return None
        path = self._path(key)
        try:
            plan = read_plan_file(path, key)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except PlanFileError as err:
            self.set_aside(key, str(err))
            return None
        except OSError as err:
            self._refused.add(key.digest())
            self._warn(f'{path} cannot be read ({err.strerror}); the plan is built again')
            return None
        with suppress(OSError):
            os.utime(path)
        return plan

    def put(self, key: PlanKey, plan: bytes, **facts: str) -> Path | None:
        """Keep a plan, and make room for it.

        Args:
            key: what it depends on.
            plan: the serialized plan.
            facts: for people, such as the network's name; `stseg build --list` shows them.

        Returns:
            Its file; None, with a warning, where it cannot be written or is larger than the limit.
        """
        path = self._path(key)
        if len(plan) > self.limit_bytes:
            self._warn(
                f'a plan of {len(plan)} bytes is not kept: the cache is limited to '
                f'{self.limit_bytes}; it is built again at the next start'
            )
            return None
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            write_plan_file(path, key, plan, facts)
        except OSError as err:
            self._warn(
                f'{self.root} cannot be written ({err.strerror}); the plan runs from memory and '
                'is built again at the next start'
            )
            return None
        self._refused.discard(key.digest())
        self._make_room(path)
        return path

    @contextmanager
    def lock(
        self,
        key: PlanKey,
        *,
        stop: Callable[[], bool] | None = None,
        on_wait: Callable[[], None] | None = None,
    ) -> Iterator[None]:
        """Hold the right to build one plan, which one thread of one process has at a time.

        Args:
            key: the plan's key.
            stop: asked while another holds the right; True ends the waiting without it.
            on_wait: called once, before waiting.

        Yields:
            Nothing; look into the cache again, another may have built the plan meanwhile.
        """
        with hold_lock(self._path(key).with_suffix(LOCK), stop=stop, on_wait=on_wait):
            yield

    def set_aside(self, key: PlanKey, reason: str) -> None:
        """Take a plan out of use, with a warning; its file is kept under another name.

        Args:
            key: the plan's key.
            reason: what is wrong with it, for people.
        """
        path = self._path(key)
        aside = path.with_suffix(SET_ASIDE)
        self._refused.add(key.digest())
        try:
            path.replace(aside)
        except OSError as err:
            self._warn(f'{path}: {reason}; it is not used, but stays there ({err.strerror})')
            return
        self._warn(f'{path}: {reason}; set aside as {aside.name}, the plan is built again')

    def entries(self) -> list[CacheEntry]:
        """List the kept plans.

        Returns:
            Those with a readable header, the last used first.
        """
        found = []
        for file in own_files(self.root, PLAN):
            with suppress(OSError, PlanFileError):
                header = read_header(file.path)
                found.append(CacheEntry(path=file.path, header=header, used_ns=file.used_ns))
        return sorted(found, key=lambda entry: entry.used_ns, reverse=True)

    def clean(self) -> int:
        """Delete everything that the cache holds; what else lies in the folder stays.

        Returns:
            Bytes freed.
        """
        return sum(delete_file(file.path) for file in own_files(self.root))

    def timing_cache(self, library: str, version: str, gpu: str) -> Path:
        """Name the file for the times of a library's kernels on one GPU.

        Args:
            library: its name.
            version: its full version.
            gpu: the GPU's name.

        Returns:
            The file, which may be missing.
        """
        words = '-'.join((library, version, gpu))
        plain = ''.join(letter if letter.isalnum() or letter in '.-' else '_' for letter in words)
        return self.root / f'{plain}{TIMING}'

    def _path(self, key: PlanKey) -> Path:
        return self.root / f'{key.digest()}{PLAN}'

    def _make_room(self, newest: Path) -> None:
        """Delete what is of no use, then the least recently used plans beyond the limit."""
        oldest_unfinished_ns = time.time_ns() - int(_UNFINISHED_KEPT_S * 1e9)
        for file in own_files(self.root, UNFINISHED):
            if file.used_ns < oldest_unfinished_ns:
                delete_file(file.path)
        # Plans that were set aside go before any that is of use.
        kept = [*own_files(self.root, SET_ASIDE), *own_files(self.root, PLAN)]
        total = sum(file.size_bytes for file in kept)
        for file in kept:
            if total <= self.limit_bytes:
                break
            if file.path != newest:
                total -= delete_file(file.path)


def _default_root() -> Path:
    base = os.environ.get('XDG_CACHE_HOME') or Path.home() / '.cache'
    return Path(base) / PACKAGE / 'engines'
