"""Train the paper's recipe for each N_p and seed, score it, and write docs/results/paper.md.

    .venv/bin/python docs/scripts/make_paper_page.py --data ~/data --runs runs --seeds 0 1 2

The whole table is a day's work for a GPU: choose `--parts` and `--share` by what the machine can
do. Finished runs are not trained again, and what was scored earlier stays in the page, so that it
can be filled bit by bit. Needs requirements/train.txt.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from pathlib import Path
from typing import Any

import yaml

from stseg_ros.cli import main as stseg
from stseg_ros.measure.seed_report import Spread

DOCS = Path(__file__).parents[1]
RECIPE = DOCS.parent / 'config' / 'train' / 'paper_camvid.yaml'
# The baseline where there is no GPU: the refine network, trained on with some whole frames.
SHORT_WHOLE = {'start_from': 'refine', 'batch': 8}
PAGE = DOCS / 'results' / 'paper.md'
RECORD = PAGE.with_suffix('.json')
PARTS = (2, 4, 8, 16)
# In steps: scoring the held-out images costs as much as many of them.
DEV_EVERY = 1000

INTRODUCTION = """\
# The paper's recipe on CamVid

Written by `docs/scripts/make_paper_page.py`; the figures are in `paper.json`. The recipe is
`config/train/paper_camvid.yaml`, after Teixeira e Silva et al., ICMV 2022: their U-Net with
18.84 M parameters, their losses, augmentation, optimiser and epochs, images resized to 512x512,
and a grid of N_p x N_p cells, of which the N_p least confident are refined and pasted. Dice is
pooled over all pixels of CamVid val at a threshold of 0.5; it is the mean over the seeds, with
the lowest and the highest in brackets where there are several. `saved` is the part of the
multiply-accumulates of the same network on the whole frame that two stages do without.

What differs from the paper: the data set (the paper has KITTI, BDD100K and four biomedical ones);
the scores are taken at the images' own size; where the refine network's epochs were cut, the table
says to which share of the paper's. A baseline with a number of steps behind it was cut too: it is
the refine network of that N_p, trained on for so many steps on batches of 8 whole frames; 150 are
far too few, and nothing can be said from them of the 0.06 that the paper loses to its baseline.
The whole recipe takes about three hours for each baseline on two CPU cores: it wants a GPU.
"""


def recipe_for(parts: int, share: float, whole_steps: int, folder: Path) -> Path:
    """Write the recipe of one N_p, with a share of the paper's epochs."""
    recipe: dict[str, Any] = yaml.safe_load(RECIPE.read_text(encoding='utf-8'))
    recipe['regions'] = parts
    recipe['geometry'] |= {'grid': [parts, parts], 'max_regions': parts}
    for stage in ('refine', 'whole'):
        epochs = max(1, round(recipe[stage]['epochs'] * share))
        recipe[stage] |= {'epochs': epochs, 'dev_every': DEV_EVERY}
    if whole_steps:
        del recipe['whole']['epochs']
        recipe['whole'] |= {**SHORT_WHOLE, 'steps': whole_steps}
    path = folder / f'paper_camvid_{parts}.yaml'
    path.write_text(yaml.safe_dump(recipe, sort_keys=False), encoding='utf-8')
    return path


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


def train_and_score(parts: int, seed: int, arguments: argparse.Namespace) -> None:
    """Train one N_p with one seed, and note the scores."""
    run: Path = arguments.runs / f'paper_seed{seed}_{parts}'
    share_coarse(run)
    stages = ['coarse', 'refine', *(['whole'] if arguments.whole else [])]
    recipe = recipe_for(parts, arguments.share, arguments.whole_steps, arguments.runs)
    command = ['train', str(recipe), '--data', str(arguments.data), '--output', str(run)]
    check(stseg([*command, f'--seed={seed}', '--resume', '--stage', *stages]))
    camvid = ['--dataset', 'camvid', '--data', str(arguments.data / 'camvid'), '--split', 'val']
    scores = run / 'val.json'
    how = ['--threshold', '0.5', '--fusion', 'paste', '--regions', str(parts)]
    check(stseg(['evaluate', '--run', str(run), *camvid, *how, '--json', str(scores)]))
    record = json.loads(RECORD.read_text(encoding='utf-8')) if RECORD.is_file() else {}
    record.setdefault(str(parts), {})[str(seed)] = {
        'share': arguments.share,
        'whole_steps': arguments.whole_steps if arguments.whole else None,
        'results': json.loads(scores.read_text(encoding='utf-8'))['results'],
    }
    RECORD.write_text(json.dumps(record, indent=1) + '\n', encoding='utf-8')


def table(record: dict[str, Any]) -> str:
    """Write what was scored so far."""
    lines = [
        '| N_p | seeds | share of epochs | coarse only | two-stage | whole | saved |',
        '| --- | --- | --- | --- | --- | --- | --- |',
    ]
    for parts, by_seed in sorted(record.items(), key=lambda item: int(item[0])):
        dice = {}
        for mode in ('coarse', 'two_stage', 'whole'):
            found = [
                row['dice']
                for scored in by_seed.values()
                for row in scored['results']
                if row['mode'] == mode
            ]
            dice[mode] = str(Spread(values=tuple(found))) if found else 'not trained'
        rows = next(iter(by_seed.values()))['results']
        macs = {row['mode']: row['macs'] for row in rows}
        region_macs = (macs['two_stage'] - macs['coarse']) / int(parts)
        saved = 1.0 - macs['two_stage'] / (region_macs * int(parts) ** 2)
        shares = sorted({scored['share'] for scored in by_seed.values()})
        short = sorted({scored['whole_steps'] for scored in by_seed.values()} - {None, 0})
        if short:
            dice['whole'] += f', {short[0]} steps'
        cells = (
            parts,
            ', '.join(by_seed),
            ', '.join(f'{share:g}' for share in shares),
            dice['coarse'],
            dice['two_stage'],
            dice['whole'],
            f'{saved:.0%}',
        )
        lines.append(f'| {" | ".join(cells)} |')
    return '\n'.join(lines) + '\n'


def gains(record: dict[str, Any]) -> str:
    """Write what two stages gain over the coarse network alone, seed by seed."""
    lines = []
    for parts, by_seed in sorted(record.items(), key=lambda item: int(item[0])):
        found = []
        for scored in by_seed.values():
            dice = {row['mode']: row['dice'] for row in scored['results']}
            found.append(f'{dice["two_stage"] - dice["coarse"]:+.3f}')
        lines.append(f'- N_p = {parts}: {", ".join(found)} (seeds {", ".join(by_seed)})')
    return 'Two stages against coarse only:\n\n' + '\n'.join(lines) + '\n'


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
        '--share', type=float, default=1.0, help="of the paper's epochs of refine and whole"
    )
    parser.add_argument(
        '--whole', action='store_true', help='train the baseline too, per N_p given'
    )
    parser.add_argument(
        '--whole-steps',
        type=int,
        default=0,
        help='a short baseline: so many steps from the refine network on; 0 is the whole recipe',
    )
    arguments = parser.parse_args()
    arguments.runs.mkdir(parents=True, exist_ok=True)
    for seed in arguments.seeds:
        for parts in arguments.parts:
            train_and_score(parts, seed, arguments)
    record = json.loads(RECORD.read_text(encoding='utf-8'))
    page = f'{INTRODUCTION}\n{table(record)}\n{gains(record)}'
    PAGE.write_text(page, encoding='utf-8')


if __name__ == '__main__':
    main()
