"""Tests of the files of recorded times."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from stseg_ros.errors import DataError
from stseg_ros.measure.node.cost_traces import CostTrace, read_trace, write_trace


def trace() -> CostTrace:
    return CostTrace(
        about={'load': 2},
        guess_ms=np.array([1.0, 1.75]),
        before_ms=np.array([5.125, 6.0, 7.0]),
        refine_ms=np.array([[1.0, 2.0], [1.5, 2.5], [1.25, 3.0]]),
        after_ms=np.array([0.5, 0.25, 0.5]),
    )


def test_a_trace_is_read_as_it_was_written(tmp_path: Path) -> None:
    write_trace(trace(), tmp_path / 'trace.json')
    found = read_trace(tmp_path / 'trace.json')
    assert found.about == {'load': 2}
    assert (len(found), found.most_regions) == (3, 2)
    for name in ('guess_ms', 'before_ms', 'refine_ms', 'after_ms'):
        assert np.array_equal(getattr(found, name), getattr(trace(), name))


def test_the_file_names_its_columns_and_holds_a_line_per_frame(tmp_path: Path) -> None:
    write_trace(trace(), tmp_path / 'trace.json')
    text = (tmp_path / 'trace.json').read_text()
    content = json.loads(text)
    assert content['columns'] == ['before_ms', 'after_ms', 'refine_1_ms', 'refine_2_ms']
    assert content['frames'][1] == [6.0, 0.25, 1.5, 2.5]
    assert '[6.0, 0.25, 1.5, 2.5],\n' in text


def test_the_time_of_a_frame_with_any_number_of_regions() -> None:
    assert trace().total_ms(0).tolist() == [5.625, 6.25, 7.5]
    assert trace().total_ms(2).tolist() == [7.625, 8.75, 10.5]


@pytest.mark.parametrize(
    'text', ['', '{}', '{"schema": 9, "guess_ms": [1], "frames": [[1, 2, 3]], "about": {}}']
)
def test_another_file_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / 'trace.json'
    path.write_text(text)
    with pytest.raises(DataError, match=r'trace\.json: is no cost trace'):
        read_trace(path)
    with pytest.raises(DataError, match='record it again'):
        read_trace(tmp_path / 'missing.json')
