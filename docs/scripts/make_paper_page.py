"""Train the paper's recipe for each N_p and seed, score it, and write docs/results/paper.md.

    python docs/scripts/make_paper_page.py --data ~/data --runs runs --seeds 0 1 2
    python docs/scripts/make_paper_page.py --data ~/data --runs runs --seeds 0 1 2 --small

The whole table is a day's work for a GPU: choose `--parts` and `--share` by what the machine can
do, or take `--small`, about an hour for three seeds on two CPU cores. Finished runs are
not trained again, and what was scored earlier stays in the page, so that it can be filled bit by
bit. Needs requirements/train.txt.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from stseg_ros.cli import main as stseg
from stseg_ros.measure.seed_report import Spread

DOCS = Path(__file__).parents[1]
RECIPE = DOCS.parent / 'config' / 'train' / 'paper_camvid.yaml'
PAGE = DOCS / 'results' / 'paper.md'
RECORD = PAGE.with_suffix('.json')
PARTS = (2, 4, 8, 16)
# The coarse network is the same one, on so many times fewer pixels in each axis.
COARSE_FACTOR = 8
# In steps: scoring the held-out images costs as much as many of them.
DEV_EVERY = 1000
FULL_HI_SIZE, SMALL_HI_SIZE = 512, 256
SMALL_BATCH = 16
SMALL_STEPS = {'coarse': 1200, 'refine': 600, 'whole': 300}
# The baseline is the refine network of the largest parts, trained on with whole frames.
WHOLE_OF = min(PARTS)

INTRODUCTION = """\
# The paper's recipe on CamVid

Written by `docs/scripts/make_paper_page.py`; the figures are in `paper.json`. The recipe is
`config/train/paper_camvid.yaml`, after Teixeira e Silva et al., ICMV 2022: their U-Net with
18.84 M parameters, their losses, augmentation, optimiser and learning rate, images resized to
hi_size x hi_size, and a grid of N_p x N_p cells, of which the N_p least confident are refined and
pasted. Dice is pooled over all pixels of CamVid val at a threshold of 0.5 and at the images' own
size; it is the mean over the seeds, with the lowest and the highest in brackets. `saved` is the
part of the multiply-accumulates of the same network on the whole frame that two stages do without.

The data set is not the paper's, which has KITTI, BDD100K and four biomedical ones: of KITTI and
BDD100K too few labelled images are at hand to train on.
"""

SMALL_INTRODUCTION = f"""\
## hi_size 256, the paper's smallest (BOWL2018)

Cut to what two CPU cores train in an hour: batches of {SMALL_BATCH} instead of 64,
{SMALL_STEPS['coarse']} steps for the coarse network and {SMALL_STEPS['refine']} for each refine
network. The baseline is the refine network of N_p = {WHOLE_OF}, which knows the same scale, with
{SMALL_STEPS['whole']} more steps on whole frames; each seed has one, whatever N_p is.
"""

FULL_INTRODUCTION = """\
## hi_size 512, the paper's for KITTI

With the paper's batch of 64 and its epochs; where those of the refine network were cut, the table
says to which share. The baseline takes about three hours for each seed on two CPU cores: it wants
a GPU.
"""

DIFFERENCES = """\
## Where this differs from the paper, and why

The paper reports savings of 50 to 80 % and a Dice 0.06 below the baseline's, on average. The
savings are geometry: 48, 73, 86 and 88 to 92 % for N_p = 2, 4, 8 and 16. The Dice differs: at
hi_size 256 only N_p = 2 comes near, and N_p = 8 loses most.

- **Context.** A refined cell is pasted, whatever it says, and the refine network sees nothing but
  the cell. Where that shows only part of a car, it says "no vehicle": at hi_size 256, from coarse
  only to N_p = 8, recall falls from 0.74 to 0.25 while precision rises from 0.42 to 0.75. The
  cells' size alone does not decide: at hi_size 512, trained with the paper's batches, two stages
  gain over coarse only in five of six runs, with cells of 32x32 too (N_p = 16). The
  [study](study.md) shows the same with another network: pasting loses, adding the logits of both
  stages gains.
- **Effort.** At 256 a refine network trains for 600 steps of 16 cells, where the paper's recipe
  has on this data about 5700 of 64. With cells of 16x16 (N_p = 16) it has learned
  nothing by then: its Dice on the held-out cells is 0.
- **The measure.** The authors' code reports a soft Dice; here it is hard, and pooled over all
  pixels. That is not the cause: by soft Dice N_p = 2 loses 0.096 to the baseline, not 0.066.
