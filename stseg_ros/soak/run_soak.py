"""One soak from start to finish: node, camera and listener, the books, and the verdict."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Any

from stseg_ros.bundle import ModelBundle, find_bundle
from stseg_ros.errors import StsegError
from stseg_ros.machine import processor_name
from stseg_ros.soak.course import Course, Progress, SoakOptions
from stseg_ros.soak.driver import Driver
from stseg_ros.soak.frames import RAW
from stseg_ros.soak.ledger import Ledger
from stseg_ros.soak.processes import CameraProcess, running_node
from stseg_ros.soak.promises import Outcome, judge
from stseg_ros.soak.report import Story, make_document
from stseg_ros.soak.series import Sampler

if TYPE_CHECKING:
    from stseg_ros.ros_node.soak_listener import SoakListener

# Domains below 101 keep clear of the ports that Linux hands out by itself.
_DOMAINS = range(40, 100)


def run_soak(options: SoakOptions, progress: Progress) -> dict[str, Any]:
    """Run a soak. SIGINT and SIGTERM end it early, with the report so far.

    Args:
        options: what to do.
        progress: how to show it.

    Returns:
        The report, as `make_document` makes it.

    Raises:
        StsegError: the bundle is at fault, the node does not start, or ROS is not installed.
        KeyboardInterrupt: it was ended before the schedule began.
    """
    try:
        from stseg_ros.ros_node.soak_listener import open_listener
        from stseg_ros.ros_node.transport import large_image_environment
    except ImportError as err:
        raise StsegError(
            f'ROS 2 is not there ({err}); source a ROS 2 installation, or pip install -r '
            'requirements/ros.txt'
        ) from err
    bundle = ModelBundle.read(find_bundle(options.bundle))
    # Bad images must not reach the user's own nodes, nor theirs this one.
    domain_id = _DOMAINS[os.getpid() % len(_DOMAINS)]
    namespace = f'/stseg_soak_{os.getpid()}'
    environment = {
        **os.environ,
        **large_image_environment(os.environ),
        'ROS_DOMAIN_ID': str(domain_id),
    }
    topic = f'{namespace}/image' + ('' if options.transport == RAW else '/compressed')
    ledger = Ledger()
    with (
        _stop_request() as is_stopped,
        open_listener(namespace=namespace, domain_id=domain_id, ledger=ledger) as listener,
        running_node(
            _node_arguments(options, bundle, namespace), environment, options.output / 'node.log'
        ) as node,
    ):
        sampler = Sampler(node.usage, ledger.balance)
        course = Course(options, ledger, progress.say, is_stopped)

        def tick() -> None:
            sampler.sample_if_due()
            if course.start_ns:
                progress.on_time(course.passed_s(), ledger)

        driver = Driver(
            ledger=ledger,
            listener=listener,
            node=node,
            start_camera=lambda: CameraProcess(
                ['--topic', topic, '--transport', options.transport],
                environment,
                options.output / 'camera.log',
            ),
            transport=options.transport,
            logs=options.output,
            tick=tick,
            is_stopped=is_stopped,
        )
        try:
            course.prepare(driver)
            course.follow_schedule(driver)
        finally:
            driver.abandon_camera()
        end = node.end()
    outcome = Outcome(
        balance=ledger.balance(),
        wrong_masks=ledger.wrong_masks(),
        ages=ledger.ages,
        samples=sampler.since(course.start_ns / 1e9),
        seconds=course.seconds,
        ended_early=course.ended_early,
        end=end,
    )
    story = Story(
        settings=_settings(options, bundle, listener),
        rate_hz=course.rate_hz,
        sustained_hz=course.sustained_hz,
        steps=course.steps,
        publisher_restarts=driver.publisher_restarts,
        process_restarts=driver.process_restarts,
        interrupted=is_stopped(),
        faults=ledger.faults(),
        processing_ms=ledger.processing_ms,
    )
    return make_document(story, outcome, judge(outcome))


def _settings(options: SoakOptions, bundle: ModelBundle, listener: SoakListener) -> dict[str, Any]:
    return {
        'seconds': options.seconds,
        'rate_hz': options.rate_hz,
        'transport': options.transport,
        'seed': options.seed,
        'bundle': bundle.name,
        'backend': listener.summary.get('backend', ''),
        'device': listener.summary.get('device', ''),
        'processor': processor_name(),
        'usable_cores': len(os.sched_getaffinity(0)),
    }


def _node_arguments(options: SoakOptions, bundle: ModelBundle, namespace: str) -> list[str]:
    parameters = {
        'bundle': str(bundle.root.resolve()),
        'backend': options.backend,
        'transport': options.transport,
    }
    arguments = ['--ros-args', '-r', f'__ns:={namespace}']
    for name, value in parameters.items():
        arguments += ['-p', f'{name}:={value}']
    return arguments


@contextmanager
def _stop_request() -> Iterator[Callable[[], bool]]:
    """Take SIGINT and SIGTERM as a wish for a `with` block; a second one ends it at once.

    Yields:
        Whether one has come.
    """
    seen: list[int] = []

    def note(number: int, _: FrameType | None) -> None:
        if seen:
            raise KeyboardInterrupt
        seen.append(number)

    before = {it: signal.signal(it, note) for it in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: bool(seen)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
