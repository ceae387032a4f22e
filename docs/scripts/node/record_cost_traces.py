"""Record what the frames of a real node take with every number of regions, for the tests.

    .venv/bin/python docs/scripts/node/record_cost_traces.py --load 2 \
        --output test/pipeline/cost_traces/loaded.json

The node runs in a process of its own and gets images over ROS 2. After each mask it runs the same
image with every other number of regions, so that any choice of the latency budget can be replayed.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import sys
import tempfile
import time
from pathlib import Path

from node_collector import NODE
from node_processes import HERE, burning
from node_rig import running_rig
from node_tracer import FILE, FRAMES, MOST

from stseg_ros.bundle import DEFAULT_BUNDLE, find_bundle
from stseg_ros.config import GRID
from stseg_ros.errors import StsegError
from stseg_ros.measure.benchmark.machine import describe_machine
from stseg_ros.measure.node.cost_traces import read_trace, write_trace
from stseg_ros.measure.node.labelled_stream import SIZE_HW, load_stream, write_stream

SCENES = 16
_EXTRA = 20
_PATIENCE_S = 60.0
# Images may take so many times as long as they come.
_SLOWEST = 10.0


def main(arguments: list[str] | None = None) -> int:
    """Record a trace.

    Args:
        arguments: of the command line; None takes the process's own.

    Returns:
        0.
    """
    parser = argparse.ArgumentParser(description=(__doc__ or '').splitlines()[0])
    parser.add_argument('--output', type=Path, required=True, metavar='FILE')
    parser.add_argument('--bundle', default=DEFAULT_BUNDLE, help='name or folder')
    parser.add_argument('--frames', type=int, default=300)
    parser.add_argument('--rate', type=float, default=4.0, help='images per second')
    parser.add_argument('--load', type=int, default=0, help='processes that only compute')
    chosen = parser.parse_args(arguments)
    about = {
        'machine': describe_machine(),
        'competing_processes': chosen.load,
        'rate_hz': chosen.rate,
        'bundle': chosen.bundle,
        'image': f'{SIZE_HW[1]}x{SIZE_HW[0]} bgr8',
    }
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        write_stream(load_stream(SCENES, None), folder / 'bag')
        path = folder / 'trace.json'
        os.environ.update({FILE: str(path), FRAMES: str(chosen.frames)})
        os.environ['PYTHONPATH'] = f'{HERE}:{os.environ.get("PYTHONPATH", "")}'
        # A trace needs the cost of every number of regions, whatever the images show.
        parameters = {
            'bundle': str(find_bundle(chosen.bundle).resolve()),
            'regions': MOST,
            'selector': GRID,
        }
        with (
            running_rig(
                folder / 'bag', folder, parameters, module='node_tracer', echo=False
            ) as rig,
            burning(chosen.load),
        ):
            deadline_s = time.monotonic() + _PATIENCE_S + _SLOWEST * chosen.frames / chosen.rate
            while not path.exists():
                rig.exchange(NODE, rate_hz=chosen.rate, count=_EXTRA)
                if time.monotonic() > deadline_s:
                    raise StsegError('the node measures too few images; give a lower --rate')
        trace = dataclasses.replace(read_trace(path), about=about)
    write_trace(trace, chosen.output)
    print(f'{len(trace)} frames in {chosen.output}')
    return 0


if __name__ == '__main__':
    try:
        sys.exit(main())
    except StsegError as err:
        sys.exit(f'record_cost_traces: {err}')