- **The cells' order.** The authors' code ranks cells by logits; here it is by probabilities, as
  the paper says. Which cells come first decides little, see [study](study.md).
- **The baseline** starts from the refine network of N_p = 2 at 256; the paper trains it alone.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How much of the recipe is trained.

    Attributes:
        hi_size: the frame's side, pixels.
        share: of the paper's epochs of refine and whole, where `steps` is empty.
        batch: images per step.
        steps: optimiser steps by stage; empty takes the paper's epochs.
    """

    hi_size: int
    share: float
    batch: int
    steps: Mapping[str, int]

    def recipe(self, parts: int, folder: Path) -> Path:
        """Write the recipe of one N_p."""
        recipe: dict[str, Any] = yaml.safe_load(RECIPE.read_text(encoding='utf-8'))
        recipe['regions'] = parts
        recipe['geometry'] |= {
            'working_hw': [self.hi_size, self.hi_size],
            'grid': [parts, parts],
            'max_regions': parts,
        }
        for stage in ('coarse', 'refine', 'whole'):
            part = recipe[stage]
            part['batch'] = self.batch
            if self.steps:
                del part['epochs']
                part |= {'steps': self.steps[stage], 'dev_every': self.steps[stage] // 2}
            elif stage != 'coarse':
                part |= {'epochs': max(1, round(part['epochs'] * self.share))}
                part |= {'dev_every': DEV_EVERY}
        if self.steps:
            recipe['whole']['start_from'] = 'refine'
        path = folder / f'paper_camvid_{self.hi_size}_{parts}.yaml'
        path.write_text(yaml.safe_dump(recipe, sort_keys=False), encoding='utf-8')
        return path

    def note(self) -> dict[str, Any]:
        """Say for the record what was cut."""
        return {'steps': dict(self.steps)} if self.steps else {'share': self.share}


def share_coarse(run: Path) -> None:
    """Give a run the coarse network of another N_p, on which that network does not depend."""
    pattern = run.name.rpartition('_')[0] + '_*/coarse.pt'
    first = next(iter(sorted(run.parent.glob(pattern))), None)
    if first is None or run.is_dir():
        return
    run.mkdir()
    facts = yaml.safe_load((first.parent / 'run.yaml').read_text(encoding='utf-8'))
    own = {name: facts[name] for name in ('data_root', 'environment_coarse', 'coarse')}
    (run / 'run.yaml').write_text(yaml.safe_dump(own, sort_keys=False), encoding='utf-8')
    for path in first.parent.glob('coarse*.pt'):
        shutil.copy(path, run)


def check(status: int) -> None:
    """Stop where a verb failed; it has said why."""
    if status:
        sys.exit(status)


def read_record() -> dict[str, Any]:
    """Read what was scored so far: by hi_size, N_p and seed."""
    record: dict[str, Any] = {}
    if RECORD.is_file():
        record = json.loads(RECORD.read_text(encoding='utf-8'))
    return record


def train_and_score(parts: int, seed: int, plan: Plan, arguments: argparse.Namespace) -> None:
    """Train one N_p with one seed, and note the scores."""
    run: Path = arguments.runs / f'paper{plan.hi_size}_seed{seed}_{parts}'
    share_coarse(run)
    with_whole = arguments.whole or (bool(plan.steps) and parts == WHOLE_OF)
    stages = ['coarse', 'refine', *(['whole'] if with_whole else [])]
    recipe = plan.recipe(parts, arguments.runs)
    command = ['train', str(recipe), '--data', str(arguments.data), '--output', str(run)]
    check(stseg([*command, f'--seed={seed}', '--resume', '--stage', *stages]))
    camvid = ['--dataset', 'camvid', '--data', str(arguments.data / 'camvid'), '--split', 'val']
    scores = run / 'val.json'
    how = ['--threshold', '0.5', '--fusion', 'paste', '--regions', str(parts)]
    check(stseg(['evaluate', '--run', str(run), *camvid, *how, '--json', str(scores)]))
    record = read_record()
    by_seed = record.setdefault(str(plan.hi_size), {}).setdefault(str(parts), {})
    results = json.loads(scores.read_text(encoding='utf-8'))['results']
    by_seed[str(seed)] = plan.note() | {'results': results}
    RECORD.write_text(json.dumps(record, indent=1) + '\n', encoding='utf-8')


def by_seed_of(by_seed: dict[str, Any], mode: str, figure: str) -> dict[str, float]:
    """Collect one mode's Dice, or another figure."""
    return {
        seed: row[figure]
        for seed, scored in by_seed.items()
        for row in scored['results']
        if row['mode'] == mode
    }


