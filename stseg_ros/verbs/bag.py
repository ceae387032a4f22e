"""`stseg bag`: make, inspect, play and record bags."""

from __future__ import annotations

import argparse
from pathlib import Path

from stseg_ros.verbs import bag_from_images, bag_over_ros

SUMMARY = 'Make a bag from a folder of images, show what a bag holds, play or record one over ROS.'
EXAMPLES = """
stseg bag from-images kitti/2011_09_26 --rate 10 --output drive
stseg bag from-images bdd100k --rate 30 --compressed --output drive --storage sqlite3
stseg bag info drive
stseg bag play drive --rate 0.5 --loop --clock
stseg bag record --output masks
stseg bag record --output overlays --topic /overlay --topic /frame_timing --seconds 10
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the sub-verbs and their arguments.

    Args:
        parser: the verb's parser.
    """
    actions = parser.add_subparsers(dest='action', metavar='ACTION', required=True)
    for name, summary, add_action_arguments, run_action in (
        (
            'from-images',
            'make a bag from a folder of images',
            bag_from_images.add_arguments,
            bag_from_images.run,
        ),
        ('info', 'show what a bag holds', _add_info_arguments, _info),
        (
            'play',
            'publish a bag over ROS 2 at its recorded times',
            bag_over_ros.add_play_arguments,
            bag_over_ros.play,
        ),
        (
            'record',
            'write what is published over ROS 2 to a bag',
            bag_over_ros.add_record_arguments,
            bag_over_ros.record,
        ),
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
        action.set_defaults(run_action=run_action)


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


def _add_info_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('bag', type=Path, metavar='BAG', help='bag to read')


def _info(arguments: argparse.Namespace) -> int:
    from stseg_ros.sources.bag_info import describe_bag
    from stseg_ros.sources.bag_reader import BagReader

    with BagReader(arguments.bag) as reader:
        print(describe_bag(reader))
    return 0
