"""A training set of red blocks and a recipe small enough to train in seconds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from stseg_ros.training.processes import Processes

RECIPE = """\
name: tiny
regions: 2
geometry: {working_hw: [128, 256], coarse_factor: 8, grid: [2, 4], max_regions: 8}
sources:
  - {dataset: camvid, weight: 1.0, dev: ['held_*']}
coarse:
  network: {width: 8, norm: none}
  steps: 60
  batch: 8
  learning_rate: 1.0e-2
  warmup_steps: 5
  supervise_at: 2
  dev_every: 30
refine:
  network: {width: 8, norm: batch}
  steps: 100
  batch: 8
  learning_rate: 1.0e-2
  warmup_steps: 5
  dev_every: 100
"""

WHOLE = """\
whole:
  network: {width: 8, norm: batch}
  view_hw: [64, 128]
  steps: 60
  batch: 8
  optimizer: adam
  schedule: constant
  learning_rate: 1.0e-2
  warmup_steps: 0
  weight_decay: 0.0
  ema: 0.9
  dev_every: 20
export: best
"""


def alone() -> Processes:
    """Return the place of a process that trains by itself, on the CPU."""
    from stseg_ros.training.arithmetic import choose_arithmetic
    from stseg_ros.training.processes import Processes

    return Processes(rank=0, count=1, arithmetic=choose_arithmetic('cpu'))


def write_recipe(folder: Path, text: str = RECIPE) -> Path:
    """Write the recipe and return its path."""
    path = folder / 'recipe.yaml'
    path.write_text(text)
    return path


def red_block_image(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Draw one red block on grey noise: image (96, 128, 3) BGR and CamVid label ids (96, 128)."""
    image_bgr = rng.integers(90, 130, (96, 128, 3), dtype=np.uint8)
    label_hw = np.full((96, 128), 3, np.uint8)
    top, left = int(rng.integers(0, 56)), int(rng.integers(0, 88))
    image_bgr[top : top + 40, left : left + 40] = (30, 30, 220)
    label_hw[top : top + 40, left : left + 40] = 8
    return image_bgr, label_hw


def write_camvid(root: Path) -> Path:
    """Write 8 training images, 2 of them to be held out, and 2 validation images, as CamVid."""
    rng = np.random.default_rng(0)
    names = [('train', f'drive_{index}') for index in range(6)]
    names += [('train', 'held_0'), ('train', 'held_1'), ('val', 'val_0'), ('val', 'val_1')]
    for split, name in names:
        for folder in (split, f'{split}annot'):
            (root / 'camvid' / folder).mkdir(parents=True, exist_ok=True)
        image_bgr, label_hw = red_block_image(rng)
        cv2.imwrite(str(root / 'camvid' / split / f'{name}.png'), image_bgr)
        cv2.imwrite(str(root / 'camvid' / f'{split}annot' / f'{name}.png'), label_hw)
    return root
