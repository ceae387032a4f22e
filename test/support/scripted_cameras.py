"""Several cameras as `multi_segmenter_node` runs them, on the scripted networks.

See `support.scripted_segmenter`; beside what that reads, ``SCRIPTED_BATCHES`` names a file that
gets a line for each batch: ``coarse 1`` or ``refine 8``. ``SCRIPTED_BREAK`` names a file: where it
is there with a camera's name behind a dot, ROS fails that camera.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from support.scripted_segmenter import ScriptedEngine

from stseg_ros.engines import backends
from stseg_ros.records import ChannelOrder, UInt8Array
from stseg_ros.ros_node import multi_segmenter_node

_LOOK_S = 0.05
serve = multi_segmenter_node.spin


class CountingEngine(ScriptedEngine):
    """A scripted network that keeps a book of its batches."""

    def infer(self, batch_nhwc: UInt8Array, order: ChannelOrder = ChannelOrder.RGB) -> Any:
        """Run the network, and note the batch."""
        book = os.environ.get('SCRIPTED_BATCHES')
        if book:
            with Path(book).open('a') as file:
                file.write(f'{"coarse" if self._is_coarse else "refine"} {len(batch_nhwc)}\n')
        return super().infer(batch_nhwc, order)


def spin_until_broken(node: Any, executor: Any) -> None:
    """Serve a node, and look for what is to break it."""

    def look() -> None:
        place = os.environ.get('SCRIPTED_BREAK')
        if place and Path(f'{place}.{node.get_namespace().strip("/")}').exists():
            raise multi_segmenter_node.RCLError('scripted: no memory')

    node.create_timer(_LOOK_S, look)
    serve(node, executor)


if __name__ == '__main__':
    backends.BACKENDS['scripted'] = 'support.scripted_cameras:CountingEngine'
    multi_segmenter_node.spin = spin_until_broken
    multi_segmenter_node.main()
