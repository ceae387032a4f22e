"""Image messages that are filled again for every frame."""

from __future__ import annotations

import array
from typing import TYPE_CHECKING

import cv2
import numpy as np
from sensor_msgs.msg import CompressedImage, Image

if TYPE_CHECKING:
    from std_msgs.msg import Header

    from stseg_ros.records import UInt8Array

# As compressed_image_transport writes it: the encoding, and for images without colour nothing
# after the last space.
PNG_MASK_FORMAT = 'mono8; png compressed '
# One bit per pixel holds all of a mask, and little is left to compress. Every reader of PNG
# unfolds it to 0 and 255.
_PNG_OPTIONS = (cv2.IMWRITE_PNG_BILEVEL, 1, cv2.IMWRITE_PNG_COMPRESSION, 1)


class ImageBuffer:
    """An image message that is filled again for every frame.

    Its data is an array.array: rclpy of Humble checks every element of anything else.
    """

    def __init__(self, encoding: str) -> None:
        """Start without pixels.

        Args:
            encoding: 'mono8' or 'bgr8'.
        """
        self._message = Image(encoding=encoding)

    def fill(self, header: Header, pixels: UInt8Array) -> Image:
        """Copy pixels into the message.

        Args:
            header: the header of the image that the pixels belong to, taken as it is.
            pixels: (H, W) for mono8 or (H, W, 3) for bgr8, uint8.

        Returns:
            The message, valid until the next call.
        """
        message = self._message
        if len(message.data) != pixels.size:
            message.data = array.array('B', bytes(pixels.size))
        np.copyto(np.frombuffer(message.data, np.uint8).reshape(pixels.shape), pixels)
        message.header = header
        message.height, message.width = pixels.shape[:2]
        message.step = pixels.size // pixels.shape[0]
        return message


def png_mask(header: Header, mask_hw: UInt8Array) -> CompressedImage:
    """Compress a mask without loss, for recording.

    Args:
        header: the camera image's header, taken as it is.
        mask_hw: (H, W) uint8 of 0 and 255.

    Returns:
        The message; any reader of PNG gets `mask_hw` back.
    """
    encoded, png = cv2.imencode('.png', mask_hw, _PNG_OPTIONS)
    assert encoded
    return CompressedImage(
        header=header, format=PNG_MASK_FORMAT, data=array.array('B', png.tobytes())
    )
