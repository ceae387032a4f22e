"""What a bundle's manifest says of where its networks come from."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stseg_ros.measure.compute_cost import network_cost
from stseg_ros.networks.image_network import ImageNetwork
from stseg_ros.training.export_parity import BOUNDS, NetworkParity
from stseg_ros.training.recipe import Recipe, SourceConfig

_METHOD = 'Teixeira e Silva et al., Two-stage Semantic Segmentation in Neural Networks, 2022'

# Of what a run noted; the rest, such as the command line, is of the machine it ran on.
_STAGE_FACTS = ('seed', 'steps', 'minutes', 'arithmetic', 'processes')
_ENVIRONMENT_FACTS = ('commit', 'python', 'torch', 'cpu', 'gpu')


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ExportedNetwork:
    """One network, exported and checked.

    Attributes:
        model: the trained network.
        facts: what the trainer kept with its weights.
        path: the ONNX file.
        parity: what the check found.
    """

    model: ImageNetwork
    facts: dict[str, Any]
    path: Path
    parity: NetworkParity


def describe_provenance(
    recipe: Recipe,
    run_facts: Mapping[str, Any],
    networks: Mapping[str, ExportedNetwork],
    precision: str,
) -> dict[str, Any]:
    """Collect where a bundle comes from.

    Args:
        recipe: of the run.
        run_facts: what the run noted, see `run_plan.read_facts`.
        networks: by stage.
        precision: of the export.

    Returns:
        Plain values without the names of machines or folders.
    """
    return {
        'method': _METHOD,
        'precision': precision,
        'weights': recipe.export,
        'sources': _sources(recipe, run_facts['refine']),
        'networks': {
            stage: _network(recipe, run_facts, stage, network)
            for stage, network in networks.items()
        },
        **_features(run_facts),
        'parity_bounds': dataclasses.asdict(BOUNDS[precision]),
        'parity': {stage: network.parity.as_mapping() for stage, network in networks.items()},
    }


def left_out_words(source: SourceConfig) -> str:
    """Say in few words what a source keeps from training altogether.

    Args:
        source: a source of a recipe.

    Returns:
        Its patterns or its share; empty for nothing.
    """
    if source.leave_out_share:
        unit = {'scene': 'scenes', 'image': 'images'}[source.split_by]
        return f'{source.leave_out_share:.0%} by whole {unit}'
    return ', '.join(source.leave_out)


def _features(run_facts: Mapping[str, Any]) -> dict[str, Any]:
    """Say how much of each feature other networks tell, if stage 1 gives some."""
    return {'features': run_facts['features']} if 'features' in run_facts else {}


def _sources(recipe: Recipe, facts: Mapping[str, Any]) -> list[dict[str, Any]]:
    described = []
    for source in recipe.sources:
        row = {
            'dataset': source.dataset,
            'name': source.name,
            'images': facts['images'][source.name],
            'held_out': facts['held_out_images'].get(source.name, 0),
            'left_out': left_out_words(source),
            'weight': source.weight,
        }
        described.append({key: value for key, value in row.items() if value not in ('', 0)})
    return described


def _network(
    recipe: Recipe, run_facts: Mapping[str, Any], stage: str, network: ExportedNetwork
) -> dict[str, Any]:
    config = recipe.stage(stage)
    dice = round(network.facts['dev_dice'], 4)
    environment = run_facts[f'environment_{stage}']
    noted = {name: run_facts[stage].get(name) for name in _STAGE_FACTS}
    noted |= {name: environment.get(name) for name in _ENVIRONMENT_FACTS}
    return {
        **dataclasses.asdict(config.network),
        'parameters': sum(weight.numel() for weight in network.model.parameters()),
        'macs': round(network_cost(network.path).macs),
        'loss': config.loss,
        'batch': config.batch,
        'ema': config.ema,
        'exported_step': network.facts['step'],
        **({'held_out_dice_alone': dice} if run_facts[stage]['held_out_images'] else {}),
        **{name: value for name, value in noted.items() if value is not None},
    }
