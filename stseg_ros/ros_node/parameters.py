"""The node's parameters: declared, checked, and turned into the pipeline's settings."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rclpy.exceptions import InvalidParameterTypeException, InvalidParameterValueException

from stseg_ros.bundle import DEFAULT_BUNDLE
from stseg_ros.config import ONE_GRAPH, STAGES, PipelineConfig
from stseg_ros.engines.backends import AUTO, BACKENDS
from stseg_ros.errors import ConfigError
from stseg_ros.ros_node.parameter_specs import FROM_BUNDLE, SPECS, TRANSPORTS

if TYPE_CHECKING:
    from rclpy.node import Node
    from rclpy.parameter import Parameter


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeParameters:
    """The values of all parameters, in fields of their names; `SPECS` tells what they mean.

    Raises:
        ConfigError: a value, or a combination of values, is wrong.
    """

    bundle: str = DEFAULT_BUNDLE
    backend: str = AUTO
    threads: int = 0
    precision: str = 'default'
    execution: str = STAGES
    transport: str = 'raw'
    autostart: bool = True
    regions: int = FROM_BUNDLE
    threshold: float = float(FROM_BUNDLE)
    refine_below: float = 1.0
    fusion: str = ''
    selector: str = ''
    latency_budget_ms: float = 0.0
    overlay_alpha: float = 0.5
    vehicle_min_pixels: int = 64
    no_image_warning_s: float = 3.0
    stamp_warning_s: float = 1.0
    log_throttle_s: float = 5.0

    def __post_init__(self) -> None:
        """Check what can be checked without the bundle."""
        if self.transport not in TRANSPORTS:
            raise ConfigError(
                f'transport is {self.transport!r}; expected one of {", ".join(TRANSPORTS)}'
            )
        if self.backend not in (AUTO, *BACKENDS):
            raise ConfigError(
                f'backend is {self.backend!r}; expected one of {AUTO}, {", ".join(BACKENDS)}'
            )
        if not self.latency_budget_ms >= 0.0:
            raise ConfigError(
                f'latency_budget_ms is {self.latency_budget_ms}; expected 0 (no limit) or more'
            )
        if self.latency_budget_ms and self.execution == ONE_GRAPH:
            raise ConfigError(
                f'latency_budget_ms is {self.latency_budget_ms:g} and execution is {ONE_GRAPH}, '
                'where each number of regions is a graph of its own; expected a latency_budget_ms '
                f'of 0, or execution {STAGES}'
            )
        self.pipeline_config()

    def pipeline_config(self) -> PipelineConfig:
        """Turn the values into the pipeline's settings.

        Returns:
            The settings; None stands where the bundle's recommendation is asked for.

        Raises:
            ConfigError: a value is wrong.
        """
        return PipelineConfig(
            regions=None if self.regions == FROM_BUNDLE else self.regions,
            threshold=None if self.threshold == FROM_BUNDLE else self.threshold,
            refine_below=self.refine_below,
            fusion=self.fusion or None,
            selector=self.selector or None,
            backend=self.backend,
            threads=self.threads,
            precision=self.precision,
            execution=self.execution,
        )

    def changed(self, parameters: Iterable[Parameter[Any]]) -> NodeParameters:
        """Return these values with some replaced.

        Args:
            parameters: new values; parameters that are not ours are passed over.

        Raises:
            ConfigError: a value is wrong.
        """
        names = {field.name for field in dataclasses.fields(self)}
        changes = {entry.name: entry.value for entry in parameters if entry.name in names}
        return dataclasses.replace(self, **changes)


def declare_parameters(node: Node) -> NodeParameters:
    """Declare every parameter and read its value.

    Args:
        node: the node, whose overrides win over the defaults.

    Returns:
        The values.

    Raises:
        ConfigError: an override has the wrong type or a wrong value.
    """
    defaults = NodeParameters()
    declared = []
    for spec in SPECS:
        default = getattr(defaults, spec.name)
        try:
            declared.append(node.declare_parameter(spec.name, default, spec.descriptor()))
        except InvalidParameterTypeException as err:
            kind = type(default).__name__
            raise ConfigError(
                f'parameter {spec.name} has the wrong type, expected a {kind} such as {default!r} '
                f'({err})'
            ) from err
        except InvalidParameterValueException as err:
            raise ConfigError(f'parameter {spec.name}: {err}') from err
    return defaults.changed(declared)


def unknown_parameters(overridden: Iterable[str], known: Sequence[str]) -> list[str]:
    """Find overrides that set nothing, which ROS passes over in silence.

    Args:
        overridden: names that the launch file, a parameter file or the command line set.
        known: names of the declared parameters.

    Returns:
        One line for each that is neither declared nor a QoS override.
    """
    lines = []
    for name in overridden:
        if name in known or name.startswith('qos_overrides.'):
            continue
        close = difflib.get_close_matches(name, known, n=1)
        advice = f'did you mean {close[0]}?' if close else f'known: {", ".join(sorted(known))}'
        lines.append(f'parameter {name} is set but does not exist; {advice}')
    return lines
