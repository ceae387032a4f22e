"""Labelled images of one size, as the camera of the node's measurement shows them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from stseg_ros.datasets.vehicle_datasets import find_samples
from stseg_ros.measure.evaluate import LabelledFrame
from stseg_ros.measure.labelled_sets import ImagesOnDisk, SyntheticScenes
from stseg_ros.pipeline.preprocess import resize_image
from stseg_ros.records import ChannelOrder, Frame, UInt8Array
from stseg_ros.sources.bag_messages import IMAGE, make_header, make_image
from stseg_ros.sources.bag_writer import BagWriter

SIZE_HW = (720, 1280)
SCENES, CAMVID = 'synthetic scenes', 'CamVid val'
TOPIC = '/camera/image'
_FRAME_ID = 'camera'
_NS_PER_S = 1_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StreamImage:
    """One image of the stream.

    Attributes:
        source: the data set it is from, for people.
        frame: the image, BGR, of `SIZE_HW`.
        vehicle_hw: (H, W) uint8 of 0, 1 and 255 (ignore).
    """

    source: str
    frame: Frame
    vehicle_hw: UInt8Array


def load_stream(
    scenes: int, camvid: Path | None, on_image: Callable[[], object] = lambda: None
) -> list[StreamImage]:
    """Draw scenes, and read as many images of CamVid.

    All are brought to one size, and the two sources take turns, so that every frame costs the same
    and a stretch of the stream holds both. The aspect ratio is not kept; the networks' working
    size does not keep it either.

    Args:
        scenes: number of synthetic scenes, at least 1.
        camvid: the data set's folder; None leaves it out.
        on_image: called after each image.

    Returns:
        The images.

    Raises:
        DataError: the data set is not there, or an image cannot be read.
    """
    drawn = SyntheticScenes(scenes)
    photos: ImagesOnDisk | None = None
    chosen: list[int] = []
    if camvid is not None:
        samples = find_samples('camvid', camvid, 'val')
        photos = ImagesOnDisk(samples)
        places = np.linspace(0, len(samples) - 1, min(scenes, len(samples)))
        chosen = [round(float(place)) for place in places]
    stream = []
    for number in range(scenes):
        stream.append(_image(SCENES, drawn.load(number)))
        on_image()
        if photos is not None and number < len(chosen):
            stream.append(_image(CAMVID, photos.load(chosen[number])))
            on_image()
    return stream


def write_stream(stream: list[StreamImage], path: Path) -> None:
    """Write the images as a bag of bgr8 messages.

    Args:
        stream: the images.
        path: the bag, not there yet.

    Raises:
        DataError: it cannot be written.
    """
    with BagWriter(path) as writer:
        writer.add_topic(TOPIC, IMAGE)
        for number, image in enumerate(stream):
            header = make_header(stamp_ns=number * _NS_PER_S, frame_id=_FRAME_ID)
            message = make_image(image.frame.image_hwc, encoding='bgr8', header=header)
            writer.write(TOPIC, message, record_ns=number * _NS_PER_S)


def _image(source: str, labelled: LabelledFrame) -> StreamImage:
    image_hwc = labelled.image_hwc
    vehicle_hw = labelled.vehicle_hw
    if image_hwc.shape[:2] != SIZE_HW:
        image_hwc = resize_image(image_hwc, SIZE_HW)
        # Labels are names, between which there is nothing.
        resized = cv2.resize(vehicle_hw, SIZE_HW[::-1], interpolation=cv2.INTER_NEAREST)
        vehicle_hw = np.asarray(resized, np.uint8)
    bgr_hwc = np.ascontiguousarray(image_hwc[..., ::-1])
    frame = Frame(image_hwc=bgr_hwc, channel_order=ChannelOrder.BGR)
    return StreamImage(source=source, frame=frame, vehicle_hw=vehicle_hw)
