"""Plays a bag to the real node and collects what it answers, each in a process of its own."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from tqdm import tqdm

from stseg_ros.bundle import ModelBundle
from stseg_ros.config import PipelineConfig
from stseg_ros.demo.demo_records import DemoFrame, DemoRun
from stseg_ros.demo.prepare_bag import PreparedBag
from stseg_ros.demo.processes import LoggedProcess, run_beside
from stseg_ros.errors import StsegError

if TYPE_CHECKING:
    from stseg_ros.ros_node.recorder import RecordedStatus, Recorder, Recording

_START_S = 60.0
_IDLE_S = 3.0
_SLICE_S = 0.5
_SUMMARY_S = 3.0
# Domains below 101 keep clear of the ports that Linux hands out by itself.
_DOMAINS = range(40, 100)


def play_through_node(
    prepared: PreparedBag, bundle: ModelBundle, config: PipelineConfig, output: Path
) -> DemoRun:
    """Start node and player, and record until every frame is answered or no more answers come.

    Args:
        prepared: the bag to play.
        bundle: what the node is to run.
        config: backend and regions for the node.
        output: gets both logs and the player's record of what it published.

    Returns:
        The run; its frames carry masks and timings where they came.

    Raises:
        StsegError: the node or the player ended early, or ROS is not installed.
    """
    try:
        from stseg_ros.ros_node.recorder import Recorder
        from stseg_ros.ros_node.transport import use_large_image_transport
    except ImportError as err:
        raise StsegError(
            f'ROS 2 is not there ({err}); source a ROS 2 installation, or pip install -r '
            'requirements/ros.txt'
        ) from err
    use_large_image_transport()
    # A domain of its own keeps the demonstration and the user's robots out of each other's way.
    os.environ.setdefault('ROS_DOMAIN_ID', str(_DOMAINS[os.getpid() % len(_DOMAINS)]))
    published = output / 'published.jsonl'
    with (
        Recorder() as recorder,
        run_beside(
            'node',
            'stseg_ros.ros_node.segmenter_node',
            _node_arguments(prepared, bundle, config),
            output / 'node.log',
        ) as node,
    ):
        _await_node(recorder, node)
        with run_beside(
            'player',
            'stseg_ros.cli',
            _player_arguments(prepared, published),
            output / 'player.log',
        ) as player:
            recording = _record(recorder, node, player, prepared)
            player.wait(_IDLE_S + _SUMMARY_S)
    return DemoRun(
        title=prepared.title,
        rate_hz=prepared.rate_hz,
        bag=prepared.path,
        topic=prepared.topic,
        frames=tuple(_join(published, recording, prepared)),
        node=dict(recording.diagnostics[-1].values) if recording.diagnostics else {},
    )


def _await_node(recorder: Recorder, node: LoggedProcess) -> None:
    """Wait until node and recorder have found each other, so that no mask can be missed.

    Raises:
        StsegError: the node ended, or is not found in time.
    """
    deadline_s = time.monotonic() + _START_S
    while not recorder.wait_for_segmenter(_SLICE_S):
        node.check_alive()
        if time.monotonic() > deadline_s:
            raise StsegError(f'the node is not found on ROS after {_START_S:.0f} s; see its log')


def _record(
    recorder: Recorder, node: LoggedProcess, player: LoggedProcess, prepared: PreparedBag
) -> Recording:
    """Record while watching both processes."""
    length_s = prepared.count / prepared.rate_hz
    deadline_s = time.monotonic() + _START_S + 1.5 * length_s
    with tqdm(total=prepared.count, desc='node over ROS 2', unit='mask', disable=None) as bar:
        while True:
            recording = recorder.spin_until(
                prepared.count, idle_timeout_s=_IDLE_S, deadline_s=_SLICE_S
            )
            bar.update(len(recording.masks) - bar.n)
            node.check_alive()
            everything = len(recording.masks) >= prepared.count
            if everything or time.monotonic() > deadline_s:
                break
            if player.ended:
                player.wait(0.0)
                # What is still on its way gets this long.
                recording = recorder.spin_until(
                    prepared.count, idle_timeout_s=_IDLE_S, deadline_s=_IDLE_S
                )
                bar.update(len(recording.masks) - bar.n)
                break
    return _await_last_summary(recorder, recording)


def _await_last_summary(recorder: Recorder, recording: Recording) -> Recording:
    """Wait for a summary that was made after the last mask, so that its counts are final."""
    seen = len(recording.diagnostics)
    deadline_s = time.monotonic() + _SUMMARY_S
    while len(recording.diagnostics) < seen + 2 and time.monotonic() < deadline_s:
        # No run has so many masks: only the time ends these slices.
        recording = recorder.spin_until(1 << 62, idle_timeout_s=_SUMMARY_S, deadline_s=_SLICE_S)
    return recording


def _node_arguments(
    prepared: PreparedBag, bundle: ModelBundle, config: PipelineConfig
) -> list[str]:
    subscription = 'image/compressed' if prepared.compressed else 'image'
    parameters = {
        'bundle': str(bundle.root.resolve()),
        'backend': config.backend,
        'transport': 'compressed' if prepared.compressed else 'raw',
    }
    if config.regions is not None:
        parameters['regions'] = str(config.regions)
    arguments = ['--ros-args', '-r', f'{subscription}:={prepared.topic}']
    for name, value in parameters.items():
        arguments += ['-p', f'{name}:={value}']
    return arguments


def _player_arguments(prepared: PreparedBag, published: Path) -> list[str]:
    options = ['--wait-for-subscribers', '1', '--publish-log', str(published)]
    return ['bag', 'play', str(prepared.path), '--topic', prepared.topic, *options]


def _join(published: Path, recording: Recording, prepared: PreparedBag) -> Iterable[DemoFrame]:
    """Put together what was published and what was answered, by stamp."""
    masks = {mask.stamp_ns: mask for mask in recording.masks}
    timings = {timing.stamp_ns: timing for timing in recording.timings}
    for line in published.read_text(encoding='utf-8').splitlines():
        entry = json.loads(line)
        if entry['topic'] != prepared.topic:
            continue
        stamp_ns = int(entry['stamp_ns'])
        mask, timing = masks.get(stamp_ns), timings.get(stamp_ns)
        yield DemoFrame(
            stamp_ns=stamp_ns,
            published_ns=int(entry['publish_monotonic_ns']),
            received_ns=mask.receive_monotonic_ns if mask else None,
            mask_hw=mask.mask_hw if mask else None,
            timing=_numbers(timing) if timing else {},
            truth_path=prepared.truth_paths.get(stamp_ns),
        )


def _numbers(timing: RecordedStatus) -> dict[str, float]:
    return {key: float(value) for key, value in timing.values.items()}
