"""Compare and time the backends of an NVIDIA machine, and write what was found as JSON.

    .venv/bin/python docs/run_on_nvidia.py --output nvidia.json

For every backend that opens, in FP16 and in FP32: masks against ONNX Runtime's on the processor,
and milliseconds per stage (p50, p95, p99) at 1280x720 and 1242x375, of two stages with several
numbers of regions, of the same as one graph, and of one network on the whole frame. Images are
synthetic scenes, and real ones from `--images`. Needs docs/nvidia.md's packages and `onnx`; the
first run builds plans, which takes minutes with TensorRT.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from nvidia_machine import describe_machine
from nvidia_measure import Segmenter, compare, make_frames, time_stages
from tqdm import tqdm
from whole_network import with_whole_network

from stseg_ros.assembly import open_segmenter, resolve_settings
from stseg_ros.bundle import DEFAULT_BUNDLE, ModelBundle, find_bundle
from stseg_ros.config import PipelineConfig
from stseg_ros.engines.backends import BACKENDS
from stseg_ros.engines.engine_protocol import EngineOptions
from stseg_ros.engines.graph_runner import GraphRunner
from stseg_ros.engines.onnxruntime_graph import OnnxRuntimeGraph
from stseg_ros.engines.openvino_graph import OpenVinoGraph
from stseg_ros.engines.tensorrt_graph import TensorRtGraph, TensorRtRtxGraph
from stseg_ros.errors import StsegError
from stseg_ros.frame_graph.opener import graph_opener
from stseg_ros.measure.whole_frame import WholeFrameSegmenter
from stseg_ros.pipeline.one_graph import OneGraphSegmenter
from stseg_ros.records import Frame, SegmentationResult

SIZES_HW = ((720, 1280), (375, 1242))
PRECISIONS = ('default', 'float32')
# The least Dice of masks with the reference's, as in test/engines/test_engine_parity.py.
LEAST_DICE = {'default': 0.97, 'float32': 0.9999}
GRAPHS: dict[str, Callable[[bytes, EngineOptions], GraphRunner]] = {
    'tensorrt': TensorRtGraph,
    'tensorrt_rtx': TensorRtRtxGraph,
    'openvino': OpenVinoGraph,
    'onnxruntime': OnnxRuntimeGraph,
}


def main(arguments: list[str] | None = None) -> int:
    """Run everything and write the file.

    Args:
        arguments: of the command line; None takes the process's own.

    Returns:
        0 where a backend ran and all masks agree, 1 where some do not, 2 where none ran.
    """
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--output', type=Path, default=Path('nvidia.json'), help='file to write')
    parser.add_argument('--bundle', default=DEFAULT_BUNDLE, help='model bundle, by name or folder')
    parser.add_argument('--images', type=Path, help='folder of real images, scaled to each size')
    parser.add_argument('--frames', type=int, default=300, help='frames timed per line')
    parser.add_argument(
        '--backends', nargs='+', choices=list(BACKENDS), help='default: the NVIDIA ones, openvino',
        default=['tensorrt', 'tensorrt_rtx', 'openvino'],
    )  # fmt: skip
    chosen = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        bundle = ModelBundle.read(find_bundle(chosen.bundle))
        try:
            bundle = with_whole_network(bundle, Path(folder))
        except StsegError as err:
            print(f'without a whole-frame network: {err}', file=sys.stderr)
        runs, failures = run_all(bundle, chosen)
    content = {
        'machine': describe_machine(),
        'bundle': bundle.name,
        'networks': dataclasses.asdict(bundle.manifest.networks),
        'frames': chosen.frames,
        'runs': runs,
        'failures': failures,
    }
    chosen.output.write_text(json.dumps(content, indent=1) + '\n')
    for backend, reason in sorted({(each['backend'], each['reason']) for each in failures}):
        print(f'{backend} left out: {reason}', file=sys.stderr)
    print(f'{len(runs)} lines in {chosen.output}')
    if not runs:
        return 2
    return 0 if all(run['agrees'] for run in runs) else 1


def run_all(
    bundle: ModelBundle, chosen: argparse.Namespace
) -> tuple[list[dict[str, Any]], list[dict[str, str]]]:
    """Run every backend, precision, size and mode.

    Args:
        bundle: with a whole-frame network where that can be had.
        chosen: the command line.

    Returns:
        One record per line of the table to be, and what did not run.
    """
    runs, failures = [], []
    frames = {size_hw: make_frames(size_hw, chosen.images) for size_hw in SIZES_HW}
    references: dict[tuple[Any, ...], list[SegmentationResult]] = {}
    cases = [(b, p, size_hw) for b in chosen.backends for p in PRECISIONS for size_hw in SIZES_HW]
    for backend, precision, size_hw in tqdm(cases, disable=None):
        config = PipelineConfig(backend=backend, precision=precision)
        for mode, regions in modes(bundle, config):
            case = {'backend': backend, 'precision': precision, 'mode': mode}
            try:
                key = (size_hw, mode if mode == 'whole' else 'two_stage', regions)
                if key not in references:
                    # Of the two stages, one graph too: that it says the same is part of the test.
                    exact = PipelineConfig(backend='onnxruntime')
                    with opened(bundle, exact, key[1], regions, size_hw) as segmenter:
                        references[key] = [segmenter.segment(f) for f in frames[size_hw]]
                with opened(bundle, config, mode, regions, size_hw) as segmenter:
                    facts = compare(segmenter, frames[size_hw], references[key])
                    facts['ms'] = time_stages(segmenter, frames[size_hw], chosen.frames)
                    facts['device'] = getattr(segmenter, 'device', backend)
            except StsegError as err:
                failures.append({**case, 'reason': str(err)})
                continue
            # One graph samples the image in other arithmetic, so that near ties fall otherwise.
            least = LEAST_DICE['default' if mode == 'one_graph' else precision]
            facts['agrees'] = facts['least_dice'] >= least
            height, width = size_hw
            runs.append({**case, 'regions': regions, 'size': f'{width}x{height}', **facts})
    return runs, failures


def modes(bundle: ModelBundle, config: PipelineConfig) -> Iterator[tuple[str, int]]:
    """Yield what is run of a bundle: mode and number of regions."""
    usual, most = resolve_settings(bundle, config).regions, bundle.geometry.max_regions
    for regions in sorted({0, usual, most}):
        yield 'two_stage', regions
    yield 'one_graph', usual
    if bundle.whole_path is not None:
        yield 'whole', 0


@contextmanager
def opened(
    bundle: ModelBundle, config: PipelineConfig, mode: str, regions: int, size_hw: tuple[int, int]
) -> Iterator[Segmenter]:
    """Open one mode of one backend.

    Args:
        bundle: the bundle.
        config: backend and precision.
        mode: 'two_stage', 'one_graph' or 'whole'.
        regions: the most regions refined.
        size_hw: size of the frames to come.

    Yields:
        What segments.
    """
    config = dataclasses.replace(config, regions=regions)
    settings = resolve_settings(bundle, config)
    if mode == 'two_stage':
        with closing(open_segmenter(bundle, config)) as two_stage:
            yield two_stage
    elif mode == 'one_graph':
        options = EngineOptions(threads=config.threads, precision=config.precision)
        opener = graph_opener(bundle, lambda model: GRAPHS[config.backend](model, options))
        one_graph = OneGraphSegmenter(
            geometry=bundle.geometry, open_graph=opener, settings=settings, camera_hw=size_hw
        )
        with closing(one_graph):
            yield one_graph
    else:
        with closing(WholeFrameSegmenter(bundle, config.backend, config)) as whole:
            yield WithThreshold(whole, settings.threshold)


class WithThreshold:
    """The whole-frame baseline with its threshold fixed."""

    def __init__(self, whole: WholeFrameSegmenter, threshold: float) -> None:
        """Join the two."""
        self._whole, self._threshold = whole, threshold

    def segment(self, frame: Frame) -> SegmentationResult:
        """Segment one frame."""
        return self._whole.segment(frame, self._threshold)


if __name__ == '__main__':
    sys.exit(main())
