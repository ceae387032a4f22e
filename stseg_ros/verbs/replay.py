"""`stseg replay`: a bag of images in, a bag of masks out."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
from pathlib import Path
from typing import Any

from stseg_ros.errors import ConfigError, DataError
from stseg_ros.verbs.output_bag import add_output_bag_arguments
from stseg_ros.verbs.pipeline_arguments import add_pipeline_arguments, open_from_arguments

SUMMARY = (
    'Segment every image of a bag, offline and as fast as it goes, and write a bag of masks and '
    'timings with the stamps of the images. Needs no ROS.'
)
EXAMPLES = """
stseg replay drive --bundle driving_small --output drive_masks
stseg replay drive --topic /camera/image --regions 4 --output masks --json replay.json
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments.

    Args:
        parser: the verb's parser.
    """
    parser.add_argument('bag', type=Path, metavar='BAG', help='bag to read')
    add_output_bag_arguments(parser)
    parser.add_argument('--topic', help='image topic to segment (default: the only one)')
    parser.add_argument('--json', type=Path, metavar='FILE', help='write the summary here as well')
    add_pipeline_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Replay the bag.

    Args:
        arguments: what `add_arguments` declared.

    Returns:
        0; images that cannot be used are counted and named, not fatal.

    Raises:
        StsegError: the bag, the bundle or an argument is at fault, or no image could be used.
    """
    from stseg_ros.sources.replay_summary import format_table

    json_file: Path | None = arguments.json
    if json_file is not None and not json_file.absolute().parent.is_dir():
        raise ConfigError(f'{json_file}: cannot be written, its folder does not exist')
    summary = _replay(arguments)
    if json_file is not None:
        try:
            json_file.write_text(json.dumps(summary, indent=2) + '\n', encoding='utf-8')
        except OSError as error:
            raise ConfigError(f'{json_file}: cannot be written: {error.strerror}') from error
    print(format_table(summary))
    print(f'masks on {summary["mask_topic"]}, timings on {summary["timing_topic"]}')
    print(f'written to {arguments.output}')
    return 0


def _replay(arguments: argparse.Namespace) -> dict[str, Any]:
    """Open everything, replay, close everything.

    Returns:
        The summary.
    """
    from tqdm import tqdm

    from stseg_ros.sources.bag_reader import BagReader
    from stseg_ros.sources.bag_writer import BagWriter
    from stseg_ros.sources.replay_bag import ReplayTopics, replay
    from stseg_ros.sources.replay_summary import library_versions, summarise

    with BagReader(arguments.bag) as reader:
        images = reader.image_topic(arguments.topic)
        topics = ReplayTopics(image=images.name)
        writer = BagWriter(arguments.output, storage=arguments.storage)
        bundle, segmenter = open_from_arguments(arguments)
        with contextlib.closing(segmenter):
            print(f'backend: {segmenter.backend_note}')
            with writer, tqdm(total=images.count, unit='frame', disable=None) as progress:
                result = replay(reader, segmenter, writer, topics, on_frame=progress.update)
                if not result.timings:
                    reason = result.bad_frames[0].reason if result.bad_frames else 'it is empty'
                    raise DataError(
                        f'{arguments.bag}: none of the {result.frames} messages on {topics.image} '
                        f'could be used, so no bag was written; the first: {reason}'
                    )
    return {
        **summarise(result),
        'bag': str(arguments.bag),
        'image_topic': topics.image,
        'mask_topic': topics.mask,
        'timing_topic': topics.frame_timing,
        'bundle': bundle.name,
        'backend': segmenter.backend,
        'device': segmenter.device,
        'settings': dataclasses.asdict(segmenter.settings),
        'versions': library_versions(),
    }
