"""Compare and time the backends of an NVIDIA machine, and write what was found as JSON.

    .venv/bin/python docs/run_on_nvidia.py --output nvidia.json

For every backend that opens, in FP16 and in FP32: masks against ONNX Runtime's on the processor,
and milliseconds per stage (p50, p95, p99) at 1280x720 and 1242x375, of two stages with several
numbers of regions, of the same as one graph, and of one network on the whole frame. Frames are
synthetic scenes, and real images from `--images` or from the data sets below $STSEG_DATA. Needs
docs/nvidia.md's packages; the first run builds plans, which takes minutes with TensorRT.

The status is 0 where an NVIDIA backend ran, all masks agree and nothing failed that was named or
is an installed NVIDIA backend; 1 where not; 2 where no NVIDIA backend ran.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import sys
import tempfile
import traceback
from pathlib import Path
from typing import Any

from nvidia_cases import CaseRunner, list_cases
from nvidia_machine import describe_machine
from nvidia_measure import make_frames, real_folders
from tqdm import tqdm

from stseg_ros.bundle import DEFAULT_BUNDLE, ModelBundle, find_bundle
from stseg_ros.engines.backends import BACKENDS
from stseg_ros.engines.tensorrt.library import LIBRARIES, is_installed, one_line
from stseg_ros.errors import BundleError, StsegError
from stseg_ros.measure.benchmark.whole_network import with_whole_network

SIZES_HW = ((720, 1280), (375, 1242))
DEFAULT_BACKENDS = (*LIBRARIES, 'openvino')


def main(arguments: list[str] | None = None) -> int:
    """Run everything and write the file, anew after each line.

    Args:
        arguments: of the command line; None takes the process's own.

    Returns:
        The status, see above.
    """
    chosen = parse(arguments)
    try:
        with tempfile.TemporaryDirectory() as folder:
            content = run_all(chosen, Path(folder))
    except (StsegError, OSError) as err:
        print(f'run_on_nvidia.py: {err}', file=sys.stderr)
        return 2
    for backend, reason in sorted(
        {(each['backend'], each['reason']) for each in content['failures']}
    ):
        print(f'{backend} failed: {reason}', file=sys.stderr)
    status, verdict = judge(content, chosen.backends or [])
    print(f'{len(content["runs"])} lines in {chosen.output}; {verdict}')
    return status


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """Read the command line.

    Args:
        arguments: see `main`.

    Returns:
        The values.
    """
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--output', type=Path, default=Path('nvidia.json'), help='file to write')
    parser.add_argument('--bundle', default=DEFAULT_BUNDLE, help='model bundle, by name or folder')
    parser.add_argument(
        '--images', type=Path, nargs='+', metavar='DIR', help='folders of real images, scaled to '
        'each size (default: the data sets below $STSEG_DATA, if it is set)',
        default=real_folders(os.environ.get('STSEG_DATA')),
    )  # fmt: skip
    parser.add_argument('--frames', type=int, default=300, help='frames timed per line')
    parser.add_argument(
        '--backends', nargs='+', choices=list(BACKENDS), metavar='NAME',
        help=f'of {", ".join(BACKENDS)} (default: {", ".join(DEFAULT_BACKENDS)})',
    )  # fmt: skip
    return parser.parse_args(arguments)


def run_all(chosen: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Run every case.

    Args:
        chosen: the command line.
        folder: for an enlarged network, as long as it runs.

    Returns:
        What was written.

    Raises:
        StsegError: the bundle or an image cannot be used.
        OSError: the file cannot be written.
    """
    bundle = given = ModelBundle.read(find_bundle(chosen.bundle))
    try:
        bundle = with_whole_network(given, folder)
    except BundleError as err:
        print(f'without a whole-frame network: {err}', file=sys.stderr)
    frames, sources = make_frames(chosen.images, SIZES_HW)
    content: dict[str, Any] = {
        'machine': describe_machine(),
        'bundle': bundle.name,
        'networks': dataclasses.asdict(bundle.manifest.networks),
        'whole_is_enlarged': bundle is not given,
        'pictures': sources,
        'frames': chosen.frames,
        'runs': [],
        'failures': [],
    }
    # At once: that it cannot be written should show before an hour is spent.
    write(chosen.output, content)
    runner = CaseRunner(bundle, frames, timed=chosen.frames, whole_is_enlarged=bundle is not given)
    bar = tqdm(list_cases(bundle, chosen.backends or DEFAULT_BACKENDS, SIZES_HW), disable=None)
    for case in bar:
        bar.set_postfix_str(f'{case.backend} {case.precision} {case.mode} {case.regions}')
        try:
            content['runs'].append(runner.run(case))
        # One case that goes wrong, in whatever way, must not cost what the others tell.
        except Exception as err:  # noqa: BLE001 (its traceback is in the file)
            said = str(err) if isinstance(err, StsegError) else f'{type(err).__name__}: {err}'
            failure = {'reason': one_line(said), 'traceback': traceback.format_exc()}
            content['failures'].append({**case.facts(), **failure})
        write(chosen.output, content)
    return content


def write(output: Path, content: dict[str, Any]) -> None:
    """Write the file; one that is there stays whole until the new one is.

    Args:
        output: the file.
        content: plain values.

    Raises:
        OSError: it cannot be written.
    """
    part = output.with_name(f'{output.name}.part')
    part.write_text(json.dumps(content, indent=1) + '\n')
    part.replace(output)


def judge(content: dict[str, Any], named: list[str]) -> tuple[int, str]:
    """Say whether the machine runs what it should.

    Args:
        content: what was found.
        named: the backends that were asked for by name.

    Returns:
        The status, see above, and the same in words.
    """
    ran = {run['backend'] for run in content['runs']}
    if ran.isdisjoint(LIBRARIES):
        return 2, 'no NVIDIA backend ran'
    failed = {failure['backend'] for failure in content['failures']}
    meant = {
        name for name in failed if name in named or (name in LIBRARIES and is_installed(name))
    }
    if meant:
        return 1, f'failed: {", ".join(sorted(meant))}'
    differing = [run for run in content['runs'] if run['agrees'] is False]
    if differing:
        return 1, f'masks differ in {len(differing)} of them'
    return 0, 'all masks agree'


if __name__ == '__main__':
    sys.exit(main())
