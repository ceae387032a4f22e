"""What the demonstration plays: a synthetic drive, a folder of images, or a bag of the user's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import cv2

from stseg_ros.datasets.synthetic.scenes import render_drive
from stseg_ros.errors import DataError
from stseg_ros.sources.bag_messages import IMAGE, make_header, make_image
from stseg_ros.sources.bag_reader import BagReader
from stseg_ros.sources.bag_writer import BagWriter
from stseg_ros.sources.folder_to_bag import (
    DEFAULT_START_NS,
    CameraTopics,
    SkippedImage,
    choose_stamps,
    write_folder,
)
from stseg_ros.sources.image_folders import open_image_folder

DRIVE_SEED = 7
DRIVE_SIZE_HW = (720, 1280)

OnImage = Callable[[], object]


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedBag:
    """A bag ready to be played.

    Attributes:
        path: the bag.
        topic: its image topic.
        compressed: whether that topic carries compressed images.
        count: number of images.
        rate_hz: mean images per second as recorded.
        title: what it is, for people.
        truth_paths: truth masks by stamp in ns, where there is a truth.
    """

    path: Path
    topic: str
    compressed: bool
    count: int
    rate_hz: float
    title: str
    truth_paths: dict[int, Path] = field(default_factory=dict)


def draw_drive(folder: Path, *, frames: int, rate_hz: float, on_image: OnImage) -> PreparedBag:
    """Draw a synthetic drive and write it as a bag, with its truth beside it.

    Args:
        folder: gets the bag `drive` and the folder `truth` of mask images.
        frames: how many.
        rate_hz: frames per second.
        on_image: called after each.

    Returns:
        The bag.

    Raises:
        DataError: the folder cannot be written.
    """
    truth = folder / 'truth'
    truth.mkdir(parents=True)
    topics = CameraTopics()
    truth_paths = {}
    with BagWriter(folder / 'drive') as writer:
        writer.add_topic(topics.image, IMAGE)
        scenes = render_drive(DRIVE_SEED, frames, rate_hz, DRIVE_SIZE_HW)
        for index, scene in enumerate(scenes):
            stamp_ns = DEFAULT_START_NS + round(index * 1e9 / rate_hz)
            header = make_header(stamp_ns=stamp_ns, frame_id=topics.frame_id)
            image = make_image(scene.image_hwc, encoding='rgb8', header=header)
            writer.write(topics.image, image, record_ns=stamp_ns)
            path = truth / f'{index:06d}.png'
            if not cv2.imwrite(str(path), scene.mask_hw):
                raise DataError(f'{path}: cannot be written')
            truth_paths[stamp_ns] = path
            on_image()
    prepared = describe_bag(folder / 'drive', title='a synthetic drive')
    prepared.truth_paths.update(truth_paths)
    return prepared


def pack_images(
    images: Path,
    folder: Path,
    *,
    rate_hz: float | None,
    on_image: OnImage,
    on_skipped: Callable[[SkippedImage], object],
) -> PreparedBag:
    """Write a folder of images as a bag.

    Args:
        images: KITTI raw, BDD100K or plain folder.
        folder: gets the bag `drive`.
        rate_hz: images per second; None takes the recorded times.
        on_image: called after each.
        on_skipped: called for an image that cannot be used.

    Returns:
        The bag.

    Raises:
        StsegError: the images cannot be used.
    """
    source = open_image_folder(images)
    if rate_hz is None and source.stamps_file is None:
        rate_hz = 10.0
    stamps_ns = choose_stamps(source, rate_hz=rate_hz, start_ns=None)
    with BagWriter(folder / 'drive') as writer:
        write_folder(
            source, stamps_ns, writer, CameraTopics(), on_image=on_image, on_skipped=on_skipped
        )
    return describe_bag(folder / 'drive', title=f'images of {images.name}')


def describe_bag(path: Path, *, title: str | None = None, topic: str | None = None) -> PreparedBag:
    """Look at a bag that is there already.

    Args:
        path: the bag.
        title: what it is, for people; None names the bag.
        topic: its image topic, needed where it has several.

    Returns:
        The bag.

    Raises:
        StsegError: it cannot be read, or has no image.
    """
    with BagReader(path) as reader:
        images = reader.image_topic(topic)
        stamps_ns = [message.record_ns for message in reader.messages([images.name])]
    if not stamps_ns:
        raise DataError(f'{path}: topic {images.name} has no messages')
    span_ns = stamps_ns[-1] - stamps_ns[0]
    rate_hz = (len(stamps_ns) - 1) * 1e9 / span_ns if span_ns else 10.0
    return PreparedBag(
        path=path,
        topic=images.name,
        compressed='Compressed' in images.type_name,
        count=len(stamps_ns),
        rate_hz=rate_hz,
        title=title or f'bag {path.name}',
    )
