"""The node's parameters: declared, described, checked, and turned into the pipeline's settings."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor
from rclpy.exceptions import InvalidParameterTypeException, InvalidParameterValueException

from stseg_ros.bundle import DEFAULT_BUNDLE
from stseg_ros.config import FUSIONS, PRECISIONS, PipelineConfig
from stseg_ros.engines.backends import AUTO, BACKENDS
from stseg_ros.errors import ConfigError

if TYPE_CHECKING:
    from rclpy.node import Node
    from rclpy.parameter import Parameter

TRANSPORTS = ('raw', 'compressed')
FROM_BUNDLE = -1


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
    transport: str = 'raw'
    autostart: bool = True
    regions: int = FROM_BUNDLE
    threshold: float = float(FROM_BUNDLE)
    refine_below: float = 1.0
    fusion: str = ''
    overlay_alpha: float = 0.5
    no_image_warning_s: float = 5.0
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
            backend=self.backend,
            threads=self.threads,
            precision=self.precision,
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


@dataclass(frozen=True, slots=True, kw_only=True)
class ParameterSpec:
    """What ROS tools show of a parameter.

    Attributes:
        name: the field of `NodeParameters` that holds its default and its value.
        description: what it means, its unit.
        constraints: the values it takes, where a range does not say it all.
        live: whether it may change while the node runs.
        limits: least and largest value of a number.
    """

    name: str
    description: str
    constraints: str = ''
    live: bool = False
    limits: tuple[int, int] | tuple[float, float] | None = None

    def descriptor(self) -> ParameterDescriptor:
        """Return the descriptor to declare the parameter with."""
        descriptor = ParameterDescriptor(
            description=self.description,
            additional_constraints=self.constraints,
            read_only=not self.live,
        )
        if self.limits is not None:
            low, high = self.limits
            if isinstance(low, int) and isinstance(high, int):
                limits = IntegerRange(from_value=low, to_value=high, step=1)
                descriptor.integer_range = [limits]
            else:
                limits = FloatingPointRange(from_value=low, to_value=high, step=0.0)
                descriptor.floating_point_range = [limits]
        return descriptor


SPECS = (
    ParameterSpec(
        name='bundle',
        description='Model bundle: the name of a shipped one, or the path of a bundle folder.',
    ),
    ParameterSpec(
        name='backend',
        description='Inference backend; auto takes the best that opens on this machine.',
        constraints=f'One of {", ".join((AUTO, *BACKENDS))}.',
    ),
    ParameterSpec(
        name='threads',
        description='CPU threads of one network; 0 leaves the choice to the backend.',
        limits=(0, 1024),
    ),
    ParameterSpec(
        name='precision',
        description='default is the fastest arithmetic of the backend, float32 is exact FP32.',
        constraints=f'One of {", ".join(PRECISIONS)}.',
    ),
    ParameterSpec(
        name='transport',
        description='raw subscribes to image, compressed to image/compressed.',
        constraints=f'One of {", ".join(TRANSPORTS)}.',
    ),
    ParameterSpec(
        name='autostart',
        description='Whether the node configures and activates itself when it starts.',
    ),
    ParameterSpec(
        name='regions',
        description='Largest number of regions refined per frame; 0 is the coarse network alone, '
        "-1 the bundle's recommendation.",
        constraints="At most what the bundle's refine network takes in one batch.",
        live=True,
        limits=(FROM_BUNDLE, 4096),
    ),
    ParameterSpec(
        name='threshold',
        description='A pixel is vehicle where its probability is above this; '
        "-1 is the bundle's recommendation.",
        constraints='-1, or above 0 and below 1.',
        live=True,
        limits=(float(FROM_BUNDLE), 1.0),
    ),
    ParameterSpec(
        name='refine_below',
        description='Regions are refined only while their confidence is below this.',
        live=True,
        limits=(0.0, 1.0),
    ),
    ParameterSpec(
        name='fusion',
        description="How refined regions are merged; empty is the bundle's recommendation.",
        constraints=f'Empty, or one of {", ".join(FUSIONS)}.',
        live=True,
    ),
    ParameterSpec(
        name='overlay_alpha',
        description='Opacity of the tint on the overlay.',
        live=True,
        limits=(0.0, 1.0),
    ),
    ParameterSpec(
        name='no_image_warning_s',
        description='Seconds without an image after which the node says why; 0 never does.',
        live=True,
        limits=(0.0, 86400.0),
    ),
    ParameterSpec(
        name='log_throttle_s',
        description='Least seconds between two equal warnings.',
        live=True,
        limits=(0.0, 86400.0),
    ),
)


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
