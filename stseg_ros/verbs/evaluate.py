"""`stseg evaluate`: score a bundle on labelled images."""

from __future__ import annotations

import argparse
import json
import tempfile
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stseg_ros.bundle import DEFAULT_BUNDLE
from stseg_ros.config import FUSIONS, PRECISIONS, PipelineConfig
from stseg_ros.errors import ConfigError
from stseg_ros.verbs.backend_argument import add_backend_argument
from stseg_ros.verbs.dataset_arguments import add_dataset_arguments, find_images
from stseg_ros.verbs.method_arguments import add_method_arguments
from stseg_ros.verbs.output_folder import make_output_folder

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stseg_ros.bundle import Geometry, ModelBundle
    from stseg_ros.measure.evaluation import BundleEvaluation, SetFacts
    from stseg_ros.measure.labelled_sets import LabelledSet

SUMMARY = """\
Score a bundle on labelled images: coarse only, two-stage for several numbers of regions, and the
whole-frame baseline where the bundle has one; Dice, IoU, precision, recall, by vehicle size, at
borders, and multiply-accumulates."""
EXAMPLES = """
stseg evaluate --bundle driving_small --dataset camvid --data ~/data/camvid --output scores
stseg evaluate --bundle models/my_driving --dataset synthetic --scenes 50 --json scores.json
stseg evaluate --run runs/driving --dataset camvid --data ~/data/camvid --split train --only '0006R0*'
stseg evaluate --bundle np2 --bundle np4 --bundle np8 --dataset kitti --data ~/data/kitti --output np
"""  # noqa: E501

