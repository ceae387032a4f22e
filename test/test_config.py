"""Tests of the settings and their YAML files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from stseg_ros.config import PipelineConfig, SegmenterSettings
from stseg_ros.errors import ConfigError
from stseg_ros.verbs.config_file import read_config_file


def test_file_fills_what_it_names(tmp_path: Path) -> None:
    path = tmp_path / 'pipeline.yaml'
    path.write_text('regions: 3\nthreshold: 0.25\nbackend: onnxruntime\n')
    config = read_config_file(path).config
    assert (config.regions, config.threshold, config.backend) == (3, 0.25, 'onnxruntime')
    assert config.fusion is None


def test_empty_file_is_the_default(tmp_path: Path) -> None:
    path = tmp_path / 'pipeline.yaml'
    path.write_text('')
    assert read_config_file(path).config == PipelineConfig()


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('region: 3', "unknown key 'region'; did you mean 'regions'?"),
        ('nonsense: 3', "unknown key 'nonsense'; known: regions, threshold"),
        ('regions: many', "regions: expected int, got 'many'"),
        ('regions: true', 'regions: expected int, got True'),
        ('regions: -1', 'regions is -1; expected 0'),
        ('threshold: 1', 'threshold is 1.0; expected above 0 and below 1'),
        ('refine_below: 1.5', 'refine_below is 1.5; expected 0 to 1'),
        ('fusion: glue', "fusion is 'glue'; expected one of paste, add, max"),
        (
            'selector: luck',
            "selector is 'luck'; expected one of grid, margin, boundary, sliding, components",
        ),
        ('preset: best', "preset is 'best'; expected one of paper"),
        (
            'selector: sliding\nexecution: one_graph',
            (
                "selector is 'sliding' and execution is one_graph, whose graph ranks the cells of "
                'the grid; expected selector grid, or execution stages'
            ),
        ),
        ('precision: int8', "precision is 'int8'; expected one of default, float32"),
        ('execution: two', "execution is 'two'; expected one of stages, one_graph"),
        ('threads: -2', 'threads is -2; expected 0'),
        ('- regions', 'expected a mapping'),
        ('regions: [', 'is not valid YAML'),
    ],
)
def test_wrong_file_is_one_line_naming_it(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / 'pipeline.yaml'
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        read_config_file(path)
    assert message in str(caught.value)
    assert str(path) in str(caught.value)
    assert '\n' not in str(caught.value)


@pytest.mark.parametrize(
    ('values', 'chosen'),
    [
        ({}, 'margin'),
        ({'selector': 'sliding'}, 'sliding'),
        ({'preset': 'paper'}, 'grid'),
        ({'preset': 'paper', 'selector': 'sliding'}, 'sliding'),
        ({'execution': 'one_graph'}, 'grid'),
        ({'execution': 'one_graph', 'selector': 'grid'}, 'grid'),
    ],
    ids=str,
)
def test_what_is_said_wins_over_preset_and_recommendation(
    values: dict[str, Any], chosen: str
) -> None:
    assert PipelineConfig(**values).chosen_selector('margin') == chosen


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r'absent\.yaml: cannot be read'):
        read_config_file(tmp_path / 'absent.yaml')


@pytest.mark.parametrize(
    'values',
    [{'regions': -1}, {'regions': 1, 'threshold': 0.0}, {'regions': 1, 'fusion': 'none'}],
)
def test_settings_refuse_what_is_out_of_range(values: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        SegmenterSettings(**values)
