"""Whether a backend opens the bundle's networks, and how fast the whole pipeline is on it."""

from __future__ import annotations

import importlib.util
import statistics
import time
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from stseg_ros.doctor.finding import Finding, Status, finding_of_error
from stseg_ros.errors import BundleError, EngineError

if TYPE_CHECKING:
    from stseg_ros.pipeline.segmenter import Segmenter
    from stseg_ros.records import UInt8Array

AUTO = 'auto'
# As in `stseg_ros.engines.backends`, here so that naming the checks imports nothing.
BACKENDS = ('tensorrt', 'tensorrt_rtx', 'openvino', 'onnxruntime')

_FRAME_HW = (720, 1280)
_FRAMES = 40
_FEWEST_FRAMES = 5
_LONGEST_S = 10.0
# The slowest camera that is of use on a vehicle sends ten images a second.
_SLOW_MS = 100.0

_INSTALL = {
    'openvino': 'pip install openvino: on a CPU it is the fastest',
    'onnxruntime': 'pip install onnxruntime: it runs everywhere',
}


@dataclass(frozen=True, slots=True, kw_only=True)
class BackendCheck:
    """Opens the networks on one backend and segments some frames.

    Attributes:
        backend: the backend, or 'auto' for the one that the node takes.
        bundle: a shipped name or a folder; None takes the default bundle.
        frames: how many to time.
    """

    # A first start builds TensorRT's engines, which takes minutes on a small computer.
    limit_s: ClassVar[float] = 900.0
    needs: ClassVar[tuple[str, ...]] = ('bundle',)

    backend: str
    bundle: str | None = None
    frames: int = _FRAMES

    @property
    def name(self) -> str:
        """Its name, such as 'backend_openvino'."""
        return f'backend_{self.backend}'

    @property
    def title(self) -> str:
        """What it looks at."""
        which = 'the backend that the node takes' if self.backend == AUTO else self.backend
        return f'{which}: whether it opens, and its time per frame'

    def run(self) -> Finding:
        """Open the backend and time it.

        Returns:
            An error where the node would find no backend; a warning where one that is installed
            does not open, or where the node would be slow.
        """
        missing = _why_missing(self.backend)
        if missing:
            return Finding(
                status=Status.SKIPPED, summary=missing, advice=_INSTALL.get(self.backend, '')
            )
        try:
            segmenter = self._open()
        except BundleError as err:
            return finding_of_error(err)
        except EngineError as err:
            return self._refused(err)
        with closing(segmenter):
            times_ms = _time_frames(segmenter, self.frames)
            return self._opened(segmenter, times_ms)

    def _open(self) -> Segmenter:
        from stseg_ros.assembly import open_segmenter
        from stseg_ros.bundle import DEFAULT_BUNDLE, ModelBundle, find_bundle
        from stseg_ros.config import GRID, PipelineConfig

        bundle = ModelBundle.read(find_bundle(self.bundle or DEFAULT_BUNDLE))
        # All regions that may be refined, whatever the picture shows.
        return open_segmenter(bundle, PipelineConfig(backend=self.backend, selector=GRID))

    def _refused(self, error: EngineError) -> Finding:
        found = finding_of_error(error)
        if self.backend == AUTO:
            return Finding(status=Status.ERROR, summary=str(error), advice=_INSTALL['onnxruntime'])
        return Finding(
            status=Status.WARNING,
            summary=f'{self.backend} is installed but does not open: {found.summary}',
            advice=found.advice or f'install {self.backend} again, or let the node do without it',
        )

    def _opened(self, segmenter: Segmenter, times_ms: list[float]) -> Finding:
        median_ms = statistics.median(times_ms)
        height, width = _FRAME_HW
        speed = f'{median_ms:.1f} ms per {width}x{height} frame (median of {len(times_ms)})'
        which = segmenter.backend_note if self.backend == AUTO else f'on {segmenter.device}'
        slow = self.backend == AUTO and median_ms > _SLOW_MS
        return Finding(
            status=Status.WARNING if slow else Status.OK,
            summary=f'{speed}, {which}',
            advice='slower than 10 frames a second: set latency_budget_ms or fewer regions'
            if slow
            else '',
            details={
                'backend': segmenter.backend,
                'device': segmenter.device,
                'regions': segmenter.settings.regions,
                'frame_hw': list(_FRAME_HW),
                'frames': len(times_ms),
                'median_ms': round(median_ms, 3),
                'fastest_ms': round(min(times_ms), 3),
                'slowest_ms': round(max(times_ms), 3),
            },
        )


def _why_missing(backend: str) -> str:
    """Say why a backend cannot be here, or nothing where it is worth a try."""
    if backend == AUTO:
        return ''
    from stseg_ros.engines.cuda.nvidia_gpu import find_gpu
    from stseg_ros.engines.tensorrt.library import LIBRARIES, is_installed

    if backend not in LIBRARIES:
        return '' if importlib.util.find_spec(backend) else f'{backend} is not installed'
    if find_gpu() is None:
        return f'no NVIDIA GPU here, which {backend} needs'
    return '' if is_installed(backend) else f'{backend} is not installed'


def _time_frames(segmenter: Segmenter, count: int) -> list[float]:
    """Segment frames as a camera sends them; return the wall time of each in ms."""
    from stseg_ros.records import ChannelOrder, Frame

    frame = Frame(image_hwc=_picture(), channel_order=ChannelOrder.BGR)
    times_ms: list[float] = []
    end_s = time.monotonic() + _LONGEST_S
    while len(times_ms) < count:
        if len(times_ms) >= _FEWEST_FRAMES and time.monotonic() > end_s:
            break
        started_ns = time.perf_counter_ns()
        segmenter.segment(frame)
        times_ms.append((time.perf_counter_ns() - started_ns) / 1e6)
    return times_ms


def _picture() -> UInt8Array:
    """Draw seeded noise, (720, 1280, 3) uint8; what it shows does not change the times."""
    import numpy as np

    return np.random.default_rng(0).integers(0, 256, (*_FRAME_HW, 3), np.uint8)