_PARITY_IMAGES = 4


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments.

    Args:
        parser: the verb's parser.
    """
    model = parser.add_mutually_exclusive_group()
    model.add_argument(
        '--bundle',
        action='append',
        help='shipped name or folder; again for bundles of other grids '
        f'(default: {DEFAULT_BUNDLE})',
    )
    model.add_argument('--run', type=Path, help='folder of a training run, exported for the while')
    add_dataset_arguments(parser)
    settings = parser.add_argument_group('settings')
    settings.add_argument(
        '--regions',
        metavar='K,K',
        help="regions to refine (default: 2,4,8,... up to all, and the settings' own number)",
    )
    add_method_arguments(settings)
    settings.add_argument('--threshold', type=float, metavar='P', help="default: the bundle's")
    settings.add_argument('--fusion', choices=FUSIONS, help="default: the bundle's")
    add_backend_argument(settings)
    settings.add_argument('--threads', type=int, default=0, metavar='N', help='CPU threads')
    settings.add_argument('--precision', choices=PRECISIONS, default='default')
    out = parser.add_argument_group('output')
    out.add_argument('--json', type=Path, metavar='FILE', help='write all figures as JSON')
    out.add_argument(
        '--output', type=Path, metavar='DIR', help='write JSON, the two figures, and pictures'
    )
    out.add_argument(
        '--pictures',
        type=int,
        default=3,
        metavar='N',
        help='worst, best and median images; N of each, as far as there are so many (default: 3)',
    )


def run(arguments: argparse.Namespace) -> int:
    """Score, print the tables, and write what was asked for.

    Args:
        arguments: what `add_arguments` declared.

    Returns:
        0.

    Raises:
        StsegError: a library is missing, or a setting, the bundle or the data are wrong.
    """
    from stseg_ros.measure.compute_cost import require_onnx
    from stseg_ros.measure.evaluation import document
    from stseg_ros.measure.score_table import LEGEND

    if arguments.pictures < 0:
        raise ConfigError(f'--pictures is {arguments.pictures}; give 0 or more')
    images, split = find_images(arguments)
    require_onnx()
    if arguments.output:
        make_output_folder(arguments.output)
    with ExitStack() as stack:
        bundles = _find_bundles(arguments, images, stack)
        facts = _facts(arguments, split, bundles)
        print(f'{facts.title}: {len(images.names)} images')
        for note in facts.notes:
            print(f'note: {note}')
        evaluations = [_evaluate(arguments, bundle, images) for bundle in bundles]
    print(LEGEND)
    _write(arguments, document(facts, evaluations), facts, evaluations)
    return 0


def _find_bundles(
    arguments: argparse.Namespace, images: LabelledSet, stack: ExitStack
) -> list[ModelBundle]:
    """Read the bundles, or export the run into one that lives as long as the stack."""
    from stseg_ros.bundle import ModelBundle, find_bundle

    if arguments.run is not None:
        from stseg_ros.training.requirements import require_training_libraries

        require_training_libraries()
        from stseg_ros.training.export_bundle import export_run

        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix='stseg_')))
        step = max(1, len(images.names) // _PARITY_IMAGES)
        chosen = range(0, len(images.names), step)[:_PARITY_IMAGES]
        samples = [images.load(index).image_hwc for index in chosen]
        return [export_run(arguments.run, folder / 'bundle', samples)]
    names = arguments.bundle or [DEFAULT_BUNDLE]
    bundles = [ModelBundle.read(find_bundle(name)) for name in names]
    twice = {bundle.name for bundle in bundles if [b.name for b in bundles].count(bundle.name) > 1}
    if twice:
        raise ConfigError(f'two bundles are named {min(twice)!r}; change `name` in a bundle.yaml')
    return bundles


def _facts(arguments: argparse.Namespace, split: str, bundles: Sequence[ModelBundle]) -> SetFacts:
    from stseg_ros.measure.evaluation import SetFacts
    from stseg_ros.measure.model_card import CAVEATS

    notes = []
    if f'{arguments.dataset} {split}' in CAVEATS:
        notes.append(CAVEATS[f'{arguments.dataset} {split}'])
    for bundle in bundles:
        sources = [source['dataset'] for source in bundle.manifest.provenance.get('sources', ())]
        if arguments.dataset in sources and split in ('train', 'all'):
            notes.append(
                f'{bundle.name} was trained on images of {arguments.dataset}: unless these were '
                'left out of training, the figures flatter it'
            )
    return SetFacts(
        dataset=arguments.dataset, split=split, only=arguments.only or '', notes=tuple(notes)
    )


def _evaluate(
    arguments: argparse.Namespace, bundle: ModelBundle, images: LabelledSet
) -> BundleEvaluation:
    """Score one bundle with a progress bar, print its table and draw its pictures."""
    from tqdm import tqdm

    from stseg_ros.assembly import resolve_settings
    from stseg_ros.measure.evaluate import BundleUnderTest
    from stseg_ros.measure.evaluation import Evaluation
    from stseg_ros.measure.score_table import format_table

    config = PipelineConfig(
        preset=arguments.preset,
        selector=arguments.selector,
        threshold=arguments.threshold,
        fusion=arguments.fusion,
        backend=arguments.backend,
        threads=arguments.threads,
        precision=arguments.precision,
    )
    usual = resolve_settings(bundle, config).regions
    regions = _regions(arguments.regions, bundle.geometry, usual)
    with closing(BundleUnderTest(bundle, config)) as subject:
        evaluation = Evaluation(subject, images, regions)
        with tqdm(total=len(images.names), unit='image', desc=bundle.name, disable=None) as bar:
            result = evaluation.score(bar.update)
        print(
            f'\n{bundle.name}: regions by {subject.selector}, threshold '
            f'{subject.settings.threshold:g}, {subject.segmenter.backend_note}'
        )
        print(format_table(result.rows))
        if arguments.output and arguments.pictures:
            folder = arguments.output / 'pictures'
            several = len(arguments.bundle or ()) > 1
            evaluation.write_pictures(
                folder / bundle.name if several else folder, arguments.pictures
            )
    return result


def _regions(text: str | None, geometry: Geometry, usual: int) -> list[int]:
    from stseg_ros.measure.candidates import default_regions

    if text is None:
        return sorted({*default_regions(geometry), usual} - {0})
    try:
        regions = sorted({int(word) for word in text.split(',')})
    except ValueError as err:
        raise ConfigError(f"--regions is '{text}'; give whole numbers, such as 4,8") from err
    if not 1 <= regions[0] <= regions[-1] <= geometry.max_regions:
        raise ConfigError(
            f"--regions is '{text}'; give numbers from 1 to {geometry.max_regions}, "
            'the most that this bundle refines; coarse only is always scored'
        )
    return regions


def _write(
    arguments: argparse.Namespace,
    content: dict[str, Any],
    facts: SetFacts,
    evaluations: Sequence[BundleEvaluation],
) -> None:
    paths = [arguments.json] if arguments.json else []
    if arguments.output:
        from stseg_ros.measure.score_figure import draw_dice_and_macs

        paths.append(arguments.output / 'evaluation.json')
        chosen = {item.name: item.chosen_regions for item in evaluations}
        title = f'{facts.title}: {content["images"]} images'
        if len(evaluations) == 1:
            title = f'{evaluations[0].name} on {title}'
        draw_dice_and_macs(
            content['results'], chosen, title, arguments.output / 'dice_and_macs.png'
        )
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + '\n', encoding='utf-8')
    if paths:
        print(f'written: {", ".join(str(path) for path in paths)}')
    if arguments.output:
        print(f'figures and pictures: {arguments.output}')
