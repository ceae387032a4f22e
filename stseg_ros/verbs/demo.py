"""`stseg demo`: the real node on a real bag over ROS 2, summed up and shown."""

from __future__ import annotations

import argparse
from pathlib import Path

from stseg_ros.bundle import DEFAULT_BUNDLE
from stseg_ros.errors import ConfigError
from stseg_ros.verbs.backend_argument import add_backend_argument

SUMMARY = """Run the node on a drive over ROS 2 and report what comes back.

Plays a synthetic drive, your images or your bag from one process, runs the node in another,
and leaves summary.json, report.html, overlay.mp4 and overlay.png in the output folder."""
EXAMPLES = """
stseg demo
stseg demo --images kitti/2011_09_26_drive_0005_sync --rate 10
stseg demo --bag my_bag --topic /camera/image_raw --regions 16
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments.

    Args:
        parser: the verb's parser.
    """
    parser.add_argument(
        '--output',
        type=Path,
        default=Path('demo_output'),
        metavar='DIR',
        help='folder to write; what an earlier demo left there is replaced (default: %(default)s)',
    )
    source = parser.add_mutually_exclusive_group()
    source.add_argument('--bag', type=Path, metavar='BAG', help='play this bag')
    source.add_argument(
        '--images', type=Path, metavar='DIR', help='play the images of this folder'
    )
    parser.add_argument('--topic', help='image topic of the bag, where it has several')
    parser.add_argument(
        '--rate', type=float, metavar='HZ', help='frames per second of the drive or the images'
    )
    parser.add_argument(
        '--seconds',
        type=float,
        default=10.0,
        metavar='S',
        help='length of the synthetic drive (default: %(default)s)',
    )
    parser.add_argument(
        '--bundle', default=DEFAULT_BUNDLE, help='bundle name or folder (default: %(default)s)'
    )
    add_backend_argument(parser)
    parser.add_argument('--regions', type=int, metavar='K', help='most regions to refine')


def run(arguments: argparse.Namespace) -> int:
    """Run the demonstration.

    Args:
        arguments: what `add_arguments` declared.

    Returns:
        0, or 1 where frames were lost.
    """
    from stseg_ros.config import PipelineConfig
    from stseg_ros.demo.run_demo import DemoOptions, run_demo

    if arguments.rate is not None and not 0.0 < arguments.rate <= 1000.0:
        raise ConfigError(f'rate is {arguments.rate:g}; expected above 0 and at most 1000 Hz')
    if arguments.rate is not None and arguments.bag is not None:
        raise ConfigError('a bag is played at its recorded rate; leave --rate out')
    if not 0.0 < arguments.seconds <= 600.0:
        raise ConfigError(f'seconds is {arguments.seconds:g}; expected above 0 and at most 600')
    options = DemoOptions(
        output=arguments.output,
        bag=arguments.bag,
        images=arguments.images,
        topic=arguments.topic,
        rate_hz=arguments.rate,
        seconds=arguments.seconds,
        bundle=arguments.bundle,
        config=PipelineConfig(backend=arguments.backend, regions=arguments.regions),
    )
    summary = run_demo(options)
    return 1 if summary['frames_lost'] else 0
