"""What ROS tools show of the node's parameters."""

from __future__ import annotations

from dataclasses import dataclass

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor

from stseg_ros.config import EXECUTIONS, FUSIONS, PRECISIONS, SELECTORS
from stseg_ros.engines.backends import AUTO, BACKENDS

TRANSPORTS = ('raw', 'compressed')
FROM_BUNDLE = -1


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
        name='execution',
        description='stages runs the networks one after the other, one_graph joins them and all '
        'steps between them to one graph; the first image of each size waits for its graph.',
        constraints=f'One of {", ".join(EXECUTIONS)}.',
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
        name='selector',
        description="How regions are chosen; empty is the bundle's recommendation.",
        constraints=f'Empty, or one of {", ".join(SELECTORS)}; grid where execution is one_graph.',
    ),
    ParameterSpec(
        name='latency_budget_ms',
        description='Longest time in ms from taking an image to publishing its mask: each frame '
        'is given as many of the regions as fit, down to none; 0 is no limit.',
        constraints='0 where execution is one_graph.',
        live=True,
        limits=(0.0, 60000.0),
    ),
    ParameterSpec(
        name='overlay_alpha',
        description='Opacity of the tint on the overlay.',
        live=True,
        limits=(0.0, 1.0),
    ),
    ParameterSpec(
        name='vehicle_min_pixels',
        description='Least pixels of the mask that make a box on the topic vehicles.',
        live=True,
        limits=(1, 100_000_000),
    ),
    ParameterSpec(
        name='no_image_warning_s',
        description='Seconds without an image after which the node says why; 0 never does.',
        live=True,
        limits=(0.0, 86400.0),
    ),
    ParameterSpec(
        name='stamp_warning_s',
        description="Seconds that stamps may be away from the node's clock before the node says "
        'so; 0 never does.',
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
