"""Recorded times of a node's frames with every number of regions, to try the latency budget on."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from stseg_ros.errors import DataError

SCHEMA = 1
_DECIMALS = 3


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CostTrace:
    """What frames of a real node took.

    Attributes:
        about: machine, load and rate, for people.
        guess_ms: (K,) float64 refine network's time with 1 to K regions, as the node measures it
            when a budget is set.
        before_ms: (N,) float64 from a message's arrival to the choice of its regions.
        refine_ms: (N, K) float64 refine network's time with 1 to K regions, all run for each
            frame.
        after_ms: (N,) float64 all the rest until the mask is published.
    """

    about: dict[str, Any]
    guess_ms: npt.NDArray[np.float64]
    before_ms: npt.NDArray[np.float64]
    refine_ms: npt.NDArray[np.float64]
    after_ms: npt.NDArray[np.float64]

    def __len__(self) -> int:
        """Return the number of frames."""
        return len(self.before_ms)

    @property
    def most_regions(self) -> int:
        """The largest number of regions that was measured."""
        return self.refine_ms.shape[1]

    def total_ms(self, regions: int) -> npt.NDArray[np.float64]:
        """Return what each frame takes with a number of regions, (N,) float64."""
        refine_ms = self.refine_ms[:, regions - 1] if regions else 0.0
        return np.asarray(self.before_ms + refine_ms + self.after_ms, np.float64)


def write_trace(trace: CostTrace, path: Path) -> None:
    """Write a trace as JSON, a line per frame.

    Args:
        trace: the trace.
        path: the file.
    """
    head = {
        'schema': SCHEMA,
        'about': trace.about,
        'columns': ['before_ms', 'after_ms', *_column_names(trace.most_regions)],
        'guess_ms': _rounded(trace.guess_ms),
    }
    table = np.column_stack([trace.before_ms, trace.after_ms, trace.refine_ms])
    rows = ',\n  '.join(json.dumps(_rounded(row)) for row in table)
    text = json.dumps(head, indent=1)[:-2] + f',\n "frames": [\n  {rows}\n ]\n}}\n'
    path.write_text(text, encoding='utf-8')


def read_trace(path: Path) -> CostTrace:
    """Read a trace.

    Args:
        path: a file of `write_trace`.

    Returns:
        The trace.

    Raises:
        DataError: it cannot be read, or is none.
    """
    try:
        content = json.loads(path.read_text(encoding='utf-8'))
        table = np.array(content['frames'], np.float64)
        guess_ms = np.array(content['guess_ms'], np.float64)
        if content['schema'] != SCHEMA or table.shape[1] != 2 + len(guess_ms):
            raise ValueError('its columns are not those of this version')
    except (OSError, ValueError, LookupError, TypeError) as err:
        raise DataError(f'{path}: is no cost trace ({err}); record it again') from err
    return CostTrace(
        about=content['about'],
        guess_ms=guess_ms,
        before_ms=table[:, 0],
        after_ms=table[:, 1],
        refine_ms=table[:, 2:],
    )


def _column_names(most: int) -> list[str]:
    return [f'refine_{count}_ms' for count in range(1, most + 1)]


def _rounded(values: npt.NDArray[np.float64]) -> list[float]:
    return [round(float(value), _DECIMALS) for value in values]
