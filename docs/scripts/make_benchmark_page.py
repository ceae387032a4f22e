"""Time bundles with `stseg benchmark`, and write docs/results/benchmark.md.

    .venv/bin/python docs/scripts/make_benchmark_page.py driving_small runs/paper_4 runs/paper_8

Takes some minutes for each bundle, in which nothing else may run. Without a bundle the page is
written anew from the files that are there. The published procedure is re-enacted with the
libraries that it uses: PyTorch (requirements/train.txt), and scikit-image (pip install
scikit-image; OpenCV stands in for it).

The paper's bundles have its networks, frames of 512x512, and 4 and 8 parts to a side. A run of
config/train/paper_camvid.yaml, with `grid` and `max_regions` as each needs them, exported, is one;
for times any weights do.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from stseg_ros.bundle import ModelBundle, find_bundle
from stseg_ros.cli import main as stseg
from stseg_ros.measure.benchmark.criteria import criteria
from stseg_ros.measure.benchmark.figures import (
    draw_time_by_cameras,
    draw_time_by_regions,
    draw_time_by_size,
)
from stseg_ros.measure.benchmark.run import SCHEMA
from stseg_ros.measure.benchmark.table import format_tables

RESULTS = Path(__file__).parents[1] / 'results'
PREFIX = 'benchmark_'
REPEATS = 30
CAMERA_SIZES = '640x480,1242x375,1280x720,1920x1080,3840x2160'

INTRODUCTION = """\
# Time of every way to run a bundle

Written by `docs/scripts/make_benchmark_page.py`, which runs `stseg benchmark`; the figures are in
`benchmark_*.json` beside this page. All rows of a table took turns in one run, all but
`reference_torch` on one backend, so that the ratios hold where the times do not. `whole` is the
refine network on the whole frame at the working size, which costs what a network for the whole
frame would; its weights do not matter for its time. `reference` is the published procedure with
the same networks on the same backend: cells one by one. `reference_torch` is that procedure as it
was published, in PyTorch and float32, with the same weights and PyTorch's own number of threads,
whatever the backend's arithmetic.
"""


def paper_geometry(bundle: ModelBundle) -> bool:
    """Say whether a bundle has the paper's square frames."""
    height, width = bundle.geometry.working_hw
    return height == width


def run_benchmarks(name: str, repeats: int, results: Path) -> None:
    """Time one bundle, and keep the figures."""
    bundle = ModelBundle.read(find_bundle(name))
    # The paper's network has so many weights that the ratios depend on the arithmetic.
    for precision in ('default', 'float32') if paper_geometry(bundle) else ('default',):
        run_benchmark(name, bundle, precision, repeats, results)


def run_benchmark(
    name: str, bundle: ModelBundle, precision: str, repeats: int, results: Path
) -> None:
    """Time one bundle in one arithmetic."""
    height, width = bundle.geometry.working_hw
    sizes = f'{width}x{height}' if paper_geometry(bundle) else CAMERA_SIZES
    # The folder's name: runs of one recipe are bundles of one name.
    suffix = '' if precision == 'default' else f'_{precision}'
    target = results / f'{PREFIX}{bundle.root.name}{suffix}.json'
    what = ['benchmark', '--bundle', name, '--sizes', sizes, '--json', str(target)]
    what += ['--precision', precision]
    if paper_geometry(bundle):
        # Cameras are of interest where frames are a camera's.
        what += ['--preset', 'paper', '--cameras', '0']
    status = stseg([*what, '--repeats', str(repeats)])
    if status:
        sys.exit(status)


def draw(document: dict[str, Any], stem: Path) -> list[str]:
    """Draw the figures of one bundle, and return their names."""
    regions = document['settings']['regions']
    drawn = [stem.with_name(f'{stem.name}_regions.png')]
    draw_time_by_regions(document, drawn[-1])
    if len({row['size'] for row in document['results']}) > 1:
        drawn.append(stem.with_name(f'{stem.name}_size.png'))
        draw_time_by_size(document, regions, drawn[-1])
    if document['cameras']:
        drawn.append(stem.with_name(f'{stem.name}_cameras.png'))
        draw_time_by_cameras(document, drawn[-1])
    return [path.name for path in drawn]


def section(document: dict[str, Any], figures: list[str]) -> str:
    """Write the tables of one bundle."""
    machine, geometry = document['machine'], document['geometry']
    height, width = geometry['working_hw']
    rows, columns = geometry['grid']
    subject = (
        f'Working size {width}x{height}, regions chosen by `{document["selector"]}`, fusion '
        f'`{document["settings"]["fusion"]}`. '
        f'{document["backend_note"]}. {machine["processor"]}, {machine["usable_cores"]} cores, '
        f'load before {machine["load_before"]:.1f}.'
    )
    lines = [
        f'## {document["bundle"]}, {rows}x{columns} cells, {document["device"]}',
        '',
        subject,
        '',
        '```',
        format_tables(document),
        '```',
        '',
        *(f'![{name}]({name})\n' for name in figures),
    ]
    return '\n'.join(lines) + '\n'


def main() -> None:
    """Time and write."""
    parser = argparse.ArgumentParser(description=(__doc__ or '').splitlines()[0])
    parser.add_argument('bundles', nargs='*', metavar='BUNDLE', help='name or folder of a bundle')
    parser.add_argument('--repeats', type=int, default=REPEATS, help='default: %(default)s')
    parser.add_argument('--output', type=Path, default=RESULTS, help='folder of the page')
    arguments = parser.parse_args()
    for name in arguments.bundles:
        run_benchmarks(name, arguments.repeats, arguments.output)
    documents: dict[Path, dict[str, Any]] = {}
    for path in sorted(arguments.output.glob(f'{PREFIX}*.json')):
        document = json.loads(path.read_text(encoding='utf-8'))
        if document['schema'] != SCHEMA:
            sys.exit(f'{path} has schema {document["schema"]}, not {SCHEMA}; time it again')
        documents[path.with_suffix('')] = document
    sections = [section(document, draw(document, stem)) for stem, document in documents.items()]
    page = '\n'.join([INTRODUCTION, criteria(list(documents.values())), *sections])
    (arguments.output / 'benchmark.md').write_text(page, encoding='utf-8')


if __name__ == '__main__':
    main()
