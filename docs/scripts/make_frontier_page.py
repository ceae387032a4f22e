"""Score and time two stages against single stages, and write docs/results/frontier.md.

    python docs/scripts/make_frontier_page.py --data ~/data --runs runs/seed0 runs/seed1 \
        --singles runs/singles --bundles runs/bundles
    python docs/scripts/make_frontier_page.py --data ~/data --bundles runs/bundles --time
    python docs/scripts/make_frontier_page.py

The first scores what is not scored yet, run by run, of `stseg train config/train/driving_small.yaml`
and of the single-stage recipes (`--train` trains those first); the bundles that it exports stay in
`--bundles`. The second times them all, in one run for each set, in which nothing else may run.
The third writes the page anew. Needs requirements/train.txt for the first.
"""  # noqa: E501

from __future__ import annotations

import argparse
import json
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from tqdm import tqdm

from stseg_ros.bundle import ModelBundle
from stseg_ros.cli import main as stseg
from stseg_ros.errors import ConfigError
from stseg_ros.measure.benchmark.frames import FrameSet, resize_frames
from stseg_ros.measure.benchmark.rounds import Procedure
from stseg_ros.measure.benchmark.whole_network import with_whole_network
from stseg_ros.measure.frontier.figure import draw_frontier
from stseg_ros.measure.frontier.page import write_page
from stseg_ros.measure.frontier.points import (
    GROUPS,
    HALF,
    PAIR,
    QUARTER,
    Group,
    Point,
    paper_group,
)
from stseg_ros.measure.frontier.record import adopt_recipe_rows
from stseg_ros.measure.frontier.scoring import score_group
from stseg_ros.measure.frontier.timing import time_points
from stseg_ros.measure.study.sets import SETS, StudySet

DOCS = Path(__file__).parents[1]
RESULTS = DOCS / 'results'
RECIPES = DOCS.parent / 'config' / 'train'
# CamVid val, and a drive left out of training.
SCORED_SETS: tuple[StudySet, ...] = SETS[:2]
# 2: times by set, each of its own pictures.
SCHEMA = 2
# Recipe, and which network of the run before it starts from: the quarter from the coarse one of
# driving_small, which sees whole frames at an eighth, and the half from the quarter.
SINGLES = {QUARTER: ('single_stage_quarter', 'coarse'), HALF: ('single_stage_half', 'whole')}
SIZES = '640x480,1280x720,1920x1080,3840x2160'
ROUNDS = 40
PARITY_IMAGES = 4
# Timed of each set.
PICTURES = 50


def train_single(share: str, first: Path, run: Path, *, seed: int, data: Path) -> None:
    """Train a smaller single-stage network, starting from a network of another run."""
    name, source = SINGLES[share]
    if not run.is_dir():
        run.mkdir(parents=True)
        facts = yaml.safe_load((first / 'run.yaml').read_text(encoding='utf-8'))
        own = {'data_root': facts['data_root']}
        # A bundle has to have a refine network; nothing here runs it.
        for stage, given in (('coarse', source), ('refine', 'refine')):
            shutil.copy(first / f'{given}.pt', run / f'{stage}.pt')
            own |= {f'environment_{stage}': facts[f'environment_{given}'], stage: facts[given]}
        (run / 'run.yaml').write_text(yaml.safe_dump(own, sort_keys=False), encoding='utf-8')
    what = ['train', str(RECIPES / f'{name}.yaml'), '--data', str(data), '--output', str(run)]
    status = stseg([*what, '--stage', 'whole', f'--seed={seed}', '--resume'])
    if status:
        sys.exit(status)


def training_facts(run: Path) -> dict[str, Any]:
    """State how long the whole-frame network of a run trained."""
    facts = yaml.safe_load((run / 'run.yaml').read_text(encoding='utf-8'))['whole']
    recipe = yaml.safe_load((run / 'recipe.yaml').read_text(encoding='utf-8'))
    height, width = recipe['geometry']['working_hw']
    batch = recipe['whole']['batch']
    pixels = facts['steps'] * batch * height * width
    return {
        'steps': facts['steps'],
        'batch': batch,
        'minutes': facts['minutes'],
        'megapixels': round(pixels / 1e6),
    }


def export(run: Path, folder: Path, data: Path) -> ModelBundle:
    """Make a bundle of a run, or read the one that was made earlier."""
    if (folder / 'bundle.yaml').is_file():
        return ModelBundle.read(folder)
    from stseg_ros.training.export_bundle import export_run

    images = SCORED_SETS[0].load(data, 1)
    samples = [images.load(index).image_hwc for index in range(PARITY_IMAGES)]
    return export_run(run, folder, samples)


