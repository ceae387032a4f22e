"""Whether images as large as a camera's get from one process to another."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from stseg_ros.doctor.finding import Finding, Status
from stseg_ros.doctor.transport_verdict import judge

SIZES = ('1280x720', '1920x1080')
_IMAGES = 60
_PATIENCE_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TransportCheck:
    """Sends images from another process, as a camera driver does, and counts those that come.

    Attributes:
        sizes: of the images, width x height; bgr8.
        images: how many of each size, 30 a second.
        patience_s: how long the two processes may take to find each other.
        environ: the environment of the camera driver.
    """

    name: ClassVar[str] = 'transport'
    title: ClassVar[str] = 'images of 720p and 1080p sent best effort between two processes'
    limit_s: ClassVar[float] = 120.0
    needs: ClassVar[tuple[str, ...]] = ('ros',)

    sizes: tuple[str, ...] = SIZES
    images: int = _IMAGES
    patience_s: float = _PATIENCE_S
    environ: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))

    def run(self) -> Finding:
        """Send and count.

        Returns:
            A warning where only our Fast DDS profile gets them all through, an error where they
            are lost with it too.
        """
        try:
            from stseg_ros.ros_node import doctor_transport
        except ImportError as err:
            return Finding(status=Status.SKIPPED, summary=f'no ROS 2 in this Python ({err})')
        transport, deliveries = doctor_transport.measure(
            self.environ, sizes=self.sizes, images=self.images, patience_s=self.patience_s
        )
        return judge(deliveries, transport)