def spread(dice: dict[str, float]) -> str:
    """Write the mean over the seeds with the lowest and the highest."""
    return str(Spread(values=tuple(dice.values()))) if dice else 'not trained'


def table(by_parts: dict[str, Any]) -> str:
    """Write what was scored with one hi_size."""
    columns = ('N_p', 'seeds', 'epochs of refine', 'coarse only', 'two-stage', 'its recall',
               'its precision', 'saved')  # fmt: skip
    lines = [
        f'| {" | ".join(columns)} |',
        '| --- ' * len(columns) + '|',
    ]
    for parts, by_seed in sorted(by_parts.items(), key=lambda item: int(item[0])):
        rows = next(iter(by_seed.values()))['results']
        macs = {row['mode']: row['macs'] for row in rows}
        # Not the sum of all cells: those of 16x16 are halved to less than a pixel, and cost more.
        saved = 1.0 - macs['two_stage'] / (macs['coarse'] * COARSE_FACTOR**2)
        shares = {scored.get('share') for scored in by_seed.values()}
        cut = ', '.join('see above' if share is None else f'{share:g}' for share in shares)
        coarse, fine = (
            spread(by_seed_of(by_seed, mode, 'dice')) for mode in ('coarse', 'two_stage')
        )
        kinds = (
            spread(by_seed_of(by_seed, 'two_stage', name)) for name in ('recall', 'precision')
        )
        cells = (parts, ', '.join(by_seed), cut, coarse, fine, *kinds, f'{saved:.0%}')
        lines.append(f'| {" | ".join(cells)} |')
    return '\n'.join(lines) + '\n'


def whole_dice(by_parts: dict[str, Any]) -> dict[str, float]:
    """Collect the baseline's Dice by seed, with whichever N_p it was scored."""
    found: dict[str, float] = {}
    for by_seed in by_parts.values():
        found |= by_seed_of(by_seed, 'whole', 'dice')
    return found


def gains(by_parts: dict[str, Any]) -> str:
    """Write what two stages gain over the others, seed by seed."""
    whole = whole_dice(by_parts)
    lines = [f'The whole frame: {spread(whole)}.\n\nTwo stages against the others, by seed:\n']
    for parts, by_seed in sorted(by_parts.items(), key=lambda item: int(item[0])):
        fine = by_seed_of(by_seed, 'two_stage', 'dice')
        against = {'coarse only': by_seed_of(by_seed, 'coarse', 'dice'), 'whole frame': whole}
        for name, other in against.items():
            seeds = [seed for seed in fine if seed in other]
            if seeds:
                found = ', '.join(f'{fine[seed] - other[seed]:+.3f}' for seed in seeds)
                lines.append(
                    f'- N_p = {parts}, against {name}: {found} (seeds {", ".join(seeds)})'
                )
    return '\n'.join(lines) + '\n'


def page(record: dict[str, Any]) -> str:
    """Write the page from the record."""
    written = [INTRODUCTION]
    introductions = {SMALL_HI_SIZE: SMALL_INTRODUCTION, FULL_HI_SIZE: FULL_INTRODUCTION}
    for hi_size, introduction in introductions.items():
        if str(hi_size) in record:
            by_parts = record[str(hi_size)]
            written += [introduction, table(by_parts), gains(by_parts)]
    return '\n'.join([*written, DIFFERENCES])


def main() -> None:
    """Train, score and write."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--data', type=Path, required=True, help='folder with the data sets')
    parser.add_argument('--runs', type=Path, required=True, help='folder for the runs')
    parser.add_argument(
        '--seeds', type=int, nargs='*', default=[0], help='none writes the page anew'
    )
    parser.add_argument('--parts', type=int, nargs='+', default=PARTS, help='values of N_p')
    parser.add_argument(
        '--small', action='store_true', help='hi_size 256 and few steps, with the baseline'
    )
    parser.add_argument(
        '--share', type=float, default=1.0, help="of the paper's epochs of refine and whole"
    )
    parser.add_argument(
        '--whole', action='store_true', help='train the baseline too, per N_p given'
    )
    arguments = parser.parse_args()
    arguments.runs.mkdir(parents=True, exist_ok=True)
    plan = Plan(
        hi_size=SMALL_HI_SIZE if arguments.small else FULL_HI_SIZE,
        share=arguments.share,
        batch=SMALL_BATCH if arguments.small else 64,
        steps=SMALL_STEPS if arguments.small else {},
    )
    for seed in arguments.seeds:
        for parts in arguments.parts:
            train_and_score(parts, seed, plan, arguments)
    PAGE.write_text(page(read_record()), encoding='utf-8')


if __name__ == '__main__':
    main()