def runs_by_bundle(runs: Sequence[Path], singles: Path | None) -> dict[str, dict[str, Path]]:
    """List the training runs of each kind of bundle, by seed."""
    found = {PAIR: {run.name: run for run in runs}}
    for share in SINGLES:
        folders = sorted(singles.glob(f'{share}_*')) if singles is not None else ()
        found[share] = {
            folder.name.partition('_')[2]: folder
            for folder in folders
            # Those that are trained to their end.
            if (folder / 'whole.pt').is_file()
            and 'whole' in yaml.safe_load((folder / 'run.yaml').read_text(encoding='utf-8'))
        }
    return found


def score(record: dict[str, Any], arguments: argparse.Namespace, path: Path) -> None:
    """Score what is not scored yet, and keep every result at once."""
    found = runs_by_bundle(arguments.runs, arguments.singles)
    for share in SINGLES:
        for seed, run in found[share].items():
            record['training'].setdefault(share, {})[seed] = training_facts(run)
    seeds = sorted({seed for runs in found.values() for seed in runs})
    for seed in seeds:
        for group in GROUPS:
            run = found[group.bundle].get(seed)
            if run is None:
                continue
            bundle = export(run, arguments.bundles / f'{group.bundle}_{seed}', arguments.data)
            for one in SCORED_SETS:
                rows = record['scores'].setdefault(one.title, {}).setdefault(seed, {})
                missing = tuple(point for point in group.points if point.label not in rows)
                if missing:
                    rows |= _score_points(group, missing, bundle, one, arguments.data)
                    write_record(record, path)


def _score_points(
    group: Group, missing: tuple[Point, ...], bundle: ModelBundle, one: StudySet, data: Path
) -> dict[str, dict[str, Any]]:
    images = one.load(data, 1)
    part = Group(bundle=group.bundle, selector=group.selector, points=missing)
    title = f'{bundle.root.name}, {group.selector}, {one.title}'
    with tqdm(total=len(images.names), desc=title, unit='image', disable=None) as bar:
        return score_group(part, bundle, images, bar.update)


def adopt_recipe(record: dict[str, Any], path: Path) -> None:
    """Take over what docs/results/recipe.json holds: the same runs, settings and images."""
    if not path.is_file():
        return
    scores = json.loads(path.read_text(encoding='utf-8'))['scores']
    for one in SCORED_SETS:
        for seed, rows in scores.get(one.title, {}).items():
            own = record['scores'].setdefault(one.title, {}).setdefault(f'seed{seed}', {})
            for label, row in adopt_recipe_rows(rows).items():
                own.setdefault(label, row)


def adopt_paper(record: dict[str, Any], path: Path, groups: Sequence[Group]) -> None:
    """Take the scores of the paper's network from docs/results/paper.json, where it has them."""
    content = json.loads(path.read_text(encoding='utf-8')) if path.is_file() else {}
    title = SCORED_SETS[0].title
    for group in groups:
        side, parts = group.bundle.split('_')[1:]
        for seed, entry in content.get(side, {}).get(parts, {}).items():
            rows = record['paper'].setdefault(title, {}).setdefault(f'seed{seed}', {})
            for row in entry['results']:
                for point in group.points:
                    if (point.mode, point.regions) == (row['mode'], row['regions']):
                        rows[point.label] = {'dice': row['dice']}


def paper_groups(bundles: Sequence[Path], folder: Path) -> list[tuple[Group, ModelBundle]]:
    """Read bundles of the paper's network, each with a network for the whole frame."""
    found = []
    for place, path in enumerate(bundles):
        bundle = ModelBundle.read(path)
        side, parts = bundle.geometry.working_hw[0], bundle.geometry.grid[0]
        copy = folder / f'paper_with_whole_{place}'
        copy.mkdir(parents=True, exist_ok=True)
        group = paper_group(f'paper_{side}_{parts}', parts, side)
        found.append((group, with_whole_network(bundle, copy)))
    return found


