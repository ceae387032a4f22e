"""Time bundles with `stseg benchmark`, and write docs/results/benchmark.md.

    .venv/bin/python docs/scripts/make_benchmark_page.py driving_small runs/paper_4 runs/paper_8

Takes a few minutes for each bundle, in which nothing else may run. Without a bundle the page is
written anew from the files that are there. With scikit-image installed, the published procedure is
re-enacted with the library that it uses.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from stseg_ros.bundle import ModelBundle, find_bundle
from stseg_ros.cli import main as stseg
from stseg_ros.measure.benchmark.table import format_tables

RESULTS = Path(__file__).parents[1] / 'results'
PREFIX = 'benchmark_'
CAMERA_SIZES = '640x480,1242x375,1280x720,1920x1080,3840x2160'

INTRODUCTION = """\
# Time of every way to run a bundle

Written by `docs/scripts/make_benchmark_page.py`, which runs `stseg benchmark`; the figures are in
`benchmark_*.json` beside this page. All rows of a table took turns in one run, on one backend, so
that the ratios hold where the times do not. `whole` is the refine network on the whole frame at
the working size, which costs what a network for the whole frame would; its weights do not matter
for its time. `reference` is the published procedure with the same networks: cells one by one.
"""


def paper_geometry(bundle: ModelBundle) -> bool:
    """Say whether a bundle has the paper's square frames."""
    height, width = bundle.geometry.working_hw
    return height == width


def run_benchmark(name: str) -> None:
    """Time one bundle, and keep the figures."""
    bundle = ModelBundle.read(find_bundle(name))
    height, width = bundle.geometry.working_hw
    sizes = f'{width}x{height}' if paper_geometry(bundle) else CAMERA_SIZES
    # The folder's name: runs of one recipe are bundles of one name.
    target = RESULTS / f'{PREFIX}{bundle.root.name}.json'
    preset = ['--preset', 'paper'] if paper_geometry(bundle) else []
    status = stseg(
        ['benchmark', '--bundle', name, '--sizes', sizes, '--json', str(target), *preset]
    )
    if status:
        sys.exit(status)


def section(document: dict[str, Any]) -> str:
    """Write the tables of one bundle."""
    machine, geometry = document['machine'], document['geometry']
    height, width = geometry['working_hw']
    rows, columns = geometry['grid']
    subject = (
        f'Working size {width}x{height}, fusion `{document["settings"]["fusion"]}`. '
        f'{document["backend_note"]}. {machine["processor"]}, {machine["usable_cores"]} cores, '
        f'load before {machine["load_before"]:.1f}.'
    )
    lines = [
        f'## {document["bundle"]}, {rows}x{columns} cells',
        '',
        subject,
        '',
        '```',
        format_tables(document),
        '```',
    ]
    return '\n'.join(lines) + '\n'


def main() -> None:
    """Time and write."""
    parser = argparse.ArgumentParser(description=(__doc__ or '').splitlines()[0])
    parser.add_argument('bundles', nargs='*', metavar='BUNDLE', help='name or folder of a bundle')
    for name in parser.parse_args().bundles:
        run_benchmark(name)
    documents = [
        json.loads(path.read_text(encoding='utf-8'))
        for path in sorted(RESULTS.glob(f'{PREFIX}*.json'))
    ]
    page = '\n'.join([INTRODUCTION, *(section(document) for document in documents)])
    (RESULTS / 'benchmark.md').write_text(page, encoding='utf-8')


if __name__ == '__main__':
    main()
