"""A context of a plan with one set of shapes, and what was recorded of its runs."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

from stseg_ros.engines.cuda.graphs import CapturedGraph

Shape = tuple[int, ...]


@dataclass(slots=True, kw_only=True, eq=False)
class BoundContext:
    """A context whose shapes are fixed, and recordings of its run by the outputs they bring down.

    Each set of shapes has a context of its own, since a change of shapes may overwrite what a
    recording made with the old ones still reads.

    Attributes:
        context: the library's execution context.
        shapes: of every input and output.
        sizes_bytes: what these take.
        graphs: the recordings, by the names of the outputs in order.
    """

    context: Any
    shapes: dict[str, Shape]
    sizes_bytes: dict[str, int]
    graphs: dict[tuple[str, ...], CapturedGraph] = field(default_factory=dict)

    def close(self) -> None:
        """Free the recordings, all of them also if one cannot be freed."""
        with ExitStack() as made:
            for graph in self.graphs.values():
                made.callback(graph.close)
