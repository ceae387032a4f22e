"""A finished training run made by hand: what `stseg train` leaves, without training."""

from __future__ import annotations

from pathlib import Path

import torch
import yaml

from stseg_ros.networks.architectures import NetworkConfig, build_network
from stseg_ros.networks.image_network import ImageNetwork
from stseg_ros.training.run_files import save_checkpoint

STAGES = ('coarse', 'refine', 'whole')
RECIPE = """\
name: hand_made
regions: 2
geometry: {{working_hw: [128, 256], coarse_factor: 8, grid: [2, 4], max_regions: 8{more}}}
sources:
  - {{dataset: camvid, weight: 1.0, dev: ['held_*'], leave_out: ['drive_0', 'drive_1']}}
coarse: &stage
  network: {{architecture: residual_fpn, width: 8, norm: batch}}
  steps: 9
  batch: 4
  ema: 0.99
refine: *stage
whole: *stage
"""
NETWORK = NetworkConfig(architecture='residual_fpn', width=8, norm='batch')


def quiet_network(seed: int, network: NetworkConfig = NETWORK) -> ImageNetwork:
    """Build a network of random weights whose logits are clearly off zero."""
    torch.manual_seed(seed)
    model = ImageNetwork(build_network(network))
    # Logits of random weights are all near zero, where the least rounding turns labels over.
    torch.nn.init.constant_(model.network.head.bias, -1.0)
    return model.eval()


def write_run(
    root: Path, data_root: Path, stages: tuple[str, ...] = STAGES, *, more: str = ''
) -> Path:
    """Write a run with the given finished stages, and return its folder.

    `more` goes into the recipe's geometry.
    """
    root.mkdir(parents=True)
    (root / 'recipe.yaml').write_text(RECIPE.format(more=more))
    facts: dict[str, object] = {'data_root': str(data_root)}
    for seed, stage in enumerate(stages):
        model = quiet_network(seed)
        for name in (f'{stage}.pt', f'{stage}.best.pt'):
            save_checkpoint(root / name, model, NETWORK, stage=stage, step=7, dev_dice=0.5)
        facts[f'environment_{stage}'] = {
            'command': 'stseg train /secret/place',
            'host': 'secret_host',
            'commit': 'c0ffee',
            'python': '3.10.0',
            'torch': '2.0',
            'gpu': None,
        }
        facts[stage] = {
            'seed': 3,
            'steps': 9,
            'minutes': 1.5,
            'images': {'camvid': 5},
            'held_out_images': {'camvid': 2},
            'arithmetic': 'float32',
            'threads': 2,
        }
    (root / 'run.yaml').write_text(yaml.safe_dump(facts))
    return root
