"""Compare every choice of regions and every fusion, and write docs/results/study.md.

    .venv/bin/python docs/scripts/make_study_page.py --bundle driving_small --data ~/data
    .venv/bin/python docs/scripts/make_study_page.py --runs runs/seed0 runs/seed1 --data ~/data

Each network sees each region of an image once; the rest is arithmetic. What was scored earlier
stays in docs/results/study.json and is not scored again: delete the file to start anew. Runs need
requirements/train.txt, and so does the figure.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from stseg_ros.bundle import DEFAULT_BUNDLE, ModelBundle, find_bundle
from stseg_ros.config import LEARNED, PipelineConfig
from stseg_ros.measure.labelled_sets import LabelledSet
from stseg_ros.measure.learned.fit_merge import fit_merge, region_dice
from stseg_ros.measure.learned.held_out_frame import HeldOutFrame, refine_everywhere
from stseg_ros.measure.learned.learn import Learned, learn
from stseg_ros.measure.study.evidence import StudyNetworks
from stseg_ros.measure.study.figure import draw_criteria
from stseg_ros.measure.study.merging import MEANINGS
from stseg_ros.measure.study.page import against, criterion_table, fusion_meanings, fusion_table
from stseg_ros.measure.study.rows import COLUMNS, Scores, as_rows, join_runs
from stseg_ros.measure.study.score import (
    ENTROPY,
    ORACLE,
    Choice,
    FrameStudy,
    StudyPlan,
    pool,
)
from stseg_ros.measure.study.sets import (
    HELD_OUT_SCENES,
    SETS,
    StudySet,
    sets_to_learn_from,
)
from stseg_ros.pipeline.selectors.choice import SELECTORS

RESULTS = Path(__file__).parents[1] / 'results'
SCHEMA = 1
REGIONS = (2, 4, 8, 16, 32)
WINDOW_REGIONS = (2, 4, 8, 16)
CHOSEN, USUAL, PAPER = 8, 'add', 'grid'
# Criteria that the fusions are compared under.
ABLATED = (PAPER, 'margin', LEARNED, ORACLE)
# The table that is fitted to the very images that it is scored on.
BEST = 'best'
PARITY_IMAGES = 5


INTRODUCTION = """\
# Which regions to refine, and how to merge them

Written by `docs/scripts/make_study_page.py`; the figures are in `study.json`. Both networks run on
every image and region, and every choice below is made from the same outputs, with the pipeline's
own merging and threshold; for choices of cells the two masks, coarse and all refined, are cut
along the cells' edges. Dice is pooled over all pixels at the images' own size, a pixel being
vehicle above a probability of 0.5. Each figure is the mean over the runs, with the lowest and the
highest in brackets where there are several.

The **oracle** knows the truth: it refines the cells where refinement with that fusion sets most
pixels right, and none where it sets none right. **Regret** is its Dice less the criterion's; it
can be below 0 for windows, which are not bound to the cells. `Dice near borders` is that of the
pixels within 0.75 % of the image's diagonal of an outline of the truth. `small found` is the share
of the pixels of small vehicles that the mask finds (below 0.33 % of the image).

- `grid`: the paper, lowest |mean p - 0.5| of a cell
- `margin`: highest mean of 1 - 2 |p - 0.5| of a cell's pixels (Cruz et al., 2023)
- `entropy`: highest mean entropy of a cell's pixels
- `boundary`: most outline p = 0.5 in a cell; cells without any are never refined
- `sliding`: windows at any place of the coarse raster by their mean margin, none overlapping
- `components`: windows over the connected components of the coarse mask, after
  Segment-then-Segment; as many as there are vehicles, K at most
- `components_first`: the same, and what they leave of K where most doubt is left, as `sliding`
- `learned`: highest gain that ten figures of a cell of the coarse map let expect, by regression on
  the gains of the held-out images; cells that let expect less than 0.2 % of their pixels are never
  refined
