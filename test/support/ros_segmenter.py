"""A segmenter node in a process of its own, and a client that talks to it over DDS."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import rclpy
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from lifecycle_msgs.srv import ChangeState, GetState
from rcl_interfaces.msg import SetParametersResult
from rcl_interfaces.srv import SetParametersAtomically
from rclpy.executors import SingleThreadedExecutor
from rclpy.parameter import Parameter
from rclpy.task import Future
from sensor_msgs.msg import Image

from stseg_ros.ros_node.transport import use_large_image_transport

PATIENCE_S = 20.0
_ASK_AGAIN_S = 2.0
CHECKOUT = Path(__file__).parents[2]


class SegmenterProcess:
    """The node, started as `ros2 run` would."""

    def __init__(
        self,
        log: Path,
        domain_id: int,
        *,
        module: str = 'stseg_ros.ros_node.segmenter_node',
        environment: Mapping[str, str] | None = None,
        before: Sequence[str] = (),
        **parameters: object,
    ) -> None:
        """Start it; its output goes to the log file. `before` comes before ROS's arguments."""
        self.log = log
        self.domain_id = domain_id
        arguments = [*before, '--ros-args']
        for name, value in parameters.items():
            text = str(value).lower() if isinstance(value, bool) else str(value)
            arguments += ['-p', f'{name}:={text}']
        with log.open('w') as output:
            self.process = subprocess.Popen(
                [sys.executable, '-m', module, *arguments],
                env={
                    **os.environ,
                    'ROS_DOMAIN_ID': str(domain_id),
                    'PYTHONPATH': f'{CHECKOUT}:{CHECKOUT / "test"}',
                    **(environment or {}),
                },
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def stop(self, signal_number: int) -> int:
        """Send a signal and return the exit status."""
        self.process.send_signal(signal_number)
        return self.process.wait(PATIENCE_S)

    def end(self) -> None:
        """End it as Ctrl-C does: a killed process leaves its shared memory behind."""
        if self.process.poll() is not None:
            return
        try:
            self.stop(signal.SIGINT)
        finally:
            self.process.kill()

    def wait_for_log(self, text: str) -> None:
        """Wait until the log holds a text."""
        deadline_s = time.monotonic() + PATIENCE_S
        while text not in self.log.read_text():
            assert self.process.poll() is None, f'the node ended:\n{self.log.read_text()}'
            assert time.monotonic() < deadline_s, f'no {text!r} in:\n{self.log.read_text()}'
            time.sleep(0.02)


class Client:
    """Publishes images, collects everything the segmenter publishes, and calls its services."""

    def __init__(self, domain_id: int, namespace: str = '') -> None:
        """Join the node's domain, for the segmenter of a namespace."""
        use_large_image_transport()
        self.context = rclpy.Context()
        rclpy.init(context=self.context, domain_id=domain_id)
        self.node = rclpy.create_node('test_client', context=self.context, namespace=namespace)
        self._segmenter = f'{self.node.get_namespace().rstrip("/")}/segmenter'
        self.executor = SingleThreadedExecutor(context=self.context)
        self.executor.add_node(self.node)
        self.masks: dict[int, Image] = {}
        self.timings: dict[int, DiagnosticArray] = {}
        self.statuses: list[DiagnosticStatus] = []
        self._stamp_ns = 1_700_000_000_000_000_000
        self.camera = self.node.create_publisher(Image, 'image', 10)
        self.node.create_subscription(Image, 'mask', self._on_mask, 100)
        self.node.create_subscription(DiagnosticArray, 'frame_timing', self._on_timing, 100)
        self.node.create_subscription(DiagnosticArray, '/diagnostics', self._on_diagnostics, 100)
        # Early, so that the node has met them when they are used.
        self._services: dict[str, Any] = {}
        self._service(GetState, 'get_state')
        self._service(ChangeState, 'change_state')

    def close(self) -> None:
        """Leave."""
        self.executor.shutdown()
        self.node.destroy_node()
        rclpy.shutdown(context=self.context)

    def wait_until(self, condition: Callable[[], object], what: str) -> None:
        """Serve callbacks until a condition holds."""
        deadline_s = time.monotonic() + PATIENCE_S
        while not condition():
            assert time.monotonic() < deadline_s, f'waited {PATIENCE_S:.0f} s in vain for {what}'
            self.executor.spin_once(timeout_sec=0.05)

    def next_stamp_ns(self) -> int:
        """Return a stamp that no image has had."""
        self._stamp_ns += 33_333_333
        return self._stamp_ns

    def meet(self) -> None:
        """Send small images until one comes back as mask: then both sides know each other."""
        deadline_s = time.monotonic() + PATIENCE_S
        count = len(self.masks)
        while len(self.masks) == count:
            assert time.monotonic() < deadline_s, 'the segmenter answers no image'
            self.publish(rgb_image(np.zeros((32, 32, 3), np.uint8)))
            self.executor.spin_once(timeout_sec=0.1)

    def publish(self, message: Any, publisher: Any = None) -> int:
        """Stamp an image message, publish it and return its stamp."""
        stamp_ns = self.next_stamp_ns()
        message.header.stamp.sec, message.header.stamp.nanosec = divmod(stamp_ns, 1_000_000_000)
        message.header.frame_id = 'camera_left'
        (publisher or self.camera).publish(message)
        return stamp_ns

    def segment(self, message: Any, publisher: Any = None) -> Image:
        """Publish an image and wait for its mask."""
        stamp_ns = self.publish(message, publisher)
        self.wait_until(lambda: stamp_ns in self.masks, f'the mask of {stamp_ns}')
        return self.masks[stamp_ns]

    def wait_for_status(
        self, condition: Callable[[DiagnosticStatus, dict[str, str]], object], what: str
    ) -> dict[str, str]:
        """Wait for a summary published from now on for which a condition holds."""
        seen = len(self.statuses)

        def found() -> bool:
            return any(condition(status, values(status)) for status in self.statuses[seen:])

        self.wait_until(found, what)
        return values(self.statuses[-1])

    def call(self, service_type: type, name: str, request: Any) -> Any:
        """Call a service of the segmenter."""
        client = self._service(service_type, name)
        self.wait_until(client.service_is_ready, f'the service {name}')
        future = client.call_async(request)
        self.wait_until(future.done, f'the answer of {name}')
        return future.result()

    def _service(self, service_type: type, name: str) -> Any:
        if name not in self._services:
            self._services[name] = self.node.create_client(service_type, f'segmenter/{name}')
        return self._services[name]

    def state(self) -> str:
        """Ask for the lifecycle state.

        An answer is lost if the node has not yet met the client that waits for it, which nobody
        can tell: so the question, which changes nothing, is put again.
        """
        client = self._service(GetState, 'get_state')
        self.wait_until(client.service_is_ready, 'the service get_state')
        asked: list[Future[Any]] = []
        again_s = 0.0

        def answered() -> bool:
            nonlocal again_s
            if time.monotonic() > again_s:
                asked.append(client.call_async(GetState.Request()))
                again_s = time.monotonic() + _ASK_AGAIN_S
            return any(future.done() for future in asked)

        self.wait_until(answered, 'the answer of get_state')
        answer = next(future.result() for future in reversed(asked) if future.done())
        return str(answer.current_state.label)

    def change_state(self, transition: str) -> bool:
        """Ask for a lifecycle transition."""
        request = ChangeState.Request()
        request.transition.label = transition
        return bool(self.call(ChangeState, 'change_state', request).success)

    def ask_for_transition(self, number: int) -> Future[Any]:
        """Ask for a lifecycle transition by its number alone, and do not wait for the answer."""
        service = self._service(ChangeState, 'change_state')
        self.wait_until(service.service_is_ready, 'the service change_state')
        request = ChangeState.Request()
        request.transition.id = number
        return service.call_async(request)

    def set_parameters(self, **new_values: object) -> SetParametersResult:
        """Set parameters, all or none."""
        request = SetParametersAtomically.Request()
        request.parameters = [
            Parameter(name, value=value).to_parameter_msg() for name, value in new_values.items()
        ]
        return self.call(SetParametersAtomically, 'set_parameters_atomically', request).result

    def _on_mask(self, message: Image) -> None:
        self.masks[stamp_ns_of(message)] = message

    def _on_timing(self, message: DiagnosticArray) -> None:
        self.timings[stamp_ns_of(message)] = message

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        ours = f'{self._segmenter}:'
        self.statuses += [status for status in message.status if status.name.startswith(ours)]


@contextmanager
def running_segmenter(
    folder: Path, domain_id: int, **parameters: Any
) -> Iterator[tuple[SegmenterProcess, Client]]:
    """Run a node and a client beside it; parameters are those of `SegmenterProcess` too."""
    process = SegmenterProcess(folder / 'segmenter.log', domain_id, **parameters)
    client = Client(domain_id)
    try:
        yield process, client
    finally:
        client.close()
        process.end()


def running_script(
    folder: Path,
    domain_id: int,
    *,
    environment: Mapping[str, str] | None = None,
    **parameters: Any,
) -> AbstractContextManager[tuple[SegmenterProcess, Client]]:
    """Run a node whose networks do as `support.scripted_segmenter` says, and a client."""
    return running_segmenter(
        folder,
        domain_id,
        module='support.scripted_segmenter',
        environment={'SCRIPTED_GATE': str(folder / 'gate'), **(environment or {})},
        backend='scripted',
        **parameters,
    )


def free_domain_id(offset: int) -> int:
    """Return a domain that other runs of the tests on this machine hardly use."""
    return 10 + (os.getpid() * 7 + offset) % 90


def rgb_image(pixels_hwc: np.ndarray) -> Image:
    """Make a message of (H, W, 3) uint8 RGB pixels."""
    height, width, _ = pixels_hwc.shape
    message = Image(height=height, width=width, step=3 * width, encoding='rgb8')
    message.data = pixels_hwc.tobytes()
    return message


def plain_image(blue: int, size_hw: tuple[int, int] = (32, 64)) -> Image:
    """Make an image whose blue value is a command to the scripted networks."""
    pixels_hwc = np.zeros((*size_hw, 3), np.uint8)
    pixels_hwc[..., 2] = blue
    return rgb_image(pixels_hwc)


def mask_pixels(message: Image) -> np.ndarray:
    """Return a mask's (H, W) uint8 pixels."""
    assert message.encoding == 'mono8'
    assert message.step == message.width
    return np.frombuffer(message.data, np.uint8).reshape(message.height, message.width)


def values(status: DiagnosticStatus) -> dict[str, str]:
    """Return a status's keys and values."""
    return {pair.key: pair.value for pair in status.values}


def stamp_ns_of(message: Any) -> int:
    """Return the stamp of a message."""
    return int(message.header.stamp.sec) * 1_000_000_000 + int(message.header.stamp.nanosec)