def time_all(record: dict[str, Any], arguments: argparse.Namespace) -> None:
    """Time every point, in one run for each set; the paper's network in the first."""
    groups: list[tuple[Group, ModelBundle]] = []
    for group in GROUPS:
        # All seeds of a recipe have the same networks, and so the same times.
        folders = sorted(arguments.bundles.glob(f'{group.bundle}_*/bundle.yaml'))
        if not folders:
            raise ConfigError(
                f'{arguments.bundles}: holds no {group.bundle}_* bundle; score it first'
            )
        groups.append((group, ModelBundle.read(folders[0].parent)))
    paper = paper_groups(arguments.paper, arguments.bundles)
    sizes_hw = [
        (int(height), int(width))
        for width, height in (size.split('x') for size in arguments.sizes.split(','))
    ]
    procedure = Procedure(rounds=arguments.rounds)
    record['timing'] = {}
    for one in SCORED_SETS:
        frames = frames_of(one, arguments.data, sizes_hw)
        # How long the paper's network takes does not depend on what it sees.
        timed = groups if record['timing'] else [*groups, *paper]
        record['timing'][one.title] = time_points(timed, frames, procedure, _bar)
    if paper:
        record['paper'] = {}
        adopt_paper(record, RESULTS / 'paper.json', [group for group, _ in paper])


def frames_of(one: StudySet, data: Path, sizes_hw: Sequence[tuple[int, int]]) -> FrameSet:
    """Read some images of a set, evenly spaced, and bring them to every size."""
    images = one.load(data, PICTURES)
    count = len(images.names)
    step = max(1, count // PICTURES)
    chosen = range(0, count, step)[:PICTURES]
    pictures = [np.ascontiguousarray(images.load(at).image_hwc[..., ::-1]) for at in chosen]
    source = f'{len(pictures)} of {count} images of {one.title}'
    return resize_frames(pictures, sizes_hw, source)


def _bar(name: str, steps: int) -> Callable[[int], object]:
    update: Callable[[int], object] = tqdm(total=steps, desc=name, disable=None).update
    return update


def read_record(path: Path) -> dict[str, Any]:
    """Read what earlier calls found."""
    if not path.is_file():
        return {'schema': SCHEMA, 'training': {}, 'scores': {}, 'paper': {}, 'timing': None}
    record: dict[str, Any] = json.loads(path.read_text(encoding='utf-8'))
    if record['schema'] != SCHEMA:
        # Its times are of one set's pictures for all sets, and some rows have no border score.
        record |= {'schema': SCHEMA, 'timing': None}
        for by_run in record['scores'].values():
            for run, rows in by_run.items():
                by_run[run] = {
                    label: row for label, row in rows.items() if row['boundary_dice'] is not None
                }
    return record


def write_record(record: Mapping[str, Any], path: Path) -> None:
    """Write the figures, a point per line."""
    text = json.dumps(record).replace('}, "', '},\n"').replace('": {"seed', '":\n{"seed')
    path.write_text(text + '\n', encoding='utf-8')


def main() -> None:
    """Train, score or time as asked, and write."""
    parser = argparse.ArgumentParser(description=(__doc__ or '').splitlines()[0])
    parser.add_argument('--data', type=Path, help='folder with the data sets')
    parser.add_argument('--runs', type=Path, nargs='+', default=[], help='of driving_small')
    parser.add_argument('--singles', type=Path, help='folder of the single-stage runs')
    parser.add_argument('--bundles', type=Path, help='folder for exported bundles')
    parser.add_argument('--train', action='store_true', help='train the single stages first')
    parser.add_argument('--time', action='store_true', help='time; nothing is scored')
    parser.add_argument('--paper', type=Path, nargs='+', default=[], help='bundles to time too')
    parser.add_argument('--sizes', default=SIZES, help='default: %(default)s')
    parser.add_argument('--rounds', type=int, default=ROUNDS, help='default: %(default)s')
    parser.add_argument('--output', type=Path, default=RESULTS / 'frontier.json')
    arguments = parser.parse_args()
    if (arguments.runs or arguments.time) and not (arguments.data and arguments.bundles):
        parser.error('give --data and --bundles, too')
    if arguments.train and not (arguments.runs and arguments.singles):
        parser.error('--train needs --runs and --singles')
    record = read_record(arguments.output)
    if arguments.train:
        for run in arguments.runs:
            first = run
            for share in SINGLES:
                own = arguments.singles / f'{share}_{run.name}'
                seed = int(run.name.removeprefix('seed'))
                train_single(share, first, own, seed=seed, data=arguments.data)
                first = own
    if arguments.time:
        time_all(record, arguments)
    elif arguments.runs:
        adopt_recipe(record, RESULTS / 'recipe.json')
        score(record, arguments, arguments.output)
    write_record(record, arguments.output)
    draw_frontier(record, arguments.output.with_suffix('.png'))
    arguments.output.with_suffix('.md').write_text(write_page(record), encoding='utf-8')


if __name__ == '__main__':
    main()
