"""A training run to a bundle: its networks as ONNX, checked against PyTorch."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Mapping
from pathlib import Path

from stseg_ros.bundle import (
    SCHEMA,
    Geometry,
    Manifest,
    ModelBundle,
    NetworkFile,
    Networks,
    file_sha256,
    write_manifest,
)
from stseg_ros.config import RecommendedSettings
from stseg_ros.errors import StsegError
from stseg_ros.measure.learned.learn import MERGE_FILE, SELECTOR_FILE
from stseg_ros.networks.image_network import ImageNetwork
from stseg_ros.records import UInt8Array
from stseg_ros.training.export_onnx import HALF_WEIGHTS, export_network
from stseg_ros.training.export_parity import check_parity, network_inputs
from stseg_ros.training.export_provenance import ExportedNetwork, describe_provenance
from stseg_ros.training.recipe import Recipe, load_recipe
from stseg_ros.training.run_files import checkpoint_path, features_path, load_checkpoint
from stseg_ros.training.run_plan import RECIPE, facts_or_none, read_facts

# What the node runs; the baseline is only there to compare with.
_STAGES = ('coarse', 'refine')
_BASELINE = 'whole'


def has_whole(run_dir: Path) -> bool:
    """Say whether a run has trained the whole-frame baseline to its end.

    Args:
        run_dir: folder that `stseg train` wrote.

    Returns:
        True if `export_run` exports it.

    Raises:
        ConfigError: the run's recipe cannot be read.
    """
    stages = load_recipe(run_dir / RECIPE).stages
    return _BASELINE in stages and _BASELINE in facts_or_none(run_dir)


def export_run(
    run_dir: Path,
    bundle_dir: Path,
    images_hwc: list[UInt8Array],
    *,
    precision: str = HALF_WEIGHTS,
) -> ModelBundle:
    """Write the bundle of a run, with default settings and no scores yet.

    The whole-frame baseline is in it where it was trained to its end, see `drop_whole`.

    Args:
        run_dir: folder that `stseg train` wrote.
        bundle_dir: folder to write; made if missing, and left as it was if the export fails.
        images_hwc: (H, W, 3) uint8 RGB on which all engines must agree; at least one, real.
        precision: see `export_onnx.export_network`.

    Returns:
        The bundle, verified.

    Raises:
        DataError: a stage is not trained to its end.
        StsegError: a checkpoint is missing or does not fit the recipe, or an engine disagrees
            with PyTorch.
    """
    recipe = load_recipe(run_dir / RECIPE)
    stages = (*_STAGES, _BASELINE) if has_whole(run_dir) else _STAGES
    loaded = {stage: load_checkpoint(_exported_path(recipe, run_dir, stage)) for stage in stages}
    run_facts = read_facts(run_dir, stages)
    models = {stage: model for stage, (model, _) in loaded.items()}
    _check_channels(models, recipe.geometry, run_dir)
    inputs = network_inputs(models, images_hwc, recipe.geometry)
    bundle_dir.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix='.export_', dir=bundle_dir.parent) as folder:
        networks = {}
        for stage, (model, facts) in loaded.items():
            path = Path(folder) / f'{stage}.onnx'
            size_hw, max_batch = _input_of(stage, recipe.geometry)
            export_network(model, path, size_hw, max_batch=max_batch, precision=precision)
            parity = check_parity(model, path, inputs[stage], precision)
            networks[stage] = ExportedNetwork(model=model, facts=facts, path=path, parity=parity)
        provenance = describe_provenance(recipe, run_facts, networks, precision)
        files = _move({stage: network.path for stage, network in networks.items()}, bundle_dir)
    write_manifest(bundle_dir, _manifest(recipe, files, provenance))
    return ModelBundle.read(bundle_dir)


def drop_whole(bundle: ModelBundle) -> ModelBundle:
    """Take the whole-frame baseline out of a bundle; what is said of it stays.

    Args:
        bundle: one that has it.

    Returns:
        The bundle without it.
    """
    path = bundle.whole_path
    assert path is not None
    networks = dataclasses.replace(bundle.manifest.networks, whole=None)
    write_manifest(bundle.root, dataclasses.replace(bundle.manifest, networks=networks))
    path.unlink()
    return ModelBundle.read(bundle.root)


def _exported_path(recipe: Recipe, run_dir: Path, stage: str) -> Path:
    """Name the weights of a stage: of the coarse one those with features, if it gives some."""
    path_of = checkpoint_path
    if stage == 'coarse' and recipe.geometry.prior_features:
        path_of = features_path
    return path_of(run_dir, stage, recipe.export)


def _check_channels(models: Mapping[str, ImageNetwork], geometry: Geometry, run_dir: Path) -> None:
    """Hold what stage 1 gives and stage 2 takes against the recipe.

    Raises:
        StsegError: they differ.
    """
    if models['refine'].inputs != geometry.refine_channels:
        raise StsegError(
            f'{run_dir}: the refine network takes {models["refine"].inputs} channels, '
            f'geometry.prior asks for {geometry.refine_channels}; train that stage again'
        )
    if models['coarse'].features != geometry.prior_features:
        raise StsegError(
            f'{run_dir}: the coarse network gives {models["coarse"].features} features, '
            f'geometry.prior_features asks for {geometry.prior_features}; train refine again'
        )


def _input_of(stage: str, geometry: Geometry) -> tuple[tuple[int, int], int]:
    """Return height and width of a network's input, and its largest batch."""
    if stage == 'refine':
        return geometry.region_hw, geometry.max_regions
    return (geometry.working_hw if stage == _BASELINE else geometry.coarse_hw), 1


def _move(paths: Mapping[str, Path], bundle_dir: Path) -> dict[str, NetworkFile]:
    """Put the networks where they belong, in place of those of an earlier export."""
    bundle_dir.mkdir(exist_ok=True)
    for name in (f'{_BASELINE}.onnx', MERGE_FILE, SELECTOR_FILE):
        (bundle_dir / name).unlink(missing_ok=True)
    files = {}
    for stage, path in paths.items():
        target = path.replace(bundle_dir / path.name)
        files[stage] = NetworkFile(file=target.name, sha256=file_sha256(target))
    return files


def _manifest(
    recipe: Recipe, files: Mapping[str, NetworkFile], provenance: dict[str, object]
) -> Manifest:
    # A refine network that sees the coarse logits has taken them into account already.
    fusion = 'paste' if recipe.geometry.prior else 'add'
    return Manifest(
        schema=SCHEMA,
        name=recipe.name,
        classes=('background', 'vehicle'),
        geometry=recipe.geometry,
        recommended=RecommendedSettings(
            regions=recipe.regions, fusion=fusion, selector=recipe.selector
        ),
        networks=Networks(**files),
        provenance=provenance,
    )
