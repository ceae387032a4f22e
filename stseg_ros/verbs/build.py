"""`stseg build`: build a bundle's TensorRT engines ahead of the first run, and look after them."""

from __future__ import annotations

import argparse
import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from stseg_ros.bundle import DEFAULT_BUNDLE, ModelBundle, find_bundle
from stseg_ros.verbs.build_progress import build_progress
from stseg_ros.verbs.output_folder import make_output_folder

if TYPE_CHECKING:
    from stseg_ros.engines.engine_cache import CacheEntry, EngineCache
    from stseg_ros.engines.tensorrt_build import BuildRequest, FoundPlan
    from stseg_ros.engines.tensorrt_library import TensorRtLibrary

SUMMARY = """\
Build a bundle's TensorRT engines and keep them in the cache, where the node and every other verb
find them. They build what is missing themselves; this is for images, factories and patience.
tensorrt builds on the GPU that will run the engines; tensorrt_rtx needs none."""
EXAMPLES = """
stseg build
stseg build --backend tensorrt_rtx --compute-capability 8.9 12.0
stseg build --bundle models/my_driving --precision fp32
stseg build --list
stseg build --clean
"""

# As in `stseg_ros.engines.tensorrt_library` and `build_request`, here so that --help is quick.
_BACKENDS = ('tensorrt', 'tensorrt_rtx')
_PRECISIONS = ('fp16', 'fp32')


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments.

    Args:
        parser: the verb's parser.
    """
    parser.add_argument(
        '--bundle',
        default=DEFAULT_BUNDLE,
        help='name of a shipped bundle, or a bundle folder (default: %(default)s)',
    )
    parser.add_argument(
        '--backend',
        choices=_BACKENDS,
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
        choices=_PRECISIONS,
        default=_PRECISIONS[0],
        help='arithmetic of the networks (default: %(default)s)',
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
    from stseg_ros.engines.engine_cache import EngineCache

    cache = EngineCache(arguments.output)
    if arguments.list:
        _print_list(cache)
        return 0
    if arguments.clean:
        print(f'{_megabytes(cache.clean())} freed in {cache.root}')
        return 0
    return _build(arguments, cache)


def _build(arguments: argparse.Namespace, cache: EngineCache) -> int:
    from stseg_ros.engines.tensorrt_build import network_requests

    bundle = ModelBundle.read(find_bundle(arguments.bundle))
    library = _open_library(arguments.backend, arguments.compute_capability)
    if arguments.output is not None:
        make_output_folder(arguments.output)
    print(f'{library.name} {library.version}, bundle {bundle.name}, {arguments.precision}')
    all_kept = True
    for capability in arguments.compute_capability or [None]:
        requests = network_requests(
            bundle, precision=arguments.precision, compute_capability=capability
        )
        for stage, request in requests.items():
            title = stage if capability is None else f'{stage}, {capability}'
            found = _build_one(title, library, request, cache)
            all_kept = all_kept and found.is_kept
    print(f'engines in {cache.root}' if all_kept else 'not every engine could be kept, see above')
    return 0 if all_kept else 1


def _build_one(
    title: str, library: TensorRtLibrary, request: BuildRequest, cache: EngineCache
) -> FoundPlan:
    """Find or build one engine, with a progress bar."""
    from stseg_ros.engines.tensorrt_build import find_or_build

    with build_progress(title) as progress:
        found = find_or_build(library, request, cache, progress=progress)
    how = 'from the cache' if found.was_cached else f'built in {found.seconds:.1f} s'
    print(f'{title}: {how}, {_megabytes(len(found.plan))}', flush=True)
    return found


def _open_library(name: str | None, capabilities: list[str] | None) -> TensorRtLibrary:
    """Import the library that was named, or the first that is installed and of use here."""
    from stseg_ros.engines.nvidia_gpu import find_gpu
    from stseg_ros.engines.tensorrt_library import (
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
