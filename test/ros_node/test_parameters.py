"""Tests of the parameters' values and texts."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip('rclpy', reason='needs rclpy, from a ROS installation or its wheels')

from stseg_ros.config import PipelineConfig
from stseg_ros.errors import ConfigError
from stseg_ros.ros_node.parameter_specs import SPECS
from stseg_ros.ros_node.parameters import NodeParameters, unknown_parameters


def test_every_value_is_described_once() -> None:
    assert [spec.name for spec in SPECS] == [
        field.name for field in dataclasses.fields(NodeParameters)
    ]
    for spec in SPECS:
        descriptor = spec.descriptor()
        assert descriptor.description.endswith('.')
        assert descriptor.read_only is not spec.live


def test_numbers_have_ranges_that_hold_their_defaults() -> None:
    for spec in SPECS:
        default = getattr(NodeParameters(), spec.name)
        descriptor = spec.descriptor()
        ranges = [*descriptor.integer_range, *descriptor.floating_point_range]
        if isinstance(default, bool | str):
            assert not ranges
        else:
            (limits,) = ranges
            assert limits.from_value <= default <= limits.to_value
            assert type(limits.from_value) is type(default)


def test_the_defaults_leave_the_choice_to_the_bundle() -> None:
    assert NodeParameters().pipeline_config() == PipelineConfig()


def test_silence_is_told_within_five_seconds() -> None:
    # The node looks once a second, and is late by another one on a busy machine.
    assert NodeParameters().no_image_warning_s + 2 <= 5


def test_values_reach_the_pipeline() -> None:
    said: dict[str, Any] = {
        'regions': 0,
        'threshold': 0.25,
        'refine_below': 0.5,
        'fusion': 'max',
        'selector': 'margin',
        'threads': 3,
        'backend': 'openvino',
    }
    assert NodeParameters(**said).pipeline_config() == PipelineConfig(**said)


@pytest.mark.parametrize(
    ('wrong', 'message'),
    [
        ({'transport': 'theora'}, 'transport'),
        ({'backend': 'abacus'}, 'backend'),
        ({'fusion': 'glue'}, 'fusion'),
        ({'selector': 'luck'}, 'selector'),
        ({'selector': 'sliding', 'execution': 'one_graph'}, 'selector is .*one_graph'),
        ({'precision': 'int2'}, 'precision'),
        ({'threshold': -0.5}, 'threshold'),
        ({'threshold': 1.0}, 'threshold'),
        ({'regions': -2}, 'regions'),
        ({'latency_budget_ms': -1.0}, 'latency_budget_ms'),
        ({'latency_budget_ms': float('nan')}, 'latency_budget_ms'),
        (
            {'latency_budget_ms': 40.0, 'execution': 'one_graph'},
            'latency_budget_ms is 40 and execution is one_graph, .* a latency_budget_ms of 0',
        ),
    ],
    ids=str,
)
def test_wrong_values_raise(wrong: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        NodeParameters(**wrong)


def test_changes_of_other_parameters_are_passed_over() -> None:
    changes = [
        SimpleNamespace(name='regions', value=2),
        SimpleNamespace(name='use_sim_time', value=True),
    ]
    assert NodeParameters().changed(changes) == NodeParameters(regions=2)


def test_a_running_node_of_one_graph_takes_no_budget() -> None:
    values = NodeParameters(execution='one_graph')
    with pytest.raises(ConfigError, match='latency_budget_ms'):
        values.changed([SimpleNamespace(name='latency_budget_ms', value=40.0)])


def test_unknown_names_are_found_and_corrected() -> None:
    overridden = ['regions', 'threshhold', 'qos_overrides./mask.publisher.depth', 'colour']
    assert unknown_parameters(overridden, ['threshold', 'regions']) == [
        'parameter threshhold is set but does not exist; did you mean threshold?',
        'parameter colour is set but does not exist; known: regions, threshold',
    ]