- `random`: any cells
- `margin, frame before`: `margin` by the coarse map of the image before, in the one set that is a
  video: 15 images a second

Runs have the names of their folders; the shipped bundle `driving_small` is seed 1 of its recipe.
CamVid val is one run of a drive that is partly in training, and one facade in it, which some
networks take for a bus, decides more than any choice here. KITTI has 5 images here, BDD100K 6.

What is `learned` is fitted, for each run, on the 41 images that training held out: 26 of CamVid, 5
of KITTI and 10 synthetic ones. Where held-out images are scored themselves, those of the same data
set are left out of the fit.
"""

FINDINGS = """\
## What it shows

- **How regions are merged decides most.** On the paper's cells `paste`, the paper's way, and `max`
  lose to the coarse network alone on every set, and `add` gains on every one. Twice the weight for
  the refined logits loses to `add`; half of it, or fading them out to the edges, gains a little on
  some sets and loses on others. On the oracle's cells `paste` and `add_twice` are as good as `add`
  or better: there the refined logits are worth more than `add` trusts them.
- **No better merge of a pixel's two logits is there to be learned.** A table of all pairs,
  fitted on the held-out images, loses 0.002 to 0.005 to `add` on drive 0006R0 with every run. It
  gains with every run on the synthetic scenes alone, 0.003 at most. Even fitted to the very
  images that it is scored on (`best`, below; by log loss, not by Dice), it gains nothing on
  drive 0006R0, and 0.005 at most on KITTI, CamVid's held-out ends and the synthetic scenes.
  CamVid val is the exception, where one facade decides. What the oracle gains with `paste` is
  knowledge of the place, and the two logits of a pixel do not have it.
- **Which cells come first decides little.** The paper's criterion, margin, entropy and outlines
  differ by less than runs do; all are better than random cells, but for BDD100K.
- **Where a region lies decides more.** Windows laid over what stage 1 found (`components`) score
  higher than the paper's cells in the mean of every set, with half as many regions on CamVid and
  KITTI; but on CamVid val only one of three runs gains. They find more of the small vehicles of
  KITTI and fewer of CamVid's: what stage 1 missed, they miss. With the rest of K spent on doubt
  (`components_first`) more is found than by cells on every set but BDD100K.
- **More regions are not better by themselves.** In the mean of a set four to seven of the 32
  cells gain anything: the oracle leaves the others alone, and no criterion knows which they are.
  The learned one knows a little: on drive 0006R0 it refines 5.3 to 5.9 cells for the Dice of the
  paper's 8, or 0.003 less. On the other sets it gains 0.002 at most and loses up to 0.010, and
  0.024 once, where nothing of CamVid was left to learn from.
- **The frame before** chooses as well as the frame itself from K = 8 on, so that stage 2 need not
  wait for stage 1 at 15 images a second; with few regions it costs 0.003 to 0.004.

