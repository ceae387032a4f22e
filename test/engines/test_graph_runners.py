"""The contract of whatever runs a whole frame as one graph."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.tiny_bundle import WORKING_HW, read_tiny_bundle

from stseg_ros.engines.engine_protocol import EngineOptions
from stseg_ros.engines.graph_runner import FrameGraphSpec, GraphRunner
from stseg_ros.engines.onnx_source import NamedModel
from stseg_ros.engines.onnxruntime.graph import OnnxRuntimeGraph
from stseg_ros.engines.openvino.graph import OpenVinoGraph
from stseg_ros.errors import EngineError
from stseg_ros.frame_graph.build import build_frame_graph

RUNNERS = [OnnxRuntimeGraph, OpenVinoGraph]
FLOAT32 = EngineOptions(precision='float32', threads=1)
CAMERA_HW = (80, 200)


@pytest.fixture(params=RUNNERS, ids=lambda runner: runner.backend)
def runner_type(request: pytest.FixtureRequest) -> type:
    return request.param


@pytest.fixture
def runner(runner_type: type, tmp_path: Path) -> GraphRunner:
    return runner_type(model(tmp_path, regions=4), FLOAT32)


def model(root: Path, *, regions: int) -> NamedModel:
    spec = FrameGraphSpec(camera_hw=CAMERA_HW, regions=regions, fusion='paste')
    return NamedModel(name='a frame', content=build_frame_graph(read_tiny_bundle(root), spec))


def inputs(*, half_red: bool = True, refining: bool = True) -> dict[str, np.ndarray]:
    image = np.zeros((*CAMERA_HW, 3), np.uint8)
    if half_red:
        image[:, : CAMERA_HW[1] // 2, 0] = 255
    image.flags.writeable = False
    values: dict[str, Any] = {
        'frame': image,
        'channels': np.array([0, 1, 2], np.int32),
        'threshold_logit': np.array([1.0], np.float32),
    }
    return values | ({'refine_below': np.array([2.0], np.float32)} if refining else {})


def test_outputs_come_by_name(runner: GraphRunner) -> None:
    outputs = runner.run(inputs())
    shapes = {name: (array.shape, array.dtype.name) for name, array in outputs.items()}
    assert shapes == {
        'mask': (CAMERA_HW, 'uint8'),
        'scores': ((16,), 'float32'),
        'chosen': ((4,), 'int32'),
        'logit_bytes': (WORKING_HW, 'uint8'),
    }
    mask = outputs['mask']
    assert (mask[:, :95] == 255).all()
    assert (mask[:, 105:] == 0).all()
    assert runner.device


def test_each_run_is_of_its_own_inputs(runner: GraphRunner) -> None:
    first = {name: array.copy() for name, array in runner.run(inputs()).items()}
    assert not runner.run(inputs(half_red=False))['mask'].any()
    again = runner.run(inputs())
    for name, array in first.items():
        np.testing.assert_array_equal(again[name], array)


def test_without_regions_there_are_none(runner_type: type, tmp_path: Path) -> None:
    runner = runner_type(model(tmp_path, regions=0), FLOAT32)
    assert set(runner.run(inputs(refining=False))) == {'mask', 'scores', 'logit_bytes'}


def test_what_is_not_asked_for_does_not_come(runner: GraphRunner) -> None:
    whole = {name: array.copy() for name, array in runner.run(inputs()).items()}
    lean = runner.run(inputs(), without=('logit_bytes',))
    assert set(lean) == {'mask', 'scores', 'chosen'}
    for name, array in lean.items():
        np.testing.assert_array_equal(array, whole[name])
    assert set(runner.run(inputs())) == set(whole)


def test_a_wrong_frame_is_an_engine_error(runner: GraphRunner) -> None:
    wrong = inputs() | {'frame': np.zeros((8, 8, 3), np.uint8)}
    with pytest.raises(EngineError, match=runner.backend):
        runner.run(wrong)
    assert runner.run(inputs())['mask'].any()


def test_what_is_no_graph_is_refused(runner_type: type) -> None:
    with pytest.raises(EngineError, match='cannot open a frame') as refused:
        runner_type(NamedModel(name='a frame', content=b'not a graph'), FLOAT32)
    assert '\n' not in str(refused.value)


def test_closing_twice_is_fine_and_running_then_is_not(runner: GraphRunner) -> None:
    runner.close()
    runner.close()
    with pytest.raises(EngineError, match='closed'):
        runner.run(inputs())
