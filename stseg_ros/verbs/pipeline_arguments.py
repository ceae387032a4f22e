"""The arguments of every verb that runs a bundle."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

from stseg_ros.bundle import DEFAULT_BUNDLE
from stseg_ros.config import FUSIONS, PRECISIONS, PipelineConfig

if TYPE_CHECKING:
    from stseg_ros.bundle import ModelBundle
    from stseg_ros.pipeline.two_stage import TwoStageSegmenter


def add_pipeline_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare bundle, backend and the pipeline's settings.

    Args:
        parser: the verb's parser.
    """
    group = parser.add_argument_group('pipeline')
    group.add_argument(
        '--bundle',
        default=DEFAULT_BUNDLE,
        help='name of a shipped bundle, or a bundle folder (default: %(default)s)',
    )
    group.add_argument('--config', type=Path, metavar='FILE', help='YAML file of these settings')
    group.add_argument(
        '--backend', help="inference backend (default: 'auto', the best that opens)"
    )
    group.add_argument(
        '--regions', type=int, metavar='K', help='regions to refine; 0: coarse only'
    )
    group.add_argument('--threshold', type=float, metavar='P', help='vehicle above probability P')
    group.add_argument('--fusion', choices=FUSIONS, help='how refined regions are merged')
    group.add_argument('--refine-below', type=float, metavar='C', help='refine below confidence C')
    group.add_argument('--threads', type=int, metavar='N', help='CPU threads (default: all)')
    group.add_argument('--precision', choices=PRECISIONS, help='arithmetic (default: the fastest)')


def read_config(arguments: argparse.Namespace) -> PipelineConfig:
    """Merge the configuration file, where one is named, with the arguments given.

    Args:
        arguments: what `add_pipeline_arguments` declared.

    Returns:
        The settings; an argument wins over the file.

    Raises:
        ConfigError: a value is wrong.
    """
    config = PipelineConfig.load(arguments.config) if arguments.config else PipelineConfig()
    given = {
        field.name: getattr(arguments, field.name)
        for field in dataclasses.fields(PipelineConfig)
        if getattr(arguments, field.name, None) is not None
    }
    return dataclasses.replace(config, **given)


def open_from_arguments(arguments: argparse.Namespace) -> tuple[ModelBundle, TwoStageSegmenter]:
    """Read the bundle and open a segmenter.

    Args:
        arguments: what `add_pipeline_arguments` declared.

    Returns:
        The bundle, and a segmenter that the caller closes.

    Raises:
        StsegError: the bundle, a setting or the backend is at fault.
    """
    from stseg_ros.assembly import open_segmenter
    from stseg_ros.bundle import ModelBundle, find_bundle

    bundle = ModelBundle.read(find_bundle(arguments.bundle))
    return bundle, open_segmenter(bundle, read_config(arguments))
