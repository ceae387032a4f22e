"""`stseg bag from-images`: a folder of images in, a bag out."""

from __future__ import annotations

import argparse
import sys
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING

from stseg_ros.errors import ConfigError
from stseg_ros.verbs.output_bag import add_output_bag_arguments

if TYPE_CHECKING:
    from stseg_ros.sources.folder_to_bag import SkippedImage


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the action's arguments.

    Args:
        parser: the action's parser.
    """
    parser.add_argument(
        'folder',
        type=Path,
        metavar='DIR',
        help='KITTI raw, KITTI semantic or BDD100K folder, images/ beside masks/, or any folder '
        'of JPEG and PNG files',
    )
    add_output_bag_arguments(parser)
    parser.add_argument(
        '--rate',
        type=float,
        metavar='HZ',
        help="images per second (default: the times in KITTI's timestamps.txt)",
    )
    parser.add_argument(
        '--topic',
        default='/camera/image',
        help='image topic; --compressed adds /compressed (default: %(default)s)',
    )
    parser.add_argument(
        '--frame-id',
        default='camera',
        help='coordinate frame in the headers (default: %(default)s)',
    )
    parser.add_argument(
        '--compressed',
        action='store_true',
        help='store the JPEG and PNG files byte for byte, as sensor_msgs/CompressedImage',
    )
    parser.add_argument(
        '--start-time',
        metavar='SECONDS',
        help='time of the first image, seconds since 1970 (default: as recorded, or a fixed one)',
    )
    parser.add_argument(
        '--strict',
        action='store_true',
        help='stop at an image that cannot be used (default: leave it out, and say so)',
    )


def run(arguments: argparse.Namespace) -> int:
    """Make the bag.

    Args:
        arguments: what `add_arguments` declared.

    Returns:
        0; images that cannot be used are named and counted, not fatal unless all are.

    Raises:
        StsegError: the folder, an image of it, the bag or an argument is at fault.
    """
    from tqdm import tqdm

    from stseg_ros.sources.bag_writer import BagWriter
    from stseg_ros.sources.folder_to_bag import CameraTopics, choose_stamps, write_folder
    from stseg_ros.sources.image_folders import open_image_folder

    topics = CameraTopics(
        image=arguments.topic, frame_id=arguments.frame_id, compressed=arguments.compressed
    )
    writer = BagWriter(arguments.output, storage=arguments.storage)
    folder = open_image_folder(arguments.folder)
    stamps_ns = choose_stamps(
        folder, rate_hz=arguments.rate, start_ns=_parse_seconds(arguments.start_time)
    )
    total = len(folder.images)
    print(f'{folder.images[0].parent}: {folder.layout} folder, {total} images')
    with writer, tqdm(total=total, unit='image', disable=None) as progress:
        written = write_folder(
            folder,
            stamps_ns,
            writer,
            topics,
            on_image=progress.update,
            on_skipped=None if arguments.strict else _warn,
        )
    duration_s = (stamps_ns[-1] - stamps_ns[0]) / 1e9
    print(f'{arguments.output}: {written} images on {topics.recorded_image}, {duration_s:.3f} s')
    if written < total:
        print(f'{arguments.output}: {total - written} of {total} images could not be used')
    if folder.calibration is not None:
        print(f'{arguments.output}: calibration on {topics.camera_info}')
    return 0


def _warn(skipped: SkippedImage) -> None:
    from tqdm import tqdm

    tqdm.write(
        f'stseg bag from-images: {skipped.path}: left out: {skipped.reason}', file=sys.stderr
    )


def _parse_seconds(text: str | None) -> int | None:
    """Turn decimal seconds into ns exactly.

    Raises:
        ConfigError: the text is no number of seconds that a ROS time can hold.
    """
    if text is None:
        return None
    try:
        nanoseconds = Decimal(text) * 1_000_000_000
        if not 0 <= nanoseconds < 2**31 * 1_000_000_000:
            raise InvalidOperation
    except InvalidOperation as error:
        raise ConfigError(
            f'start-time is {text!r}; expected seconds since 1970 such as 1317042145.96'
        ) from error
    return int(nanoseconds)
