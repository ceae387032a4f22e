"""How this process keeps its memory: freed blocks for the next image, and few pauses to tidy up.

By itself glibc returns a freed block as large as an image to the system, and takes a new one for
the next image page by page: each page is a fault, and the kernel clears it first.
"""

from __future__ import annotations

import ctypes
import gc
import os
from collections.abc import Mapping
from typing import Any

# From malloc.h.
_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3
# The largest that glibc allows, and more than any image that it is worth it for.
_LARGEST_KEPT = 32 << 20
_KEPT = 64 << 20

# One entry for each active node of this process.
_settled: list[None] = []


def keep_freed_memory(environ: Mapping[str, str] = os.environ) -> bool:
    """Have the C library keep what is freed, some images of it, for what is needed next.

    Args:
        environ: the process's environment; what it says of malloc is left as it is.

    Returns:
        Whether it does; only glibc can be told to.
    """
    if any(name.startswith('MALLOC_') or name == 'GLIBC_TUNABLES' for name in environ):
        return False
    mallopt = _of_glibc('mallopt')
    options = {_M_MMAP_THRESHOLD: _LARGEST_KEPT, _M_TRIM_THRESHOLD: _KEPT}
    return mallopt is not None and all(mallopt(name, value) for name, value in options.items())


def settle() -> None:
    """Give back what was needed to start only; look through what lives on no more.

    The collector would look through every object of every module now and then, which holds the
    whole process up for longer than a frame.
    """
    _settled.append(None)
    # What was kept for an earlier node may not be needed any more.
    gc.unfreeze()
    gc.collect()
    gc.freeze()
    trim = _of_glibc('malloc_trim')
    if trim is not None:
        trim(0)


def unsettle() -> None:
    """Let the collector look through all again once no node is active; call it once for each."""
    _settled.pop()
    if not _settled:
        gc.unfreeze()


def _of_glibc(name: str) -> Any:
    """Return a function of the C library; None where it has none of that name."""
    return getattr(ctypes.CDLL(None), name, None)
