"""`stseg benchmark`: what a bundle costs on this machine."""

from __future__ import annotations

import argparse
import json
import os
import re
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stseg_ros.bundle import DEFAULT_BUNDLE, ModelBundle, find_bundle
from stseg_ros.config import PRECISIONS, PipelineConfig
from stseg_ros.errors import ConfigError
from stseg_ros.verbs.method_arguments import add_method_arguments
from stseg_ros.verbs.output_folder import make_output_folder

if TYPE_CHECKING:
    from stseg_ros.bundle import Geometry

SUMMARY = """\
Time a bundle in one run, on one backend, in turns: the whole frame by one network, coarse only,
two stages with several numbers of regions, and the method's published procedure with the same
networks; at several frame sizes. Ratios come with 95 % intervals. Decoding and messages are not in
it, nor several cameras at once. Let nothing else run meanwhile."""
EXAMPLES = """
stseg benchmark
stseg benchmark --bundle models/my_kitti --images ~/data/kitti --sizes 1242x375 --output timing
stseg benchmark --backend openvino --threads 2 --regions 4,8 --sizes 1280x720 --json timing.json
stseg benchmark --quick
"""

_SIZES = '640x480,1280x720,1920x1080,3840x2160'
_REPEATS, _FRAMES = 30, 4
_QUICK_REPEATS, _QUICK_FRAMES = 3, 2
_MOST_REPEATS, _MOST_FRAMES = 1000, 100


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
        '--frames', type=int, metavar='N', help=f'pictures taken in turn (default: {_FRAMES})'
    )
    what.add_argument(
        '--sizes', default=_SIZES, metavar='WxH,WxH', help='frame sizes (default: %(default)s)'
    )
    what.add_argument(
        '--regions',
        metavar='K,K',
        help='regions to refine; 0 is coarse only, always timed (default: 0,2,4,8,16 and the '
        "settings' own number)",
    )
    add_method_arguments(what)
    how = parser.add_argument_group('how')
    how.add_argument(
        '--repeats',
        type=int,
        metavar='N',
        help=f'rounds; each times 3 frames of each (default: {_REPEATS})',
    )
    how.add_argument(
        '--quick',
        action='store_true',
        help=f'{_QUICK_REPEATS} rounds, {_QUICK_FRAMES} pictures: to see that it works',
    )
    how.add_argument('--seed', type=int, default=0, help='of the order in each round (default: 0)')
    how.add_argument('--backend', default='auto', help='inference backend (default: %(default)s)')
    how.add_argument('--threads', type=int, default=0, metavar='N', help='CPU threads')
    how.add_argument('--precision', choices=PRECISIONS, default='default')
    out = parser.add_argument_group('output')
    out.add_argument('--json', type=Path, metavar='FILE', help='write all figures as JSON')
    out.add_argument(
        '--output', type=Path, metavar='DIR', help='write benchmark.json and two figures'
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
    sizes_hw = _sizes(arguments.sizes)
    repeats = _repeats(arguments)
    frames = _frames(arguments)
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
    regions = _regions(arguments.regions, bundle, usual)
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
    )
    with ExitStack() as bars:
        document = run_benchmark(bundle, options, _bars(bars))
    print(f'{bundle.name}, {document["backend_note"]}; {document["procedure"]["frames_from"]}')
    for note in document['notes']:
        print(f'note: {note}')
    print(f'\n{format_tables(document)}')
    shown = usual if usual in regions else max(regions, default=0)
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


def _sizes(text: str) -> list[tuple[int, int]]:
    from stseg_ros.pipeline.preprocess import LARGEST_PIXELS, SMALLEST_SIDE

    sizes_hw = []
    for word in text.split(','):
        match = re.fullmatch(r'\s*(\d+)x(\d+)\s*', word)
        if match is None:
            raise ConfigError(f"--sizes is '{text}'; give sizes such as 1280x720,1920x1080")
        width, height = int(match[1]), int(match[2])
        if min(width, height) < SMALLEST_SIDE or width * height > LARGEST_PIXELS:
            raise ConfigError(
                f'--sizes has {width}x{height}; give {SMALLEST_SIDE}x{SMALLEST_SIDE} to '
                f'{LARGEST_PIXELS // 1_000_000} megapixels'
            )
        sizes_hw.append((height, width))
    return list(dict.fromkeys(sizes_hw))


def _repeats(arguments: argparse.Namespace) -> int:
    repeats = arguments.repeats
    if repeats is None:
        return _QUICK_REPEATS if arguments.quick else _REPEATS
    # From one round no interval can be told.
    if not 2 <= repeats <= _MOST_REPEATS:
        raise ConfigError(f'--repeats is {repeats}; give 2 to {_MOST_REPEATS}')
    return int(repeats)


def _frames(arguments: argparse.Namespace) -> int:
    frames = arguments.frames
    if frames is None:
        return _QUICK_FRAMES if arguments.quick else _FRAMES
    if not 1 <= frames <= _MOST_FRAMES:
        raise ConfigError(f'--frames is {frames}; give 1 to {_MOST_FRAMES}')
    return int(frames)


def _regions(text: str | None, bundle: ModelBundle, usual: int) -> list[int]:
    """Read the numbers of regions above 0, ascending."""
    from stseg_ros.measure.benchmark.cases import MOST_COUNTS, most_regions, usual_counts

    geometry: Geometry = bundle.geometry
    if text is None:
        return usual_counts(geometry, usual)
    most = most_regions(geometry)
    try:
        regions = sorted({int(word) for word in text.split(',')})
    except ValueError as err:
        raise ConfigError(f"--regions is '{text}'; give whole numbers, such as 0,4,8") from err
    if not 0 <= regions[0] <= regions[-1] <= most:
        raise ConfigError(
            f"--regions is '{text}'; give numbers from 0 (coarse only) to {most}, the most that "
            f'{bundle.name} refines'
        )
    regions = [count for count in regions if count]
    if len(regions) > MOST_COUNTS:
        raise ConfigError(f"--regions is '{text}'; give at most {MOST_COUNTS} numbers above 0")
    return regions


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
        from stseg_ros.measure.benchmark.figures import draw_time_by_regions, draw_time_by_size

        written += [output / 'time_by_regions.png', output / 'time_by_size.png']
        draw_time_by_regions(document, written[-2])
        draw_time_by_size(document, shown, written[-1])
    if written:
        print(f'written: {", ".join(str(path) for path in written)}')