The default is `components`: on the images held out to choose by (KITTI, the ends of two CamVid
drives) it gains with every run, and on synthetic scenes it gains or ties, with fewer regions. The
other sets, seen before that choice, agree in the mean; on CamVid val two of three runs lose by
it, 0.009 at most.
"""


class Teacher:
    """Fits what is learned for one bundle; the networks see each held-out image once."""

    def __init__(self, networks: StudyNetworks, data: Path) -> None:
        """Take the opened networks and the folder with the data sets."""
        self._networks = networks
        self._data = data
        self._frames: dict[str, list[HeldOutFrame]] = {}

    def teach(self, scored: StudySet) -> Learned:
        """Fit on the sets that are not too close to the scored one."""
        frames = [frame for one in sets_to_learn_from(scored) for frame in self._refined(one)]
        return learn(frames, regions=CHOSEN, fusion=USUAL)

    def _refined(self, one: StudySet) -> list[HeldOutFrame]:
        if one.title not in self._frames:
            images = one.load(self._data, HELD_OUT_SCENES)
            bar = tqdm(range(len(images.names)), desc=f'learning on {one.title}', unit='image')
            self._frames[one.title] = [
                refine_everywhere(self._networks, images.load(index)) for index in bar
            ]
        return self._frames[one.title]


def plan_for(
    images: StudySet, threshold: float, learned: Learned, *, only_learned: bool
) -> StudyPlan:
    """Say what is compared on a set."""
    return StudyPlan(
        regions=REGIONS,
        fusions=tuple(MEANINGS),
        window_fusions=(USUAL,),
        window_regions=WINDOW_REGIONS,
        threshold=threshold,
        video=images.video,
        table=learned.merge.table,
        gain=learned.gain,
        learned_windows=(CHOSEN,),
        only_learned=only_learned,
    )


def score_set(
    networks: StudyNetworks, images: LabelledSet, plan: StudyPlan, title: str
) -> dict[str, Any]:
    """Score one bundle on one set."""
    study = FrameStudy(networks, plan)
    bar = tqdm(range(len(images.names)), desc=title, unit='image')
    tallies = pool([study.score(images.load(index)) for index in bar])
    counts, table = study.merge_counts, plan.table
    best = fit_merge(counts.astype(np.float64)).table
    in_regions = {USUAL: None, LEARNED: table, BEST: best}
    dice = {name: round(region_dice(counts, one), 4) for name, one in in_regions.items()}
    return {'images': len(images.names), 'merge': dice, 'rows': as_rows(tallies)}


def is_complete(entry: Mapping[str, Any]) -> bool:
    """Say whether a bundle's scores on a set hold the learned choices too."""
    return 'merge' in entry


def export(run: Path, folder: Path, data: Path) -> ModelBundle:
    """Make a bundle of a run, as `stseg evaluate --run` does."""
    from stseg_ros.training.export_bundle import export_run

    images = SETS[0].load(data, 1)
    samples = [images.load(index).image_hwc for index in range(PARITY_IMAGES)]
    return export_run(run, folder, samples)


def report(record: Mapping[str, Any]) -> str:
    """Put the page together."""
    parts = [INTRODUCTION, '![Dice against the regions refined](study.png)\n']
    joined = scores_by_set(record)
    parts += [FINDINGS, _verdicts(joined), _tables(record)]
    for title, scores in joined.items():
        runs = record['sets'][title]
        images = next(iter(runs.values()))['images']
        parts += [
            f'## {title}\n\n{images} images; runs {", ".join(runs)}.\n',
            f'Criteria, regions merged by `{USUAL}`:\n',
            criterion_table(scores, fusion=USUAL, regions=CHOSEN, regrets=(2, 4, 8, 16)),
            'Fusions:\n',
            fusion_table(scores, criteria=ABLATED, regions=(CHOSEN,), fusions=tuple(MEANINGS)),
        ]
    parts += ['## The fusions\n', fusion_meanings(tuple(MEANINGS))]
    return '\n'.join(parts)


def _verdicts(joined: Mapping[str, Scores]) -> str:
    """List what each criterion gains over the paper's, run by run."""
    base = Choice(criterion=PAPER, fusion=USUAL, regions=CHOSEN)
    lines = [f'## Against `{PAPER}`, K = {CHOSEN}, `{USUAL}`: difference of Dice, run by run\n']
    lines += [f'| criterion, fusion | {" | ".join(joined)} |', '| --- ' * (len(joined) + 1) + '|']
    names = [*(name for name in SELECTORS if name != PAPER), LEARNED]
    pairs = [(name, USUAL) for name in (*names, ENTROPY)]
    pairs += [(name, LEARNED) for name in (PAPER, *names)]
    for name, fusion in pairs:
        other = Choice(criterion=name, fusion=fusion, regions=CHOSEN)
        cells = [against(scores, other, base) for scores in joined.values()]
        lines.append(f'| {name}, {fusion} | {" | ".join(cells)} |')
    return '\n'.join(lines) + '\n'


