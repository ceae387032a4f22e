"""The arguments of every verb that runs a bundle."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

from stseg_ros.bundle import DEFAULT_BUNDLE
from stseg_ros.config import EXECUTIONS, FUSIONS, PRECISIONS, PipelineConfig
from stseg_ros.errors import ConfigError
from stseg_ros.verbs.backend_argument import add_backend_argument
from stseg_ros.verbs.build_progress import build_progress
from stseg_ros.verbs.config_file import ConfigFile, read_config_file
from stseg_ros.verbs.method_arguments import add_method_arguments

if TYPE_CHECKING:
    from stseg_ros.bundle import ModelBundle
    from stseg_ros.pipeline.segmenter import Segmenter

_CONFIG_FORMAT = """\
--config takes a YAML file of these settings, in which - is _, or a parameter file of the node,
such as config/segment.yaml; an argument wins over the file. For example:

  bundle: driving_small
  regions: 4
  refine_below: 0.8
"""


def add_pipeline_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare bundle, backend and the pipeline's settings.

    Args:
        parser: the verb's parser, which shows descriptions as they are.
    """
    group = parser.add_argument_group('pipeline', _CONFIG_FORMAT)
    group.add_argument(
        '--bundle',
        help=f'name of a shipped bundle, or a bundle folder (default: {DEFAULT_BUNDLE})',
    )
    group.add_argument('--config', type=Path, metavar='FILE', help='YAML file of these settings')
    add_backend_argument(group, default=None)
    group.add_argument(
        '--regions',
        type=int,
        metavar='K',
        help="most regions to refine; 0: coarse only (default: the bundle's own number)",
    )
    add_method_arguments(group)
    group.add_argument('--threshold', type=float, metavar='P', help='vehicle above probability P')
    group.add_argument('--fusion', choices=FUSIONS, help='how refined regions are merged')
    group.add_argument('--refine-below', type=float, metavar='C', help='refine below confidence C')
    group.add_argument('--threads', type=int, metavar='N', help='CPU threads (default: all)')
    group.add_argument('--precision', choices=PRECISIONS, help='arithmetic (default: the fastest)')
    group.add_argument(
        '--execution',
        choices=EXECUTIONS,
        help='the networks in stages, or all steps joined to one graph (default: stages)',
    )


def open_from_arguments(arguments: argparse.Namespace) -> tuple[ModelBundle, Segmenter]:
    """Read the bundle and open a segmenter; say what of a parameter file is not used.

    Args:
        arguments: what `add_pipeline_arguments` declared; they win over the file.

    Returns:
        The bundle, and a segmenter that the caller closes.

    Raises:
        StsegError: the bundle, a setting or the backend is at fault.
    """
    from stseg_ros.assembly import open_segmenter
    from stseg_ros.bundle import ModelBundle, find_bundle

    file = ConfigFile(config=PipelineConfig())
    if arguments.config is not None:
        file = read_config_file(arguments.config)
    bundle = ModelBundle.read(find_bundle(arguments.bundle or file.bundle or DEFAULT_BUNDLE))
    _check_regions(arguments.regions, bundle)
    with build_progress('building engines') as progress:
        segmenter = open_segmenter(bundle, _merge(file.config, arguments), progress=progress)
    if file.passed_over:
        names = ', '.join(file.passed_over)
        print(f'{arguments.config}: not for the pipeline, passed over: {names}')
    return bundle, segmenter


def _check_regions(regions: int | None, bundle: ModelBundle) -> None:
    most = bundle.geometry.max_regions
    if regions is not None and not 0 <= regions <= most:
        raise ConfigError(
            f'--regions is {regions}; give 0 (coarse only) to {most}, or leave it out for the '
            f'{bundle.manifest.recommended.regions} that {bundle.name} recommends'
        )


def _merge(config: PipelineConfig, arguments: argparse.Namespace) -> PipelineConfig:
    given = {
        field.name: getattr(arguments, field.name)
        for field in dataclasses.fields(PipelineConfig)
        if getattr(arguments, field.name, None) is not None
    }
    return dataclasses.replace(config, **given)
