"""The node as `segmenter_node` runs it, on networks that take their time or fail as a test asks.

``python -m support.scripted_segmenter --ros-args -p backend:=scripted`` reads the environment:

- ``SCRIPTED_COARSE_S``, ``SCRIPTED_REGION_S``: what the networks take for a frame and a region;
- ``SCRIPTED_GATE``: a file that opens the gate of `WAIT` by its existence;
- ``SCRIPTED_BUILD``: a file by whose existence a pretended building of engines ends.

A plain image's blue value is a command, see `FAIL_ONCE` and the others; all other values are none.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from stseg_ros.engines import backends
from stseg_ros.engines.engine_protocol import EngineOptions
from stseg_ros.engines.onnxruntime.engine import OnnxRuntimeEngine
from stseg_ros.errors import EngineError
from stseg_ros.records import ChannelOrder, UInt8Array

FAIL_ONCE = 200
FAIL = 210
STUMBLE = 220
WAIT = 230
_POLL_S = 0.005


class ScriptedEngine(OnnxRuntimeEngine):
    """A real network behind a script."""

    backend = 'scripted'

    def __init__(self, onnx_path: Path, options: EngineOptions) -> None:
        """Open the network."""
        super().__init__(onnx_path, options)
        self._build(options)
        self._is_coarse = self.input.shape[0] == 1
        name = 'SCRIPTED_COARSE_S' if self._is_coarse else 'SCRIPTED_REGION_S'
        self._item_s = float(os.environ.get(name, '0'))
        self._failures = 0

    def infer(self, batch_nhwc: UInt8Array, order: ChannelOrder = ChannelOrder.RGB) -> Any:
        """Run the network, after the script."""
        if self._is_coarse:
            self._obey(int(batch_nhwc[0, 0, 0, 2 if order is ChannelOrder.RGB else 0]))
        time.sleep(self._item_s * len(batch_nhwc))
        return super().infer(batch_nhwc, order)

    def _build(self, options: EngineOptions) -> None:
        end = os.environ.get('SCRIPTED_BUILD')
        while end and not Path(end).exists():
            assert options.progress is not None
            assert options.stop is not None
            options.progress(0.4, 'trying tactics')
            if options.stop():
                raise EngineError('scripted: the build was stopped')
            time.sleep(_POLL_S)

    def _obey(self, command: int) -> None:
        if command == FAIL_ONCE:
            self._failures += 1
            if self._failures % 2:
                raise EngineError('scripted: a hiccup')
        elif command == FAIL:
            raise EngineError('scripted: the device is lost')
        elif command == STUMBLE:
            raise ZeroDivisionError('scripted: a bug')
        elif command == WAIT:
            gate = Path(os.environ['SCRIPTED_GATE'])
            gate.with_suffix('.reached').touch()
            while not gate.exists():
                time.sleep(_POLL_S)


if __name__ == '__main__':
    backends.BACKENDS['scripted'] = 'support.scripted_segmenter:ScriptedEngine'
    from stseg_ros.ros_node.segmenter_node import main

    main()
