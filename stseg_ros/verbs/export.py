"""`stseg export`: turn a training run into a bundle."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stseg_ros.measure.evaluate import LabelledFrame
    from stseg_ros.training.images import LabelledImage
    from stseg_ros.training.recipe import Recipe

SUMMARY = 'turn a training run into a bundle that the node runs'
EXAMPLES = """\
  stseg export runs/driving --output models/my_driving
  stseg export runs/driving --output models/my_driving --data ~/data     (where it lies now)"""

_PARITY_IMAGES = 6


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments.

    Args:
        parser: the verb's parser.
    """
    parser.add_argument('run', type=Path, help='folder that `stseg train` wrote')
    parser.add_argument(
        '--output', type=Path, required=True, metavar='BUNDLE', help='folder of the bundle'
    )
    parser.add_argument(
        '--data',
        type=Path,
        metavar='DIR',
        help='folder with one folder per data set (default: the one the run was trained on)',
    )


def run(args: argparse.Namespace) -> int:
    """Export, check, choose settings, score, and write the model card.

    Args:
        args: the parsed command line.

    Returns:
        0.

    Raises:
        StsegError: a library or a checkpoint is missing, or an engine disagrees with PyTorch.
        DataError: the data set has gone.
    """
    from stseg_ros.training.requirements import require_training_libraries

    require_training_libraries()
    from stseg_ros.measure.bundle_report import report_bundle
    from stseg_ros.measure.model_card import model_card
    from stseg_ros.training.export_bundle import export_run
    from stseg_ros.training.images import load_images
    from stseg_ros.training.recipe import load_recipe
    from stseg_ros.training.run import RECIPE, read_facts

    data_root = args.data or Path(read_facts(args.run)['data_root'])
    recipe = load_recipe(args.run / RECIPE)
    held_out = load_images(recipe, data_root, held_out=True)
    samples = held_out or load_images(recipe, data_root, held_out=False)
    spread = samples[:: max(1, len(samples) // _PARITY_IMAGES)][:_PARITY_IMAGES]
    bundle = export_run(args.run, args.output, [image.image_hwc for image in spread])
    print(f'networks agree with PyTorch: {bundle.manifest.provenance["parity"]}')

    by_dataset = _by_dataset(held_out)
    score_sets = {f'{name} held out': frames for name, frames in by_dataset.items()}
    manifest = report_bundle(
        bundle, by_dataset, {**dict(_validation_sets(recipe, data_root)), **score_sets}
    )
    (args.output / 'MODEL_CARD.md').write_text(model_card(manifest), encoding='utf-8')
    _print_scores(manifest.scores)
    print(f'bundle: {args.output}, scores and terms in {args.output / "MODEL_CARD.md"}')
    return 0


def _by_dataset(images: list[LabelledImage]) -> dict[str, list[LabelledFrame]]:
    from stseg_ros.measure.evaluate import LabelledFrame

    found: dict[str, list[LabelledFrame]] = {}
    for image in images:
        frame = LabelledFrame(image_hwc=image.image_hwc, vehicle_hw=image.vehicle_hw)
        found.setdefault(image.dataset, []).append(frame)
    return found


def _validation_sets(
    recipe: Recipe, data_root: Path
) -> Iterator[tuple[str, Iterator[LabelledFrame]]]:
    """Yield the validation split of each data set that has one and was not trained on it."""
    from stseg_ros.datasets.vehicle_datasets import (
        DATASETS,
        VehicleSample,
        find_samples,
        load_sample,
    )
    from stseg_ros.measure.evaluate import LabelledFrame

    def read(samples: list[VehicleSample]) -> Iterator[LabelledFrame]:
        for sample in samples:
            image_hwc, vehicle_hw = load_sample(sample)
            yield LabelledFrame(image_hwc=image_hwc, vehicle_hw=vehicle_hw)

    for source in recipe.sources:
        layout = DATASETS.get(source.dataset)
        if layout and 'val' in layout.splits and source.split != 'val':
            samples = find_samples(source.dataset, data_root / source.dataset, 'val')
            yield f'{source.dataset} val', read(samples)


def _print_scores(scores: dict[str, Any]) -> None:
    for name, table in scores.items():
        print(f'{name} ({table["images"]} images), pooled hard Dice:')
        for row in table['results']:
            mode = (
                row['mode'] if row['mode'] == 'coarse' else f'{row["fusion"]}, K={row["regions"]}'
            )
            print(f'  {mode:12} {row["dice"]:.3f}')
