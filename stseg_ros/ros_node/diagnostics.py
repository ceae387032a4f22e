"""The node's summary on /diagnostics, and the steady beat that publishes it."""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue

if TYPE_CHECKING:
    from std_msgs.msg import Header

    from stseg_ros.ros_node.frame_statistics import Window
    from stseg_ros.ros_node.watches import Finding

_UNKNOWN = 'n/a'
_FINE = 'ok'

# Keys whose value is 'ok' or what is amiss.
FINDING_KEYS = (
    'engines',
    'no_image',
    'lost_images',
    'stamps',
    'clock',
    'overload',
    'latency_budget',
)


class Level(bytes, Enum):
    """How bad it is."""

    OK = DiagnosticStatus.OK
    WARN = DiagnosticStatus.WARN
    ERROR = DiagnosticStatus.ERROR


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeStatus:
    """What the summary says beside the counts.

    Attributes:
        state: lifecycle state, or the transition under way.
        bundle: name of the open bundle, or what the parameter asks for.
        backend: inference backend; empty while none is open.
        device: what it runs on; empty while none is open.
        dropped: images replaced by newer ones before they were processed.
        mask_subscribers: who listens to the masks.
        frame_timing_subscribers: who listens to the timings.
        latency_budget_ms: the latency budget; 0 is none.
        stamps_backward: images with an older stamp than the image before.
        clock_jumps: how often the node's time jumped.
        problem: what keeps the node from working, until it is mended; else empty.
        findings: what else is amiss, with keys of `FINDING_KEYS`.
    """

    state: str
    bundle: str
    backend: str = ''
    device: str = ''
    dropped: int = 0
    mask_subscribers: int = 0
    frame_timing_subscribers: int = 0
    latency_budget_ms: float = 0.0
    stamps_backward: int = 0
    clock_jumps: int = 0
    problem: str = ''
    findings: tuple[Finding, ...] = ()


def summarise(status: NodeStatus, window: Window) -> tuple[Level, str]:
    """Judge the node.

    Args:
        status: its state.
        window: its counts.

    Returns:
        The level, and the reason in words.
    """
    if status.problem:
        return Level.ERROR, status.problem
    if window.failure:
        return Level.ERROR, window.failure
    warnings = [finding.text for finding in status.findings if finding.warn]
    if warnings:
        return Level.WARN, '; '.join(warnings)
    if window.frames_bad:
        return Level.WARN, f'{window.frames_bad} unusable images: {window.last_bad_reason}'
    if status.state != 'active':
        return Level.OK, status.state
    if not window.masks_published:
        return Level.OK, 'waiting for images'
    return Level.OK, f'segmenting {window.rate_hz:.1f} images per second'


def summary_pairs(status: NodeStatus, window: Window) -> list[tuple[str, str]]:
    """List the summary's values.

    Args:
        status: the node's state.
        window: its counts.

    Returns:
        Keys and values; 'n/a' where there is no value yet.
    """
    median_ms, high_ms = _UNKNOWN, _UNKNOWN
    if window.processing_ms is not None:
        median_ms, high_ms = (f'{value:.3f}' for value in window.processing_ms)
    found = {finding.key: finding.text for finding in status.findings}
    assert set(found) <= set(FINDING_KEYS)
    return [
        ('state', status.state),
        ('backend', status.backend or _UNKNOWN),
        ('device', status.device or _UNKNOWN),
        ('bundle', status.bundle),
        ('frames_received', str(window.totals.frames_received)),
        ('masks_published', str(window.totals.masks_published)),
        ('frames_dropped', str(status.dropped)),
        ('frames_bad', str(window.totals.frames_bad)),
        ('frames_failed', str(window.totals.frames_failed)),
        ('frames_retried', str(window.totals.frames_retried)),
        ('frames_lost', str(window.totals.frames_lost)),
        ('last_bad_reason', window.last_bad_reason or _UNKNOWN),
        ('rate_hz', f'{window.rate_hz:.2f}'),
        ('processing_time_p50_ms', median_ms),
        ('processing_time_p95_ms', high_ms),
        ('regions', str(window.regions)),
        ('mask_subscribers', str(status.mask_subscribers)),
        ('frame_timing_subscribers', str(status.frame_timing_subscribers)),
        ('latency_budget_ms', f'{status.latency_budget_ms:.3f}'),
        ('masks_late', str(window.totals.masks_late)),
        ('masks_cut', str(window.totals.masks_cut)),
        ('stamps_backward', str(status.stamps_backward)),
        ('clock_jumps', str(status.clock_jumps)),
        *((key, found.get(key, _FINE)) for key in FINDING_KEYS),
        *_autoware_pairs(status, window),
    ]


def _autoware_pairs(status: NodeStatus, window: Window) -> list[tuple[str, str]]:
    """List what Autoware's perception nodes say of their times, under the same keys."""
    if window.latency_ms is None:
        latency, in_range = _UNKNOWN, _UNKNOWN
    else:
        latency = f'{window.latency_ms:.3f}'
        in_range = str(not window.late_for_s) if status.latency_budget_ms else _UNKNOWN
    return [
        ('processing_time_ms', latency),
        ('is_processing_time_ms_in_expected_range', in_range),
        ('consecutive_processing_delay_ms', f'{window.late_for_s * 1e3:.3f}'),
    ]


def diagnostic_array(
    header: Header,
    *,
    name: str,
    pairs: Iterable[tuple[str, str]],
    level: Level = Level.OK,
    message: str = '',
    hardware_id: str = '',
) -> DiagnosticArray:
    """Make a message of one status.

    Args:
        header: taken as it is.
        name: the status's name: the node, a colon, what of it.
        pairs: keys and values.
        level: how bad it is.
        message: the reason in words.
        hardware_id: what it is about.

    Returns:
        The message.
    """
    status = DiagnosticStatus(
        level=level.value, name=name, message=message, hardware_id=hardware_id
    )
    status.values = [KeyValue(key=key, value=value) for key, value in pairs]
    return DiagnosticArray(header=header, status=[status])


class Heartbeat:
    """Calls a function at a steady rate from a thread of its own.

    ROS timers stop while a bag is paused under use_sim_time, and while networks are opened.
    """

    def __init__(
        self, period_s: float, beat: Callable[[], None], on_error: Callable[[str], None]
    ) -> None:
        """Prepare; `start` starts it.

        Args:
            period_s: time between two calls.
            beat: the function; whatever it raises, it is called again.
            on_error: called with the traceback of what it raised.
        """
        self._period_s = period_s
        self._beat = beat
        self._on_error = on_error
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name='diagnostics', daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread and wait for it."""
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopping.wait(self._period_s):
            self._beat_once()

    def _beat_once(self) -> None:
        try:
            self._beat()
        except Exception:  # noqa: BLE001 - a node whose diagnostics end looks dead
            self._on_error(traceback.format_exc())
