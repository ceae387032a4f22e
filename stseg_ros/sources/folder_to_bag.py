"""A folder of images to a bag with the topics of one camera."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from stseg_ros.errors import ConfigError, DataError, FrameError
from stseg_ros.sources.bag_messages import (
    CAMERA_INFO,
    COMPRESSED_IMAGE,
    IMAGE,
    make_camera_info,
    make_compressed_image,
    make_header,
    make_image,
)
from stseg_ros.sources.bag_writer import BagWriter
from stseg_ros.sources.image_codec import Header, decode_image_file
from stseg_ros.sources.image_folders import ImageFolder
from stseg_ros.sources.image_headers import read_image_header
from stseg_ros.sources.kitti_files import CameraCalibration, read_kitti_stamps
from stseg_ros.sources.topics import beside_image, check_topic, compressed_topic

# A fixed start makes two conversions of one folder equal.
DEFAULT_START_NS = 1_600_000_000 * 1_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraTopics:
    """How a camera's messages are named.

    Attributes:
        image: topic of raw images; compressed ones go to its `/compressed`.
        frame_id: coordinate frame of the camera.
        compressed: whether to store the image files as they are instead of their pixels.

    Raises:
        ConfigError: the topic is not an absolute name.
    """

    image: str = '/camera/image'
    frame_id: str = 'camera'
    compressed: bool = False

    def __post_init__(self) -> None:
        """Check the topic's name."""
        check_topic(self.image)

    @property
    def recorded_image(self) -> str:
        """The topic that the images are written to."""
        return compressed_topic(self.image) if self.compressed else self.image

    @property
    def camera_info(self) -> str:
        """The topic of the calibration."""
        return beside_image(self.image, 'camera_info')


@dataclass(frozen=True, slots=True, kw_only=True)
class SkippedImage:
    """An image file that could not be used.

    Attributes:
        path: the file.
        reason: what is wrong with it.
    """

    path: Path
    reason: str


def choose_stamps(
    folder: ImageFolder, *, rate_hz: float | None, start_ns: int | None
) -> tuple[int, ...]:
    """Decide the time of each image.

    Args:
        folder: the images.
        rate_hz: images per second, above 0; None takes the recorded times.
        start_ns: time of the first image; None takes the recorded one or `DEFAULT_START_NS`.

    Returns:
        A time for each image, ns since the epoch.

    Raises:
        ConfigError: the rate is not above 0, or is missing where no times were recorded.
        DataError: the recorded times are malformed.
    """
    if rate_hz is not None:
        if not 0.0 < rate_hz <= 1e6:
            raise ConfigError(f'rate is {rate_hz:g} Hz; expected above 0 and at most 1000000')
        first_ns = DEFAULT_START_NS if start_ns is None else start_ns
        return tuple(first_ns + round(i * 1e9 / rate_hz) for i in range(len(folder.images)))
    if folder.stamps_file is None:
        raise ConfigError(
            f'{folder.images[0].parent}: has no timestamps.txt; give the images per second '
            'with --rate'
        )
    recorded_ns = read_kitti_stamps(folder.stamps_file, folder.images)
    shift_ns = 0 if start_ns is None else start_ns - recorded_ns[0]
    return tuple(stamp_ns + shift_ns for stamp_ns in recorded_ns)


def write_folder(
    folder: ImageFolder,
    stamps_ns: tuple[int, ...],
    writer: BagWriter,
    topics: CameraTopics,
    *,
    on_image: Callable[[], object] = lambda: None,
    on_skipped: Callable[[SkippedImage], object] | None = None,
) -> int:
    """Write every image of a folder, and its calibration beside each.

    Args:
        folder: the images.
        stamps_ns: a time for each, for header and record alike.
        writer: the open bag.
        topics: how the messages are named.
        on_image: called after each image.
        on_skipped: called for a file that cannot be used, which then costs only itself; None
            makes it an error.

    Returns:
        Number of images written, at least one.

    Raises:
        DataError: an image cannot be used, or none of them; one does not fit the calibration; or
            the disk is full.
    """
    writer.add_topic(topics.recorded_image, COMPRESSED_IMAGE if topics.compressed else IMAGE)
    if folder.calibration is not None:
        writer.add_topic(topics.camera_info, CAMERA_INFO)
    skipped: list[SkippedImage] = []
    for path, stamp_ns in zip(folder.images, stamps_ns, strict=True):
        header = make_header(stamp_ns=stamp_ns, frame_id=topics.frame_id)
        try:
            image_hw = _write_image(path, writer, topics, header, stamp_ns)
        except (OSError, FrameError) as error:
            reason = getattr(error, 'strerror', None) or str(error)
            if on_skipped is None:
                raise DataError(f'{path}: cannot be used: {reason}') from error
            skipped.append(SkippedImage(path=path, reason=reason))
            on_skipped(skipped[-1])
        else:
            if folder.calibration is not None:
                _check_size(path, image_hw, folder.calibration)
                info = make_camera_info(folder.calibration, header=header)
                writer.write(topics.camera_info, info, record_ns=stamp_ns)
        on_image()
    if len(skipped) == len(folder.images):
        raise DataError(
            f'{skipped[0].path.parent}: none of its {len(skipped)} images can be used; the first, '
            f'{skipped[0].path.name}: {skipped[0].reason}'
        )
    return len(folder.images) - len(skipped)


def _check_size(path: Path, image_hw: tuple[int, int], calibration: CameraCalibration) -> None:
    if calibration.size_hw != image_hw:
        height, width = calibration.size_hw
        raise DataError(
            f'{path}: is {image_hw[1]}x{image_hw[0]}, but its calibration is for '
            f'{width}x{height}; remove the calibration or use the images it belongs to'
        )


def _write_image(
    path: Path, writer: BagWriter, topics: CameraTopics, header: Header, stamp_ns: int
) -> tuple[int, int]:
    """Write one image file; it is decoded in either case, so that no bag holds a broken one.

    Returns:
        The image's rows and columns.
    """
    data = path.read_bytes()
    image_hwc = decode_image_file(data)
    if topics.compressed:
        image_format = read_image_header(data).format
        message = make_compressed_image(data, image_format=image_format, header=header)
    else:
        message = make_image(image_hwc, encoding='bgr8', header=header)
    writer.write(topics.recorded_image, message, record_ns=stamp_ns)
    height, width = image_hwc.shape[:2]
    return height, width
