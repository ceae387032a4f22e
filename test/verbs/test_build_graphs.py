"""`stseg build --execution one_graph` with the real builder of TensorRT-RTX."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from support.rtx import CAPABILITY, require_rtx
from support.tiny_bundle import WORKING_HW, read_tiny_bundle, write_tiny_bundle

from stseg_ros.assembly import resolve_settings
from stseg_ros.bundle import ModelBundle
from stseg_ros.cli import main
from stseg_ros.config import PipelineConfig
from stseg_ros.engines.engine_protocol import EngineOptions
from stseg_ros.engines.graph_runner import GraphRunner
from stseg_ros.engines.onnx_source import NamedModel
from stseg_ros.engines.onnxruntime.graph import OnnxRuntimeGraph
from stseg_ros.engines.plan_build.plans import find_or_build
from stseg_ros.engines.plan_build.request import graph_request
from stseg_ros.engines.plan_cache.cache import EngineCache
from stseg_ros.engines.tensorrt.library import TensorRtLibrary
from stseg_ros.frame_graph.opener import graph_opener
from stseg_ros.pipeline.one_graph import OneGraphSegmenter
from stseg_ros.records import Frame

WORKING = f'{WORKING_HW[1]}x{WORKING_HW[0]}'


@pytest.fixture
def library() -> TensorRtLibrary:
    return require_rtx()


@pytest.fixture
def bundle(tmp_path: Path) -> ModelBundle:
    write_tiny_bundle(tmp_path / 'tiny')
    return read_tiny_bundle(tmp_path / 'tiny')


@pytest.fixture
def engines(tmp_path: Path) -> Path:
    return tmp_path / 'engines'


def build(bundle: ModelBundle, engines: Path, *arguments: str) -> int:
    return main(
        [
            *('build', '--backend', 'tensorrt_rtx', '--compute-capability', CAPABILITY),
            *('--bundle', str(bundle.root), '--output', str(engines), *arguments),
        ]
    )


def forms(shown: str) -> dict[str, str]:
    """List how each engine came about, by its title."""
    return dict(re.findall(rf'^(\S+), {CAPABILITY}: (built|from the cache)', shown, re.MULTILINE))


def graphs_of_a_drive(
    bundle: ModelBundle, config: PipelineConfig, size_hw: tuple[int, int]
) -> list[NamedModel]:
    """Return the graphs that a segmenter opens at its start and for its first image."""
    opened: list[NamedModel] = []

    def open_model(model: NamedModel) -> GraphRunner:
        opened.append(model)
        return OnnxRuntimeGraph(model, EngineOptions(threads=1))

    segmenter = OneGraphSegmenter(
        geometry=bundle.geometry,
        open_graph=graph_opener(bundle, open_model),
        settings=resolve_settings(bundle, config),
    )
    segmenter.segment(Frame(image_hwc=np.zeros((*size_hw, 3), np.uint8)))
    segmenter.close()
    return opened


def test_a_drive_finds_the_engines_that_were_built(
    library: TensorRtLibrary,
    bundle: ModelBundle,
    engines: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    arguments = ['--execution', 'one_graph', '--frame-size', '200x80', '90x60']
    assert build(bundle, engines, *arguments) == 0
    titles = ('200x80', '90x60', WORKING)
    assert forms(capsys.readouterr().out) == dict.fromkeys(titles, 'built')
    assert build(bundle, engines, *arguments) == 0
    assert forms(capsys.readouterr().out) == dict.fromkeys(titles, 'from the cache')

    cache = EngineCache(engines)
    models = graphs_of_a_drive(bundle, PipelineConfig(), (80, 200))
    assert len(models) == 2
    for model in models:
        request = graph_request(model, compute_capability=CAPABILITY)
        assert find_or_build(library, request, cache).was_cached
    assert main(['build', '--list', '--output', str(engines)]) == 0
    shown = capsys.readouterr().out
    assert re.search(
        r'^one graph of 200x80, \d+ regions, \w+ \w+: tensorrt_rtx', shown, re.MULTILINE
    )


def test_regions_and_fusion_and_precision_are_the_graphs(
    library: TensorRtLibrary,
    bundle: ModelBundle,
    engines: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    parameters = tmp_path / 'segment.yaml'
    parameters.write_text(
        '/**:\n  ros__parameters:\n    execution: one_graph\n    regions: 2\n'
        '    fusion: max\n    precision: float32\n    no_image_warning_s: 3.0\n'
    )
    arguments = ['--config', str(parameters), '--frame-size', '90x60']
    assert build(bundle, engines, *arguments) == 0
    assert 'bundle tiny, fp32' in capsys.readouterr().out
    config = PipelineConfig(regions=2, fusion='max')
    for model in graphs_of_a_drive(bundle, config, (60, 90)):
        request = graph_request(model, precision='fp32', compute_capability=CAPABILITY)
        assert find_or_build(library, request, EngineCache(engines)).was_cached
    # An argument wins over the file.
    assert build(bundle, engines, *arguments, '--regions', '3') == 0
    assert forms(capsys.readouterr().out) == {'90x60': 'built', WORKING: 'built'}


@pytest.mark.parametrize(
    ('arguments', 'expected'),
    [
        (['--execution', 'one_graph'], 'name them, as --frame-size 1280x720'),
        (['--execution', 'one_graph', '--frame-size', '1280'], "--frame-size is '1280'; expected"),
        (['--execution', 'one_graph', '--frame-size', '0x720'], "--frame-size is '0x720'"),
        (['--frame-size', '1280x720'], '--frame-size is for --execution one_graph'),
        (['--regions', '3'], '--regions is for --execution one_graph'),
        (
            ['--execution', 'one_graph', '--frame-size', '90x60', '--regions', '99'],
            'refines at most',
        ),
    ],
)
def test_what_does_not_fit_is_one_line(
    bundle: ModelBundle,
    engines: Path,
    arguments: list[str],
    expected: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    require_rtx()
    assert build(bundle, engines, *arguments) == 2
    error = capsys.readouterr().err
    assert expected in error
    assert error.count('\n') == 1
    assert not engines.exists()
