"""Settings of the pipeline, from code, a YAML file or ROS parameters."""

from __future__ import annotations

from dataclasses import dataclass

from stseg_ros.errors import ConfigError

GRID = 'grid'
MARGIN = 'margin'
# What a bundle may have learned; without it, it cannot be run so.
LEARNED = 'learned'
SELECTORS = (GRID, MARGIN, 'boundary', 'sliding', 'components', 'components_first', LEARNED)
DEFAULT_SELECTOR = GRID
PAPER = 'paper'
PRESETS = (PAPER,)
FUSIONS = ('paste', 'add', 'max', LEARNED)
PRECISIONS = ('default', 'float32')
STAGES = 'stages'
ONE_GRAPH = 'one_graph'
EXECUTIONS = (STAGES, ONE_GRAPH)


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmenterSettings:
    """What may change between two frames.

    Attributes:
        regions: largest number of regions that stage 2 refines; 0 is coarse only.
        threshold: a pixel is vehicle where its probability is above this, in (0, 1).
        refine_below: regions are refined only while their confidence is below this, in [0, 1].
        fusion: how refined and coarse logits are merged: 'paste' replaces (the paper), 'add' sums
            the two as independent evidence, 'max' keeps what either stage sees, 'learned' looks
            the merged logit up in the bundle's table.

    Raises:
        ConfigError: a value is out of range.
    """

    regions: int
    threshold: float = 0.5
    refine_below: float = 1.0
    fusion: str = 'paste'

    def __post_init__(self) -> None:
        """Check the ranges."""
        if self.regions < 0:
            raise ConfigError(f'regions is {self.regions}; expected 0 (coarse only) or more')
        if not 0.0 < self.threshold < 1.0:
            raise ConfigError(f'threshold is {self.threshold}; expected above 0 and below 1')
        if not 0.0 <= self.refine_below <= 1.0:
            raise ConfigError(f'refine_below is {self.refine_below}; expected 0 to 1')
        _check_choice('fusion', self.fusion, FUSIONS)


@dataclass(frozen=True, slots=True, kw_only=True)
class RecommendedSettings(SegmenterSettings):
    """What a bundle recommends: settings, and what is fixed once the networks are opened.

    Attributes:
        selector: how regions are chosen, see `PipelineConfig`.

    Raises:
        ConfigError: a value is out of range.
    """

    selector: str = DEFAULT_SELECTOR

    def __post_init__(self) -> None:
        """Check the ranges."""
        # A class with slots is made twice, so that super() without arguments finds the wrong one.
        SegmenterSettings.__post_init__(self)
        _check_choice('selector', self.selector, SELECTORS)


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineConfig:
    """How to run a bundle. None leaves a value to the bundle's recommendation.

    Attributes:
        regions: see `SegmenterSettings`.
        threshold: see `SegmenterSettings`.
        refine_below: see `SegmenterSettings`.
        fusion: see `SegmenterSettings`.
        preset: 'paper' takes the paper's settings where nothing else is said, not the bundle's.
        selector: how regions are chosen, see `chosen_selector`; 'grid' is the paper's, and that of
            bundles that recommend none.
        backend: 'auto', or the one backend to use.
        threads: CPU threads of one network; 0 leaves the choice to the backend.
        precision: 'default' for the backend's fastest arithmetic, 'float32' for exact FP32.
        execution: 'stages' runs one network after the other, with the host's steps between them;
            'one_graph' joins both and all the steps to one graph per frame size.

    Raises:
        ConfigError: a value is not one of its choices or out of range.
    """

    regions: int | None = None
    threshold: float | None = None
    refine_below: float = 1.0
    fusion: str | None = None
    preset: str | None = None
    selector: str | None = None
    backend: str = 'auto'
    threads: int = 0
    precision: str = 'default'
    execution: str = STAGES

    def __post_init__(self) -> None:
        """Check what can be checked without a bundle."""
        if self.preset is not None:
            _check_choice('preset', self.preset, PRESETS)
        _check_choice('selector', self.chosen_selector(DEFAULT_SELECTOR), SELECTORS)
        _check_choice('precision', self.precision, PRECISIONS)
        _check_choice('execution', self.execution, EXECUTIONS)
        if self.threads < 0:
            raise ConfigError(f'threads is {self.threads}; expected 0 (automatic) or more')
        if self.execution == ONE_GRAPH and self.chosen_selector(DEFAULT_SELECTOR) != GRID:
            raise ConfigError(
                f'selector is {self.selector!r} and execution is {ONE_GRAPH}, whose graph ranks '
                f'the cells of the grid; expected selector {GRID}, or execution {STAGES}'
            )
        SegmenterSettings(
            regions=0 if self.regions is None else self.regions,
            threshold=0.5 if self.threshold is None else self.threshold,
            refine_below=self.refine_below,
            fusion='paste' if self.fusion is None else self.fusion,
        )

    def chosen_selector(self, recommended: str) -> str:
        """Tell which selector is used.

        Args:
            recommended: the bundle's.

        Returns:
            What was asked for; else 'grid' where preset or execution imply it; else the bundle's.
        """
        if self.selector is not None:
            return self.selector
        return GRID if self.preset == PAPER or self.execution == ONE_GRAPH else recommended


def _check_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ConfigError(f'{name} is {value!r}; expected one of {", ".join(choices)}')
