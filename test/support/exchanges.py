"""Made-up exchanges between a camera and the node."""

from __future__ import annotations

import numpy as np

from stseg_ros.measure.node.exchanges import Answer, Exchange

MS = 1_000_000


def exchange(
    image: int,
    *,
    at_ms: float = 0.0,
    age_ms: float | None = 10.0,
    mask_hw: np.ndarray | None = None,
    **timing: float,
) -> Exchange:
    """Make an exchange; an age of None is an image without a mask."""
    mask_hw = np.zeros((4, 6), np.uint8) if mask_hw is None else mask_hw
    answer = None
    if age_ms is not None:
        answer = Answer(
            received_ns=round((at_ms + age_ms) * MS),
            mask_bits=np.packbits(mask_hw > 0, axis=1),
            width=mask_hw.shape[1],
        )
    return Exchange(image=image, published_ns=round(at_ms * MS), answer=answer, timing=timing)
