"""The one place that wires a bundle, settings and engines into a segmenter."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from stseg_ros.bundle import Geometry, ModelBundle
from stseg_ros.config import (
    LEARNED,
    ONE_GRAPH,
    PAPER,
    PipelineConfig,
    SegmenterSettings,
)
from stseg_ros.engines.backends import EnginePair, open_best, open_graph, open_pair
from stseg_ros.engines.engine_protocol import EngineOptions, TensorSpec
from stseg_ros.errors import BundleError, ConfigError, EngineError
from stseg_ros.frame_graph.opener import graph_opener
from stseg_ros.pipeline.merge_table import MergeTable
from stseg_ros.pipeline.one_graph import OneGraphSegmenter
from stseg_ros.pipeline.segmenter import Segmenter
from stseg_ros.pipeline.selectors.cell_gain import CellGain
from stseg_ros.pipeline.selectors.choice import make_selector
from stseg_ros.pipeline.selectors.region_selector import RegionSelector
from stseg_ros.pipeline.two_stage import TwoStageSegmenter


class PairOpener(Protocol):
    """What `stseg_ros.engines.backends.open_pair` does, or does for several users at once."""

    def __call__(
        self, coarse_path: Path, refine_path: Path, *, backend: str, options: EngineOptions
    ) -> EnginePair:
        """See `open_pair`."""
        ...


def open_segmenter(
    bundle: ModelBundle,
    config: PipelineConfig,
    *,
    progress: Callable[[float, str], None] | None = None,
    stop: Callable[[], bool] | None = None,
    open_networks: PairOpener = open_pair,
) -> Segmenter:
    """Open a bundle's networks and make a segmenter of them.

    Args:
        bundle: the verified bundle.
        config: how to run it; what it leaves open is taken from the bundle's recommendation.
        progress: told the share done, 0 to 1 for each network, and the phase, where the backend
            has to build its engines first.
        stop: asked several times a second meanwhile; True gives up.
        open_networks: opens the two networks where they run in stages, each as itself.

    Returns:
        The segmenter, warmed up.

    Raises:
        ConfigError: a setting does not fit the bundle.
        BundleError: the networks do not fit the bundle's geometry.
        EngineError: no backend opens the networks, or `stop` ended it.
    """
    geometry = bundle.geometry
    settings = resolve_settings(bundle, config)
    options = EngineOptions(
        threads=config.threads,
        precision=config.precision,
        max_batch=geometry.max_regions,
        # The bundle's own, whatever is asked for: plans built beforehand then fit.
        usual_batch=bundle.manifest.recommended.regions,
        progress=progress,
        stop=stop,
    )
    if config.execution == ONE_GRAPH:
        return _open_one_graph(bundle, config, settings, options)
    selector = open_selector(bundle, config)
    merge_path = bundle.merge_path
    merge_table = None if merge_path is None else MergeTable.read(merge_path)
    engines = open_networks(
        bundle.coarse_path, bundle.refine_path, backend=config.backend, options=options
    )
    try:
        _check_networks(bundle, geometry, engines)
        segmenter = TwoStageSegmenter(
            geometry=geometry,
            engines=engines,
            selector=selector,
            settings=settings,
            merge_table=merge_table,
        )
        segmenter.warm_up()
    except Exception:
        # What closing says after a failure is of no more use than the failure.
        with suppress(EngineError):
            engines.close()
        raise
    return segmenter


def _open_one_graph(
    bundle: ModelBundle,
    config: PipelineConfig,
    settings: SegmenterSettings,
    options: EngineOptions,
) -> OneGraphSegmenter:
    """Open a bundle as one graph; the first frame of each size waits for its graph."""

    def open_on(name: str) -> OneGraphSegmenter:
        return OneGraphSegmenter(
            geometry=bundle.geometry,
            open_graph=graph_opener(bundle, lambda model: open_graph(name, model, options)),
            settings=settings,
        )

    segmenter, note = open_best(
        config.backend, open_on, device_of=lambda opened: opened.device, stop=options.stop
    )
    segmenter.backend_note = f'one graph by {note}'
    try:
        segmenter.warm_up()
    except Exception:
        with suppress(EngineError):
            segmenter.close()
        raise
    return segmenter


def resolve_settings(bundle: ModelBundle, config: PipelineConfig) -> SegmenterSettings:
    """Fill what a configuration leaves open with its preset, or the bundle's recommendation.

    Args:
        bundle: the bundle.
        config: how to run it.

    Returns:
        Complete settings.

    Raises:
        ConfigError: a value is out of range, or the fusion is one that the bundle has not learned.
    """
    recommended: SegmenterSettings = bundle.manifest.recommended
    if config.preset == PAPER:
        recommended = paper_settings(bundle.geometry)
    settings = SegmenterSettings(
        regions=recommended.regions if config.regions is None else config.regions,
        threshold=recommended.threshold if config.threshold is None else config.threshold,
        refine_below=config.refine_below,
        fusion=recommended.fusion if config.fusion is None else config.fusion,
    )
    if settings.fusion == LEARNED and bundle.merge_path is None:
        raise _not_learned('fusion', bundle, 'paste, add or max')
    return settings


def resolve_selector(bundle: ModelBundle, config: PipelineConfig) -> str:
    """Tell which selector chooses the regions.

    Args:
        bundle: the bundle.
        config: how to run it.

    Returns:
        One of `stseg_ros.config.SELECTORS`.

    Raises:
        ConfigError: it is 'learned', and the bundle has learned none.
    """
    selector = config.chosen_selector(bundle.manifest.recommended.selector)
    if selector == LEARNED and bundle.selector_path is None:
        raise _not_learned('selector', bundle, 'grid or another')
    return selector


def open_selector(bundle: ModelBundle, config: PipelineConfig) -> RegionSelector:
    """Make the selector of one camera, with what the bundle has learned for it.

    Args:
        bundle: the bundle.
        config: how to run it.

    Returns:
        The selector.

    Raises:
        ConfigError: it is 'learned', and the bundle has learned none.
        BundleError: what the bundle has learned cannot be read.
    """
    name = resolve_selector(bundle, config)
    path = bundle.selector_path
    gain = CellGain.read(path) if name == LEARNED and path is not None else None
    return make_selector(name, bundle.geometry, gain)


def _not_learned(setting: str, bundle: ModelBundle, others: str) -> ConfigError:
    return ConfigError(
        f'{setting} is {LEARNED}, but bundle {bundle.name} has learned none; expected {others}, '
        'or a bundle made by `stseg export --learn`'
    )


def paper_settings(geometry: Geometry) -> SegmenterSettings:
    """Tell how the paper would run a bundle; its selector is 'grid'.

    Paper: its grid has N_p rows and columns, of which N_p cells are refined. A grid that is not
    square has the root of its number of cells for N_p, so that about the same share is refined.

    Args:
        geometry: the bundle's sizes.

    Returns:
        N_p regions, pasted, a threshold of 0.5.
    """
    cells = geometry.grid[0] * geometry.grid[1]
    regions = min(round(math.sqrt(cells)), geometry.max_regions)
    return SegmenterSettings(regions=regions, threshold=0.5, fusion='paste')


def _check_networks(bundle: ModelBundle, geometry: Geometry, engines: EnginePair) -> None:
    """Hold the opened networks against the manifest.

    Raises:
        BundleError: an input or output differs from what the geometry asks for.
    """
    region_hw, coarse_output = geometry.region_hw, geometry.coarse_output
    for path, engine, taken, given in (
        (bundle.coarse_path, engines.coarse, (1, *geometry.coarse_hw, 3), coarse_output),
        (
            bundle.refine_path,
            engines.refine,
            (None, *region_hw, geometry.refine_channels),
            (None, *region_hw),
        ),
    ):
        expected = (
            TensorSpec(name='', shape=taken, dtype='uint8'),
            TensorSpec(name='', shape=given, dtype='float32'),
        )
        for side, spec, wanted in zip(
            ('input', 'output'), (engine.input, engine.output), expected, strict=True
        ):
            if (spec.shape, spec.dtype) != (wanted.shape, wanted.dtype):
                raise BundleError(
                    f'{path}: {side} {spec.name!r} is {_describe(spec)}, '
                    f'the geometry in bundle.yaml asks for {_describe(wanted)}'
                )


def _describe(spec: TensorSpec) -> str:
    return spec.dtype + ' ' + 'x'.join('N' if axis is None else str(axis) for axis in spec.shape)
