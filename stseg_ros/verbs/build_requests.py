"""What `stseg build` builds: the networks of a bundle, or one graph for each frame size."""

from __future__ import annotations

import argparse
import dataclasses
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from stseg_ros.bundle import DEFAULT_BUNDLE, ModelBundle, find_bundle
from stseg_ros.config import ONE_GRAPH, STAGES, PipelineConfig
from stseg_ros.errors import ConfigError
from stseg_ros.verbs.config_file import ConfigFile, read_config_file

if TYPE_CHECKING:
    from stseg_ros.config import SegmenterSettings
    from stseg_ros.engines.plan_build.request import BuildRequest

# As in `stseg_ros.engines`, here so that --help is quick.
AUTO = 'auto'
BACKENDS = ('tensorrt', 'tensorrt_rtx')
PRECISIONS = ('fp16', 'fp32')
# What the same is called where a bundle is run.
_OF_CONFIG = {'default': 'fp16', 'float32': 'fp32'}


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildWanted:
    """What is to be built.

    Attributes:
        bundle: the verified bundle.
        execution: 'stages' for the networks, 'one_graph' for graphs of frames.
        backend: 'tensorrt' or 'tensorrt_rtx'; None takes what is installed.
        precision: 'fp16' or 'fp32'.
        settings: regions and fusion of the graphs.
        frame_hws: the sizes of the graphs' frames; none for the networks, which take any.
    """

    bundle: ModelBundle
    execution: str
    backend: str | None
    precision: str
    settings: SegmenterSettings
    frame_hws: tuple[tuple[int, int], ...]


def read_wanted(arguments: argparse.Namespace) -> BuildWanted:
    """Settle what is to be built.

    Args:
        arguments: bundle, config, execution, backend, precision, regions, fusion and frame_size,
            each None where it was not given; they win over the file.

    Returns:
        What is to be built. The working size is among the graphs' sizes, since every start opens
        that graph, before the first image tells the camera's size.

    Raises:
        StsegError: the bundle, the file or an argument is at fault.
    """
    from stseg_ros.assembly import resolve_settings
    from stseg_ros.pipeline.segmenter import check_regions

    file = ConfigFile(config=PipelineConfig())
    if arguments.config is not None:
        file = read_config_file(arguments.config)
    bundle = ModelBundle.read(find_bundle(arguments.bundle or file.bundle or DEFAULT_BUNDLE))
    given = {
        name: getattr(arguments, name)
        for name in ('regions', 'fusion', 'execution')
        if getattr(arguments, name) is not None
    }
    config = dataclasses.replace(file.config, **given)
    settings = resolve_settings(bundle, config)
    check_regions(settings, bundle.geometry)
    return BuildWanted(
        bundle=bundle,
        execution=config.execution,
        backend=arguments.backend or _library_of(arguments.config, config),
        precision=arguments.precision or _OF_CONFIG[config.precision],
        settings=settings,
        frame_hws=_frame_sizes(arguments, config.execution, bundle),
    )


def requests(wanted: BuildWanted, capability: str | None) -> Iterator[tuple[str, BuildRequest]]:
    """Make the requests one after the other, each when its turn comes.

    Args:
        wanted: what is to be built.
        capability: the compute capability to build for; None for this machine's GPU.

    Yields:
        What it is, one or two words; and the request.

    Raises:
        StsegError: see `network_request`, or the networks cannot be joined into one graph.
    """
    from stseg_ros.engines.plan_build.request import graph_request, network_requests
    from stseg_ros.frame_graph.opener import graph_maker
    from stseg_ros.pipeline.graph_inputs import graph_spec

    if wanted.execution == STAGES:
        yield from network_requests(
            wanted.bundle, precision=wanted.precision, compute_capability=capability
        ).items()
        return
    make_graph = graph_maker(wanted.bundle)
    for height, width in wanted.frame_hws:
        spec = graph_spec(wanted.bundle.geometry, (height, width), wanted.settings)
        request = graph_request(
            make_graph(spec), precision=wanted.precision, compute_capability=capability
        )
        yield f'{width}x{height}', request


def _library_of(path: Path | None, config: PipelineConfig) -> str | None:
    """Name the library that a file's backend is; None where that is left to the machine."""
    if config.backend == AUTO:
        return None
    if config.backend not in BACKENDS:
        raise ConfigError(
            f'{path}: backend is {config.backend!r}, which builds no engines; expected one of '
            f'{AUTO}, {", ".join(BACKENDS)}, or --backend NAME'
        )
    return config.backend


def _frame_sizes(
    arguments: argparse.Namespace, execution: str, bundle: ModelBundle
) -> tuple[tuple[int, int], ...]:
    """Read the frames' sizes, and hold the arguments of graphs against the execution."""
    if execution != ONE_GRAPH:
        for option in ('frame_size', 'regions', 'fusion'):
            if getattr(arguments, option) is not None:
                raise ConfigError(
                    f'--{option.replace("_", "-")} is for --execution {ONE_GRAPH}; the two '
                    'networks are built for every size and setting at once'
                )
        return ()
    if not arguments.frame_size:
        raise ConfigError(
            f'--execution {ONE_GRAPH} has a graph for each size of the camera images; name them, '
            'as --frame-size 1280x720'
        )
    sizes = [_parse_size(text) for text in arguments.frame_size]
    return tuple(dict.fromkeys([*sizes, bundle.geometry.working_hw]))


def _parse_size(text: str) -> tuple[int, int]:
    found = re.fullmatch(r'([1-9]\d{0,4})x([1-9]\d{0,4})', text)
    if found is None:
        raise ConfigError(f"--frame-size is '{text}'; expected width x height, such as 1280x720")
    return int(found[2]), int(found[1])
