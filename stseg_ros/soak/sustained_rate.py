"""How many images a second the node turns into masks when it is given more than that."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from stseg_ros.errors import StsegError
from stseg_ros.soak.ledger import WARM_UP, Ledger
from stseg_ros.soak.schedule import usual_step

if TYPE_CHECKING:
    from stseg_ros.soak.driver import Driver

_SLOWEST_HZ, _FASTEST_HZ = 30.0, 240.0
_SECONDS = 3.0
_KEEPS_UP = 0.9


def sustained_rate_hz(driver: Driver, ledger: Ledger, transport: str) -> float:
    """Send images at a rate that doubles until the node does not keep up.

    Args:
        driver: drives node and camera.
        ledger: the books.
        transport: 'raw' or 'compressed'.

    Returns:
        Masks per second; where the node kept up with all that a camera can send, that.

    Raises:
        StsegError: no mask came.
    """
    rate_hz = _SLOWEST_HZ
    while True:
        before, start_s = ledger.masks, time.monotonic()
        driver.run(usual_step(transport=transport, seconds=_SECONDS, rate_hz=rate_hz), WARM_UP)
        masks, seconds = ledger.masks - before, time.monotonic() - start_s
        if not masks:
            raise StsegError(
                f'no mask came from the node in {seconds:.0f} s at {rate_hz:.0f} images per '
                'second; give a --rate that it can take'
            )
        if masks < _KEEPS_UP * rate_hz * seconds or rate_hz >= _FASTEST_HZ:
            return masks / seconds
        rate_hz *= 2.0
