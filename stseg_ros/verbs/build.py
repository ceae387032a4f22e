"""`stseg build`: build a bundle's TensorRT engines ahead of the first run, and look after them."""

from __future__ import annotations

import argparse
import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from stseg_ros.bundle import DEFAULT_BUNDLE
from stseg_ros.config import EXECUTIONS, FUSIONS
from stseg_ros.verbs.build_progress import build_progress
from stseg_ros.verbs.build_requests import BACKENDS, PRECISIONS, read_wanted, requests
from stseg_ros.verbs.output_folder import make_output_folder

if TYPE_CHECKING:
    from stseg_ros.engines.plan_build.plans import BuildRequest, FoundPlan
    from stseg_ros.engines.plan_cache.cache import CacheEntry, EngineCache
    from stseg_ros.engines.tensorrt.library import TensorRtLibrary

SUMMARY = """\
Build a bundle's TensorRT engines and keep them in the cache, where the node and every other verb
find them. They build what is missing themselves; this is for images, factories and patience.
tensorrt builds on the GPU that will run the engines; tensorrt_rtx needs none."""
EXAMPLES = """
stseg build
stseg build --backend tensorrt_rtx --compute-capability 8.9 12.0
stseg build --bundle models/my_driving --precision fp32
stseg build --execution one_graph --frame-size 1280x720 1242x375
stseg build --config config/segment.yaml
stseg build --list
stseg build --clean
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments.

    Args:
        parser: the verb's parser.
    """
    parser.add_argument(
        '--bundle',
        help=f'name of a shipped bundle, or a bundle folder (default: {DEFAULT_BUNDLE})',
    )
    parser.add_argument(
        '--config',
        type=Path,
        metavar='FILE',
        help="the node's parameter file, or settings as of stseg segment; bundle, execution, "
        'backend, precision, regions and fusion are taken from it',
    )
    parser.add_argument(
        '--backend',
        choices=BACKENDS,
        help='library to build with (default: the first of these that is installed, but '
        'tensorrt_rtx for a --compute-capability on a machine without a GPU)',
    )
    parser.add_argument(
        '--compute-capability',
        nargs='+',
        metavar='X.Y',
        help="GPUs to build for, tensorrt_rtx only (default: this machine's)",
    )
    parser.add_argument(
        '--precision',
        choices=PRECISIONS,
        help=f'arithmetic of the networks (default: {PRECISIONS[0]})',
    )
    graphs = parser.add_argument_group(
        'one graph', 'Both networks and all steps between them as one engine per image size.'
    )
    graphs.add_argument(
        '--execution',
        choices=EXECUTIONS,
        help='build the networks, or one graph of each --frame-size (default: stages)',
    )
    graphs.add_argument(
        '--frame-size',
        nargs='+',
        metavar='WxH',
        help="sizes of the cameras' images; the bundle's working size is always built, too",
    )
    graphs.add_argument(
        '--regions',
        type=int,
        metavar='K',
        help="most regions refined (default: the bundle's number)",
    )
    graphs.add_argument(
        '--fusion', choices=FUSIONS, help="how they are merged (default: the bundle's way)"
    )
    parser.add_argument(
        '--output',
        type=Path,
        metavar='DIR',
        help='folder of the engines (default: the cache; another machine finds them in its own, '
        '~/.cache/stseg_ros/engines)',
    )
    group = parser.add_mutually_exclusive_group()
    group.add_argument('--list', action='store_true', help='list the engines that are kept')
    group.add_argument('--clean', action='store_true', help='delete all engines that are kept')


def run(arguments: argparse.Namespace) -> int:
    """Build, list or delete engines.

    Args:
        arguments: what `add_arguments` declared.

    Returns:
        0, or 1 where a built engine could not be kept.

    Raises:
        StsegError: the bundle, the library or the GPU to build for is at fault.
    """
    from stseg_ros.engines.plan_cache.cache import EngineCache

    cache = EngineCache(arguments.output)
    if arguments.list:
        _print_list(cache)
        return 0
    if arguments.clean:
        print(f'{_megabytes(cache.clean())} freed in {cache.root}')
        return 0
    return _build(arguments, cache)


def _build(arguments: argparse.Namespace, cache: EngineCache) -> int:
    wanted = read_wanted(arguments)
    library = _open_library(wanted.backend, arguments.compute_capability)
    if arguments.output is not None:
        make_output_folder(arguments.output)
    print(f'{library.name} {library.version}, bundle {wanted.bundle.name}, {wanted.precision}')
    all_kept = True
    for capability in arguments.compute_capability or [None]:
        for name, request in requests(wanted, capability):
            title = name if capability is None else f'{name}, {capability}'
            found = _build_one(title, library, request, cache)
            all_kept = all_kept and found.is_kept
    print(f'engines in {cache.root}' if all_kept else 'not every engine could be kept, see above')
    return 0 if all_kept else 1


def _build_one(
    title: str, library: TensorRtLibrary, request: BuildRequest, cache: EngineCache
) -> FoundPlan:
    """Find or build one engine, with a progress bar."""
    from stseg_ros.engines.plan_build.plans import find_or_build

    with build_progress(title) as progress:
        found = find_or_build(library, request, cache, progress=progress)
    how = 'from the cache' if found.was_cached else f'built in {found.seconds:.1f} s'
    print(f'{title}: {how}, {_megabytes(len(found.plan))}', flush=True)
    return found


def _open_library(name: str | None, capabilities: list[str] | None) -> TensorRtLibrary:
    """Import the library that was named, or the first that is installed and of use here."""
    from stseg_ros.engines.cuda.nvidia_gpu import find_gpu
    from stseg_ros.engines.tensorrt.library import (
        LIBRARIES,
        TENSORRT_RTX,
        is_installed,
        load_library,
    )
    from stseg_ros.errors import EngineError

    if name is not None:
        return load_library(name)
    installed = [known for known in LIBRARIES if is_installed(known)]
    if not installed:
        raise EngineError(
            'neither tensorrt nor tensorrt_rtx is installed; --backend NAME says how to get one'
        )
    # The other library builds on the GPU itself only.
    if TENSORRT_RTX in installed and capabilities and find_gpu() is None:
        return load_library(TENSORRT_RTX)
    return load_library(installed[0])


def _print_list(cache: EngineCache) -> None:
    entries = cache.entries()
    for entry in entries:
        print(_describe(entry))
    total = sum(entry.header.plan_bytes for entry in entries)
    print(f'{len(entries)} engines, {_megabytes(total)}, in {cache.root}')


def _describe(entry: CacheEntry) -> str:
    header, key = entry.header, entry.header.key
    used = datetime.datetime.fromtimestamp(entry.used_ns / 1e9).astimezone()
    gpu = '' if key.gpu == 'any' else f' {key.gpu},'
    return (
        f'{header.facts.get("network", "?")} {key.onnx_sha256[:8]}: {key.library} {key.version},'
        f'{gpu} compute capability {key.compute_capability}, {key.precision},'
        f' {key.profiles or "fixed shapes"}, {_megabytes(header.plan_bytes)},'
        f' used {used:%Y-%m-%d %H:%M}'
    )


def _megabytes(count: int) -> str:
    return f'{count / 1e6:.1f} MB'
