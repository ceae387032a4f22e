"""What runs a whole frame as one graph, and the names of that graph's inputs and outputs.

On a GPU the two-stage pipeline waits for the device twice a frame, for the coarse and the refined
logits, and computes on the host what lies between. As one graph the image goes up once, the mask
comes down, and there is one wait. `stseg_ros.frame_graph` writes such graphs. What not every frame
needs stays on the device: the map of logits is half a megabyte, and only onlookers ask for it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy.typing as npt

# Inputs. The small ones may change with every frame.
FRAME = 'frame'  # uint8 (H, W, 3): the camera's image
CHANNELS = 'channels'  # int32 (3,): where red, green and blue lie in it
THRESHOLD = 'threshold_logit'  # float32 (1,): a pixel is vehicle where its logit is above this
REFINE_BELOW = 'refine_below'  # float32 (1,): only cells less confident are merged; not if K is 0

# Outputs.
MASK = 'mask'  # uint8 (H, W): 255 where vehicle, else 0
SCORES = 'scores'  # float32 (cells,): confidence of every cell in [0, 1], row by row
CHOSEN = 'chosen'  # int32 (K,): the cells refined, least confident first; not if K is 0
LOGIT_BYTES = 'logit_bytes'  # uint8 (h, w): fused logits at the working size, see `logit_bytes`

OUTPUTS = (MASK, SCORES, CHOSEN, LOGIT_BYTES)


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameGraphSpec:
    """What is fixed in a graph; anything else is an input of it.

    Attributes:
        camera_hw: the camera image's size.
        regions: how many cells are refined, K; 0 leaves the refine network out.
        fusion: one of `stseg_ros.config.FUSIONS`.
    """

    camera_hw: tuple[int, int]
    regions: int
    fusion: str


class GraphRunner(Protocol):
    """One graph, opened and ready. It belongs to the thread that runs it.

    Attributes:
        backend: name of the backend, such as 'openvino'.
        device: what it runs on and in which arithmetic, for people.
    """

    backend: str
    device: str

    def run(
        self, inputs: Mapping[str, npt.NDArray[Any]], *, without: Collection[str] = ()
    ) -> Mapping[str, npt.NDArray[Any]]:
        """Run the graph once.

        Args:
            inputs: every input of the graph by name, C-contiguous, possibly read-only.
            without: outputs that are not asked for and stay where they are.

        Returns:
            The other outputs by name, complete on return, valid until the next call or `close`.

        Raises:
            EngineError: the backend failed.
        """
        ...

    def close(self) -> None:
        """Free what the backend holds; a second call does nothing."""
        ...


class GraphOpener(Protocol):
    """Makes the graph of a frame size and opens it on one backend."""

    def __call__(self, spec: FrameGraphSpec) -> GraphRunner:
        """Make and open a graph; this may take from a fraction of a second to minutes.

        Args:
            spec: what is fixed in it.

        Returns:
            The runner; whoever asked for it closes it.

        Raises:
            BundleError: the networks cannot be joined into one graph.
            EngineError: the backend is missing or does not take the graph.
        """
        ...
