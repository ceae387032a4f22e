"""`stseg benchmark`: what a bundle costs on this machine."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from stseg_ros.bundle import DEFAULT_BUNDLE, ModelBundle, find_bundle
from stseg_ros.config import PRECISIONS, PipelineConfig
from stseg_ros.errors import ConfigError
from stseg_ros.verbs.backend_argument import add_backend_argument
from stseg_ros.verbs.benchmark_numbers import (
    CAMERAS,
    FRAMES,
    QUICK_FRAMES,
    QUICK_REPEATS,
    REPEATS,
    SIZES,
    read_cameras,
    read_frames,
    read_regions,
    read_repeats,
    read_sizes,
)
from stseg_ros.verbs.method_arguments import add_method_arguments
from stseg_ros.verbs.output_folder import make_output_folder

SUMMARY = """\
Time a bundle in one run, on one backend, in turns: the whole frame by one network, coarse only,
two stages with several numbers of regions, and the method's published procedure with the same
networks, also in PyTorch as it was published, where that is installed; at several frame sizes; and
several cameras on one pair of networks. Ratios come with 95 % intervals. Decoding and messages are
not in it. Let nothing else run meanwhile."""
EXAMPLES = """
stseg benchmark
stseg benchmark --bundle models/my_kitti --images ~/data/kitti --sizes 1242x375 --output timing
stseg benchmark --backend openvino --threads 2 --regions 4,8 --sizes 1280x720 --json timing.json
stseg benchmark --cameras 1,2,3,4,6 --sizes 1280x720 --output timing
stseg benchmark --quick
"""


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
    what = parser.add_argument_group('what is timed')
    what.add_argument(
        '--images',
        type=Path,
        metavar='DIR',
        help='folder of images, in any layout of `stseg bag from-images`, scaled to each size '
        '(default: synthetic scenes)',
    )
    what.add_argument(
        '--frames', type=int, metavar='N', help=f'pictures taken in turn (default: {FRAMES})'
    )
    what.add_argument(
        '--sizes', default=SIZES, metavar='WxH,WxH', help='frame sizes (default: %(default)s)'
    )
    what.add_argument(
        '--regions',
        metavar='K,K',
        help='regions to refine; 0 is coarse only, always timed (default: 0,2,4,8,16 and the '
        "settings' own number)",
    )
    what.add_argument(
        '--cameras',
        default=CAMERAS,
        metavar='N,N',
        help='numbers of cameras on one pair of networks, at the size nearest to 1280x720; 0 '
        'leaves them out (default: %(default)s)',
    )
    add_method_arguments(what)
    how = parser.add_argument_group('how')
    how.add_argument(
        '--repeats',
        type=int,
        metavar='N',
        help=f'rounds; each times 3 frames of each (default: {REPEATS})',
    )
    how.add_argument(
        '--quick',
        action='store_true',
        help=f'{QUICK_REPEATS} rounds, {QUICK_FRAMES} pictures: to see that it works',
    )
    how.add_argument('--seed', type=int, default=0, help='of the order in each round (default: 0)')
    add_backend_argument(how)
    how.add_argument('--threads', type=int, default=0, metavar='N', help='CPU threads')
    how.add_argument('--precision', choices=PRECISIONS, default='default')
    out = parser.add_argument_group('output')
    out.add_argument('--json', type=Path, metavar='FILE', help='write all figures as JSON')
    out.add_argument(
        '--output', type=Path, metavar='DIR', help='write benchmark.json and the figures'
    )


def run(arguments: argparse.Namespace) -> int:
    """Time, print the tables, and write what was asked for.

    Args:
        arguments: what `add_arguments` declared.

    Returns:
        0.

    Raises:
        StsegError: a setting, the bundle, the images or the backend are at fault.
    """
    # What is cheap to check comes before what takes minutes.
    sizes_hw = read_sizes(arguments.sizes)
    repeats = read_repeats(arguments)
    frames = read_frames(arguments)
    cameras = read_cameras(arguments.cameras)
    config = PipelineConfig(
        preset=arguments.preset,
        selector=arguments.selector,
        backend=arguments.backend,
        threads=arguments.threads,
        precision=arguments.precision,
    )
    if arguments.seed < 0:
        raise ConfigError(f'--seed is {arguments.seed}; give 0 or more')
    _check_backend(arguments.backend)
    bundle = ModelBundle.read(find_bundle(arguments.bundle))
    from stseg_ros.assembly import resolve_settings

    usual = resolve_settings(bundle, config).regions
    regions = read_regions(arguments.regions, bundle, usual)
    # What the figures show where they can show one number only.
    shown = usual if usual in regions else max(regions, default=0)
    targets = _targets(arguments)

    from stseg_ros.measure.benchmark.machine import describe_machine
    from stseg_ros.measure.benchmark.rounds import Procedure
    from stseg_ros.measure.benchmark.run import BenchmarkOptions, run_benchmark
    from stseg_ros.measure.benchmark.table import format_tables

    machine = describe_machine()
    if machine['busy']:
        print(
            f'note: this machine is busy (load {machine["load_before"]:.1f} on '
            f'{machine["usable_cores"]} cores): its times now are worth little'
        )
    options = BenchmarkOptions(
        config=config,
        regions=regions,
        sizes_hw=sizes_hw,
        procedure=Procedure(rounds=repeats, seed=arguments.seed),
        images=arguments.images,
        frames=frames,
        cameras=cameras,
        camera_regions=shown,
    )
    with ExitStack() as bars:
        document = run_benchmark(bundle, options, _bars(bars))
    print(f'{bundle.name}, {document["backend_note"]}; {document["procedure"]["frames_from"]}')
    for note in document['notes']:
        print(f'note: {note}')
    print(f'\n{format_tables(document)}')
    _write(document, shown, arguments.output, targets)
    return 0


def _check_backend(name: str) -> None:
    """Refuse an unknown name before scenes are drawn."""
    from stseg_ros.engines.backends import AUTO, BACKENDS

    if name not in (AUTO, *BACKENDS):
        raise ConfigError(f'--backend is {name!r}; expected one of {AUTO}, {", ".join(BACKENDS)}')


def _bars(stack: ExitStack) -> Callable[[str, int], Callable[[int], object]]:
    """Show each phase with a bar of its own, closed when the next one starts."""
    from tqdm import tqdm

    def start(name: str, steps: int) -> Callable[[int], object]:
        stack.pop_all().close()
        bar = stack.enter_context(tqdm(total=steps, desc=name, disable=None))
        update: Callable[[int], object] = bar.update
        return update

    return start


def _targets(arguments: argparse.Namespace) -> list[Path]:
    """Find the JSON files to write, and see now that they can be written."""
    targets = [arguments.json] if arguments.json else []
    if arguments.output:
        make_output_folder(arguments.output)
        targets.append(arguments.output / 'benchmark.json')
    for path in targets:
        _make_room(path)
    return targets


def _make_room(path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as err:
        raise ConfigError(
            f'{path} cannot be written ({err.strerror}); give another --json'
        ) from err
    if path.is_dir() or not os.access(path if path.exists() else path.parent, os.W_OK):
        raise ConfigError(f'{path} is a folder or read-only; give another --json or --output')


def _write(
    document: dict[str, Any],
    shown: int,
    output: Path | None,
    targets: Sequence[Path],
) -> None:
    text = json.dumps(document, indent=1, ensure_ascii=False) + '\n'
    for path in targets:
        path.write_text(text, encoding='utf-8')
    written = list(targets)
    if output is not None:
        from stseg_ros.measure.benchmark.figures import (
            draw_time_by_cameras,
            draw_time_by_regions,
            draw_time_by_size,
        )

        written += [output / 'time_by_regions.png', output / 'time_by_size.png']
        draw_time_by_regions(document, written[-2])
        draw_time_by_size(document, shown, written[-1])
        if document['cameras']:
            written.append(output / 'time_by_cameras.png')
            draw_time_by_cameras(document, written[-1])
    if written:
        print(f'written: {", ".join(str(path) for path in written)}')
