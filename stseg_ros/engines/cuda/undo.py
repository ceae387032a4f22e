"""Getting several things one after the other, and letting go of them when one cannot be had."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

from stseg_ros.errors import EngineError


@contextmanager
def undone_on_failure() -> Iterator[ExitStack]:
    """Collect how to undo each step of a block, and undo all of them if the block fails.

    Yields:
        Takes a callback per step. After a block that did not fail it is still open, and whoever
        wrote the block closes it in the end.

    Raises:
        BaseException: what the block failed with. What fails while undoing is a consequence, such
            as of a CUDA that refuses everything after an error, and is not raised.
    """
    undo = ExitStack()
    try:
        yield undo
    except BaseException:
        # One failing callback does not keep the others from being called.
        with suppress(EngineError):
            undo.close()
        raise
