"""Soak the node for half an hour, and write docs/results/soak.md.

    .venv/bin/python docs/scripts/make_soak_page.py --seconds 1800

The status is 1 where a promise was broken. `--seconds 0` writes the page anew from the figures.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from stseg_ros.cli import main as stseg
from stseg_ros.machine import processor_name
from stseg_ros.soak.report import summary_rows

PAGE = Path(__file__).parents[1] / 'results' / 'soak.md'
RECORD, FIGURE = PAGE.with_suffix('.json'), PAGE.with_suffix('.png')
BROKEN_PROMISE = 1

INTRODUCTION = """\
# The node, soaked

Written by `docs/scripts/make_soak_page.py`, which runs `stseg soak`; the figures are in
`soak.json` beside this page. A camera process sends the node images in cycles of changing sizes,
encodings and rates, one in ten of them spoiled, and starts anew now and then; the mean rate is
twice what the node was measured to sustain, unless it was given. The age of a mask, from just
before its image is published until the mask is in the listener's middleware, is split into the
legs of its image's way. A frame time is that between two images of the schedule's step. While the
camera is late with the next one, nothing can take the place of an image that waits: what was
waited is given in times until the next image, too.

![Memory, descriptors, age of masks and counts over time](soak.png)
"""


def soak(seconds: int, remark: str | None, rest: list[str]) -> int:
    """Run the soak, and keep what it found."""
    with tempfile.TemporaryDirectory() as folder:
        status = stseg(['soak', '--seconds', str(seconds), '--output', folder, *rest])
        if status not in (0, BROKEN_PROMISE):
            return status
        document = json.loads((Path(folder) / 'soak.json').read_text(encoding='utf-8'))
        FIGURE.write_bytes((Path(folder) / 'soak.png').read_bytes())
    document |= {'processor': processor_name(), 'remark': remark or ''}
    RECORD.write_text(json.dumps(document) + '\n', encoding='utf-8')
    return status


def page(document: dict[str, Any]) -> str:
    """Write the figures that people look for, and the promises."""
    kept = {True: 'kept', False: '**broken**', None: 'not to be seen'}
    lines = [
        INTRODUCTION,
        f'Machine: {document["processor"]}. {document["remark"]}'.rstrip(),
        '',
        '| figure | value |',
        '| --- | --- |',
        *(f'| {name} | {value} |' for name, value in summary_rows(document)),
        '',
        '| promise | | found |',
        '| --- | --- | --- |',
        *(
            f'| {promise["name"]} | {kept[promise["kept"]]} | {promise["found"]} |'
            for promise in document['promises']
        ),
    ]
    return '\n'.join(lines) + '\n'


def main() -> int:
    """Soak and write."""
    parser = argparse.ArgumentParser(description=(__doc__ or '').splitlines()[0])
    parser.add_argument('--seconds', type=int, default=1800, help='0 measures nothing')
    parser.add_argument('--remark', help='what else ran on the machine, for the page')
    arguments, rest = parser.parse_known_args()
    status = soak(arguments.seconds, arguments.remark, rest) if arguments.seconds else 0
    if RECORD.is_file():
        PAGE.write_text(page(json.loads(RECORD.read_text(encoding='utf-8'))), encoding='utf-8')
    return status


if __name__ == '__main__':
    sys.exit(main())