def _tables(record: Mapping[str, Any]) -> str:
    """Compare the learned merge with the best that could be learned, run by run."""
    lines = [
        f'## What a merge of two logits can gain: Dice within the {CHOSEN} cells of `{PAPER}`\n'
    ]
    lines += [f'| set | {USUAL} | {LEARNED} | {BEST} |', '| --- ' * 4 + '|']
    for title, runs in record['sets'].items():
        cells = [
            ', '.join(f'{entry["merge"][name]:.3f}' for entry in runs.values())
            for name in (USUAL, LEARNED, BEST)
        ]
        lines.append(f'| {title} | {" | ".join(cells)} |')
    return '\n'.join(lines) + '\n'


def scores_by_set(record: Mapping[str, Any]) -> dict[str, Scores]:
    """Join the runs of every set."""
    return {
        one.title: join_runs([entry['rows'] for entry in record['sets'][one.title].values()])
        for one in SETS
        if one.title in record['sets']
    }


def read_record(path: Path) -> dict[str, Any]:
    """Read what earlier calls scored."""
    if not path.is_file():
        return {'schema': SCHEMA, 'columns': list(COLUMNS), 'sets': {}}
    record: dict[str, Any] = json.loads(path.read_text(encoding='utf-8'))
    return record


def write_record(record: Mapping[str, Any], path: Path) -> None:
    """Write the figures, a row per line."""
    text = json.dumps(record)
    text = text.replace('], [', '],\n[').replace('{"images"', '\n{"images"')
    path.write_text(text + '\n', encoding='utf-8')


def main() -> None:
    """Score and write."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    source = parser.add_mutually_exclusive_group()
    source.add_argument('--bundle', default=DEFAULT_BUNDLE, help='default: %(default)s')
    source.add_argument('--runs', type=Path, nargs='+', help='folders of `stseg train`')
    parser.add_argument('--data', type=Path, required=True, help='folder with the data sets')
    parser.add_argument('--scenes', type=int, default=30, help='synthetic ones')
    parser.add_argument('--sets', type=int, nargs='*', help='which sets, from 0 on; default: all')
    parser.add_argument('--threshold', type=float, default=0.5)
    parser.add_argument('--output', type=Path, default=RESULTS / 'study.json')
    arguments = parser.parse_args()
    record = read_record(arguments.output)
    chosen = [SETS[index] for index in arguments.sets or range(len(SETS))]
    with tempfile.TemporaryDirectory(prefix='stseg_') as folder:
        for name, read in _sources(arguments, Path(folder)).items():
            missing = [
                one
                for one in chosen
                if not is_complete(record['sets'].get(one.title, {}).get(name, {}))
            ]
            if not missing:
                continue
            with closing(StudyNetworks(read(), PipelineConfig())) as networks:
                teacher = Teacher(networks, arguments.data)
                for one in missing:
                    images = one.load(arguments.data, arguments.scenes)
                    runs = record['sets'].setdefault(one.title, {})
                    plan = plan_for(
                        one,
                        arguments.threshold,
                        teacher.teach(one),
                        only_learned=name in runs,
                    )
                    scored = score_set(networks, images, plan, f'{name}, {one.title}')
                    scored['rows'] = runs.get(name, {}).get('rows', []) + scored['rows']
                    runs[name] = scored
                    write_record(record, arguments.output)
    draw_criteria(scores_by_set(record), USUAL, arguments.output.with_suffix('.png'))
    arguments.output.with_suffix('.md').write_text(report(record), encoding='utf-8')


def _sources(arguments: argparse.Namespace, folder: Path) -> dict[str, Callable[[], ModelBundle]]:
    """Name what is studied, with what reads it."""
    runs: Sequence[Path] | None = arguments.runs
    if runs is None:
        bundle = ModelBundle.read(find_bundle(arguments.bundle))
        return {bundle.name: lambda: bundle}
    return {
        run.name: lambda run=run: export(run, folder / run.name, arguments.data) for run in runs
    }


if __name__ == '__main__':
    main()
