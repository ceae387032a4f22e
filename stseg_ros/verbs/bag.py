"""`stseg bag`: make, inspect and play bags."""

from __future__ import annotations

import argparse
from decimal import Decimal, InvalidOperation
from pathlib import Path

from stseg_ros.errors import ConfigError
from stseg_ros.verbs.output_bag import add_output_bag_arguments

SUMMARY = 'Make a bag from a folder of images, show what a bag holds, or play one over ROS 2.'
EXAMPLES = """
stseg bag from-images kitti/2011_09_26 --rate 10 --output drive
stseg bag from-images bdd100k --rate 30 --compressed --output drive --storage sqlite3
stseg bag info drive
stseg bag play drive --rate 0.5 --loop --clock
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the sub-verbs and their arguments.

    Args:
        parser: the verb's parser.
    """
    actions = parser.add_subparsers(dest='action', metavar='ACTION', required=True)
    for name, summary, add_action_arguments in (
        ('from-images', 'make a bag from a folder of images', _add_from_images),
        ('info', 'show what a bag holds', _add_info),
        ('play', 'publish a bag over ROS 2 at its recorded times', _add_play),
    ):
        examples = [line for line in EXAMPLES.strip().splitlines() if f' {name} ' in line]
        action = actions.add_parser(
            name,
            help=summary,
            description=f'{summary[0].upper()}{summary[1:]}.',
            epilog='\n  '.join(['examples:', *examples]),
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        add_action_arguments(action)


def run(arguments: argparse.Namespace) -> int:
    """Run the chosen sub-verb.

    Args:
        arguments: what `add_arguments` declared.

    Returns:
        0.

    Raises:
        StsegError: the bag, the folder or an argument is at fault.
    """
    status: int = arguments.run_action(arguments)
    return status


def _add_from_images(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(run_action=_from_images)
    parser.add_argument(
        'folder',
        type=Path,
        metavar='DIR',
        help='KITTI raw, KITTI semantic or BDD100K folder, or any folder of JPEG and PNG files',
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


def _add_info(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(run_action=_info)
    parser.add_argument('bag', type=Path, metavar='BAG', help='bag to read')


def _add_play(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(run_action=_play)
    parser.add_argument('bag', type=Path, metavar='BAG', help='bag to play')
    parser.add_argument(
        '--rate', type=float, default=1.0, help='speed; 2 is twice real time (default: 1)'
    )
    parser.add_argument('--loop', action='store_true', help='start over at the end, until Ctrl-C')
    parser.add_argument(
        '--clock', action='store_true', help='publish the recorded time on /clock as well'
    )
    parser.add_argument(
        '--topic',
        action='append',
        default=[],
        help='play only this topic; may be given several times (default: all)',
    )
    parser.add_argument(
        '--publish-log', type=Path, metavar='FILE', help='write when each message was published'
    )
    parser.add_argument(
        '--wait-for-subscribers',
        type=int,
        default=0,
        metavar='N',
        help='start when every topic has N subscribers (default: at once)',
    )


def _from_images(arguments: argparse.Namespace) -> int:
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
    print(f'{arguments.folder}: {folder.layout} folder, {total} images')
    with writer, tqdm(total=total, unit='image', disable=None) as progress:
        write_folder(folder, stamps_ns, writer, topics, on_image=progress.update)
    duration_s = (stamps_ns[-1] - stamps_ns[0]) / 1e9
    print(f'{arguments.output}: {total} images on {topics.recorded_image}, {duration_s:.3f} s')
    if folder.calibration is not None:
        print(f'{arguments.output}: calibration on {topics.camera_info}')
    return 0


def _info(arguments: argparse.Namespace) -> int:
    from stseg_ros.sources.bag_info import describe_bag
    from stseg_ros.sources.bag_reader import BagReader

    with BagReader(arguments.bag) as reader:
        print(describe_bag(reader))
    return 0


def _play(arguments: argparse.Namespace) -> int:
    if not arguments.rate > 0.0:
        raise ConfigError(f'rate is {arguments.rate:g}; expected above 0')
    if arguments.wait_for_subscribers < 0:
        raise ConfigError(
            f'wait-for-subscribers is {arguments.wait_for_subscribers}; expected 0 or more'
        )
    try:
        from stseg_ros.ros_node import bag_player
    except ImportError as error:
        raise ConfigError(
            f'playing needs ROS 2 in this Python ({error}); source a ROS 2 installation, '
            'or install rclpy from wheels with `make setup`'
        ) from error
    status: int = bag_player.play(
        arguments.bag,
        rate=arguments.rate,
        loop=arguments.loop,
        clock=arguments.clock,
        topics=tuple(arguments.topic),
        publish_log=arguments.publish_log,
        wait_for_subscribers=arguments.wait_for_subscribers,
    )
    return status


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
