"""What comes back to measure_node.py over ROS 2: masks, timings and the node's summaries."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from rcl_interfaces.srv import SetParametersAtomically
from rclpy.executors import SingleThreadedExecutor
from rclpy.parameter import Parameter
from rclpy.qos import QoSProfile
from sensor_msgs.msg import Image

from stseg_ros.errors import StsegError
from stseg_ros.measure.node.exchanges import Answer
from stseg_ros.sources.image_codec import header_stamp_ns

NODE, ECHO = '/measured', '/echo'
PATIENCE_S = 120.0
POLL_S = 0.02

_DEPTH = 200


class Collector:
    """Keeps what comes back, in a thread of its own."""

    def __init__(self) -> None:
        """Join ROS and subscribe."""
        self._context = rclpy.Context()
        rclpy.init(context=self._context)
        node = self._node = rclpy.create_node(
            'collector', context=self._context, use_global_arguments=False
        )
        self.masks: dict[int, Answer] = {}
        self.timings: dict[int, dict[str, float]] = {}
        self.summaries: list[dict[str, str]] = []
        self.latest_ns = 0
        qos = QoSProfile(depth=_DEPTH)
        for place in (NODE, ECHO):
            node.create_subscription(Image, f'{place}/mask', self._on_mask, qos)
        node.create_subscription(DiagnosticArray, f'{NODE}/frame_timing', self._on_timing, qos)
        node.create_subscription(DiagnosticArray, '/diagnostics', self._on_diagnostics, qos)
        self._parameters: Any = node.create_client(
            SetParametersAtomically, f'{NODE}/segmenter/set_parameters_atomically'
        )
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(node)
        self._thread = threading.Thread(target=self._executor.spin, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Leave ROS."""
        self._executor.shutdown()
        self._thread.join()
        self._node.destroy_node()
        rclpy.shutdown(context=self._context)

    def set_parameters(self, **values: float) -> None:
        """Set parameters of the node.

        Raises:
            StsegError: it does not answer, or refuses.
        """
        wait_for(self._parameters.service_is_ready, "the node's parameter service")
        request = SetParametersAtomically.Request()
        request.parameters = [
            Parameter(name, value=value).to_parameter_msg() for name, value in values.items()
        ]
        future: Any = self._parameters.call_async(request)
        wait_for(future.done, "the node's answer")
        result = future.result().result
        if not result.successful:
            raise StsegError(f'the node refuses {values}: {result.reason}')

    def _on_mask(self, message: Any) -> None:
        received_ns = time.monotonic_ns()
        rows = np.frombuffer(message.data, np.uint8).reshape(message.height, message.step)
        # A bit a pixel: a thousand masks are to be kept.
        bits = np.packbits(rows[:, : message.width] > 0, axis=1)
        stamp_ns = header_stamp_ns(message.header)
        self.masks[stamp_ns] = Answer(received_ns=received_ns, mask_bits=bits, width=message.width)
        self.latest_ns = received_ns

    def _on_timing(self, message: Any) -> None:
        pairs = {pair.key: float(pair.value) for pair in message.status[0].values}
        self.timings[header_stamp_ns(message.header)] = pairs

    def _on_diagnostics(self, message: Any) -> None:
        self.summaries += [
            {pair.key: pair.value for pair in status.values}
            for status in message.status
            if status.name.startswith(f'{NODE}/segmenter:')
        ]


def wait_for(condition: Callable[[], object], what: str) -> None:
    """Wait until a condition holds.

    Raises:
        StsegError: it does not in time.
    """
    deadline_s = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > deadline_s:
            raise StsegError(f'waited {PATIENCE_S:.0f} s in vain for {what}')
        time.sleep(POLL_S)
