"""Whether the engines kept on disk are whole."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from stseg_ros.doctor.finding import Finding, Status

if TYPE_CHECKING:
    from stseg_ros.engines.plan_cache.cache import EngineCache


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheCheck:
    """Reads every engine that TensorRT would take from the cache.

    Attributes:
        root: the cache's folder; None takes the user's.
    """

    name: ClassVar[str] = 'cache'
    title: ClassVar[str] = 'TensorRT engines kept on disk'
    limit_s: ClassVar[float] = 120.0
    needs: ClassVar[tuple[str, ...]] = ()

    root: Path | None = None

    def run(self) -> Finding:
        """Read the plans and compare them with their own hashes.

        Returns:
            A warning where one is damaged, or where none could be kept: the node builds them
            again, which takes time but does no harm.
        """
        from stseg_ros.engines.plan_cache.cache import EngineCache
        from stseg_ros.engines.plan_cache.files import SET_ASIDE, own_files

        cache = EngineCache(self.root)
        kept, damaged = _read_all(cache.root)
        aside = len(own_files(cache.root, SET_ASIDE))
        details = {
            'root': str(cache.root),
            'plans': kept,
            'damaged': damaged,
            'set_aside': aside,
            'limit_bytes': cache.limit_bytes,
        }
        if damaged:
            first, reason = next(iter(damaged.items()))
            return Finding(
                status=Status.WARNING,
                summary=f'{len(damaged)} of {len(damaged) + kept} engines in {cache.root} are not '
                f'usable: {first} {reason}',
                advice='nothing breaks, they are built again when needed; `stseg build` does so '
                'now, `stseg build --clean` deletes all',
                details=details,
            )
        if not _can_write(cache):
            return Finding(
                status=Status.WARNING,
                summary=f'{cache.root} cannot be written: engines are built at every start',
                advice='make it writable for this user, or let XDG_CACHE_HOME name another folder',
                details=details,
            )
        words = f'{kept} engines, all whole' if kept else 'no engines, which only TensorRT needs'
        if aside:
            words += f', {aside} set aside'
        return Finding(status=Status.OK, summary=f'{words}, in {cache.root}', details=details)


def _read_all(root: Path) -> tuple[int, dict[str, str]]:
    """Count the plans that are whole; name the others with the reason."""
    from stseg_ros.engines.plan_cache.files import PLAN, own_files

    kept, damaged = 0, {}
    for path in sorted(file.path for file in own_files(root, PLAN)):
        reason = _why_unusable(path)
        if reason:
            damaged[path.name] = reason
        else:
            kept += 1
    return kept, damaged


def _why_unusable(path: Path) -> str:
    """Say what is wrong with a plan's file; nothing where it is whole."""
    from stseg_ros.engines.plan_cache.plan_file import PlanFileError, read_header, read_plan_file

    try:
        key = read_header(path).key
        read_plan_file(path, key)
    except PlanFileError as err:
        return str(err)
    except OSError as err:
        return f'cannot be read ({err.strerror})'
    return '' if path.stem == key.digest() else 'has a name that is not its own'


def _can_write(cache: EngineCache) -> bool:
    """Whether the folder, or the nearest one above it that exists, can be written."""
    folder = next(path for path in (cache.root, *cache.root.parents) if path.exists())
    return folder.is_dir() and os.access(folder, os.W_OK | os.X_OK)
