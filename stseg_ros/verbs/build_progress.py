"""The progress bar of an engine that is being built."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tqdm import tqdm

_FORMAT = '{desc}: {percentage:3.0f}%|{bar}| {elapsed}{postfix}'


@contextmanager
def build_progress(title: str) -> Iterator[Callable[[float, str], None]]:
    """Show a bar on a terminal, from the first progress on; nothing where nothing is built.

    Args:
        title: what is built.

    Yields:
        What to call with the share done, 0 to 1, and the phase; a share that falls starts anew.
    """
    bars: list[tqdm[None]] = []

    def progress(share: float, phase: str) -> None:
        from tqdm import tqdm

        if bars and share < bars[-1].n:
            bars.pop().close()
        if not bars:
            bars.append(tqdm(total=1.0, desc=title, bar_format=_FORMAT, leave=False, disable=None))
        bars[-1].set_postfix_str(phase, refresh=False)
        bars[-1].update(share - bars[-1].n)

    try:
        yield progress
    finally:
        for bar in bars:
            bar.close()
