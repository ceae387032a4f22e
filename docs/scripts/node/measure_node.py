"""Measure what the node costs and how it keeps a latency budget, through real ROS 2.

    .venv/bin/python docs/scripts/node/measure_node.py --output node.json --data ~/data

Needs rclpy, and about six minutes in which nothing else runs. Writes the JSON file, and beside it
a page and a picture of the same name. `--quick` only shows that it works.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from node_rig import running_rig
from node_steps import (
    QUICK,
    Plan,
    Subject,
    count_images,
    measure_budget,
    measure_overhead,
    measure_overload,
)
from tqdm import tqdm

from stseg_ros.assembly import open_segmenter, resolve_selector
from stseg_ros.bundle import DEFAULT_BUNDLE, ModelBundle, find_bundle
from stseg_ros.config import SELECTORS, PipelineConfig
from stseg_ros.errors import DataError, StsegError
from stseg_ros.measure.benchmark.machine import describe_machine
from stseg_ros.measure.node.figures import LEAST_KEPT
from stseg_ros.measure.node.labelled_stream import StreamImage, load_stream, write_stream
from stseg_ros.measure.node.offline import OfflineMasks, segment_offline
from stseg_ros.measure.node.page import draw_curves, write_page

SCHEMA = 1
_USAGE_ERROR = 2


def prepare(
    bundle: ModelBundle, config: PipelineConfig, plan: Plan, data: Path | None
) -> tuple[list[StreamImage], OfflineMasks]:
    """Load the labelled images, and segment them offline."""
    camvid = None if data is None else data / 'camvid'
    with tqdm(desc='images', total=plan.scenes * (1 + bool(camvid)), disable=None) as bar:
        stream = load_stream(plan.scenes, camvid, bar.update)
    with (
        closing(open_segmenter(bundle, config)) as segmenter,
        tqdm(desc='offline', total=len(stream), disable=None) as bar,
    ):
        return stream, segment_offline(stream, segmenter, bar.update)


def measure(
    bundle: ModelBundle,
    config: PipelineConfig,
    plan: Plan,
    data: Path | None,
    write: Callable[[dict[str, Any]], None],
) -> dict[str, Any]:
    """Measure everything.

    Args:
        bundle: what the node runs.
        config: its backend.
        plan: how much of everything.
        data: folder of the data sets; None for synthetic scenes alone.
        write: called with what is known by now, after each part.

    Returns:
        What was found, for JSON.

    Raises:
        StsegError: a process failed, or the data is not there.
    """
    content: dict[str, Any] = {'schema': SCHEMA, 'machine': describe_machine()}
    stream, offline = prepare(bundle, config, plan, data)
    most = bundle.geometry.max_regions
    selector = resolve_selector(bundle, config)
    parameters = {
        'bundle': str(bundle.root.resolve()),
        'backend': config.backend,
        'selector': selector,
    }
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        write_stream(stream, folder / 'bag')
        with (
            running_rig(folder / 'bag', folder, parameters) as rig,
            tqdm(
                total=count_images(plan, len(stream), has_more=most > offline.most_regions),
                unit='image',
                disable=None,
            ) as progress,
        ):
            subject = Subject(
                rig=rig,
                stream=stream,
                offline=offline,
                plan=plan,
                max_regions=most,
                progress=progress,
            )
            content['bundle'] = bundle.name
            content['selector'] = selector
            content['device'] = rig.counts()['device']
            content.update(describe_images(offline))
            measure_parts(subject, content, write)
    return content


def describe_images(offline: OfflineMasks) -> dict[str, Any]:
    """Say how many images of each data set there are, and how they score by number of regions."""
    sources = list(dict.fromkeys(offline.sources))
    return {
        'images': {source: offline.sources.count(source) for source in sources},
        'offline_dice': {
            source: [
                round(offline.dice(source, regions), 4)
                for regions in range(offline.most_regions + 1)
            ]
            for source in sources
        },
    }


def measure_parts(
    subject: Subject, content: dict[str, Any], write: Callable[[dict[str, Any]], None]
) -> None:
    """Measure one part after the other; say, and write, what came of each."""
    say = subject.progress.write
    content['overhead'] = measure_overhead(subject)
    write(content)
    say(f'the node adds {content["overhead"]["node_adds_ms"]["p50"]:.2f} ms')
    budget = content['budget'] = measure_budget(subject)
    write(content)
    for load in ('idle', 'loaded'):
        half = budget[load]['half']
        say(f'{load}: {half["kept"]:.1%} of the masks within {half["budget_ms"]:.1f} ms')
    content['overload'] = measure_overload(subject, budget['full_ms']['idle'])
    say(f'{content["overload"]["sustained_hz"]:.1f} masks per second under a flood')


def main(arguments: Sequence[str] | None = None) -> int:
    """Run it all and write the files.

    Args:
        arguments: of the command line; None takes the process's own.

    Returns:
        0; 1 where the node adds more, or a budget is kept less, than promised; 2 where it could
        not be measured.
    """
    parser = argparse.ArgumentParser(
        description=(__doc__ or '').splitlines()[0],
        epilog='example: measure_node.py --output node.json --data ~/data',
    )
    parser.add_argument('--output', type=Path, required=True, metavar='FILE', help='JSON file')
    parser.add_argument('--data', type=Path, metavar='DIR', help='folder that holds camvid/')
    parser.add_argument('--bundle', default=DEFAULT_BUNDLE, help='name or folder')
    parser.add_argument('--backend', default='auto', help='inference backend')
    parser.add_argument(
        '--selector', choices=SELECTORS, help="how regions are chosen (default: the bundle's way)"
    )
    parser.add_argument('--quick', action='store_true', help='only see that it works')
    chosen = parser.parse_args(arguments)
    started_s = time.monotonic()

    def write(content: dict[str, Any]) -> None:
        minutes = (time.monotonic() - started_s) / 60.0
        content = {**content, 'quick': chosen.quick, 'minutes': round(minutes, 1)}
        try:
            chosen.output.write_text(json.dumps(content, indent=1) + '\n', encoding='utf-8')
        except OSError as err:
            raise DataError(f'{chosen.output}: cannot be written ({err.strerror})') from err

    try:
        content = measure(
            ModelBundle.read(find_bundle(chosen.bundle)),
            PipelineConfig(backend=chosen.backend, selector=chosen.selector),
            QUICK if chosen.quick else Plan(),
            chosen.data,
            write,
        )
        content['quick'] = chosen.quick
        write(content)
    except StsegError as err:
        print(f'measure_node: {err}', file=sys.stderr)
        return _USAGE_ERROR
    figure = chosen.output.with_suffix('.png')
    draw_curves(content, figure)
    page = chosen.output.with_suffix('.md')
    page.write_text(write_page(content, chosen.output.name, figure.name), encoding='utf-8')
    print(f'{page} and {figure} written')
    kept = [content['budget'][load]['half']['kept'] for load in ('idle', 'loaded')]
    promised = content['overhead']['is_small'] and min(kept) >= LEAST_KEPT
    return 0 if promised else 1


if __name__ == '__main__':
    sys.exit(main())
