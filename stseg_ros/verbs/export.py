"""`stseg export`: turn a training run into a bundle."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stseg_ros.config import FUSIONS, LEARNED, SELECTORS
from stseg_ros.errors import ConfigError, DataError, StsegError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from stseg_ros.bundle import Manifest, ModelBundle
    from stseg_ros.datasets.vehicle_datasets import VehicleSample
    from stseg_ros.measure.evaluate import LabelledFrame
    from stseg_ros.training.images import LabelledImage
    from stseg_ros.training.recipe import Recipe

SUMMARY = """\
Turn a training run into a bundle that the node runs: write the networks as ONNX, check them
against PyTorch on real images, choose fusion and threshold on the held-out images, score, and
write bundle.yaml and MODEL_CARD.md."""
EXAMPLES = """\
  stseg export runs/driving --output models/my_driving
  stseg export runs/driving --output models/my_driving --data ~/data     (where it lies now)
  stseg export runs/driving --output models/my_driving_fp16 --precision float16     (TensorRT)
  stseg export runs/driving --output models/with_baseline --whole --no-scores
  stseg export runs/driving --output models/by_vehicles --selector components
  stseg export runs/driving --output models/with_learned --learn"""

# As in `stseg_ros.training.export_onnx`, which needs PyTorch.
_PRECISIONS = ('half_weights', 'float32', 'float16')
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
    parser.add_argument(
        '--precision',
        choices=_PRECISIONS,
        default=_PRECISIONS[0],
        help='half_weights: FP16 weights, float32 arithmetic, for every engine (default); '
        'float32: float32 weights; float16: strongly typed FP16, for TensorRT from 10.12 on',
    )
    parser.add_argument(
        '--whole', action='store_true', help='put the whole-frame baseline into the bundle too'
    )
    parser.add_argument(
        '--selector',
        choices=SELECTORS,
        help="how the bundle recommends to choose regions (default: the recipe's selector)",
    )
    parser.add_argument(
        '--fusion',
        choices=FUSIONS,
        help='how it recommends to merge them (default: paste or add, whichever scores higher on '
        'the held-out images)',
    )
    parser.add_argument(
        '--learn',
        action='store_true',
        help=f'fit selector and fusion {LEARNED!r} to the held-out images and put them into the '
        'bundle; done too where either is recommended',
    )
    parser.add_argument(
        '--no-scores', action='store_true', help='export only: default settings, no scores'
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
    from stseg_ros.measure.model_card import model_card
    from stseg_ros.training.export_bundle import drop_whole, export_run, has_whole
    from stseg_ros.training.images import load_images
    from stseg_ros.training.recipe import load_recipe
    from stseg_ros.training.run_plan import RECIPE, read_facts
    from stseg_ros.verbs.export_recommendation import learn_from, recommend

    data_root = args.data or Path(read_facts(args.run)['data_root'])
    recipe = load_recipe(args.run / RECIPE)
    if args.whole and not has_whole(args.run):
        raise StsegError(
            f'{args.run} has no whole-frame network trained to its end; leave out --whole, or '
            'train one with `stseg train --stage whole`'
        )
    on_disk = {} if args.no_scores else _sets_on_disk(recipe, data_root)
    held_out = load_images(recipe, data_root, held_out=True)
    samples = held_out or load_images(recipe, data_root, held_out=False)
    selector = args.selector or recipe.selector
    learns = args.learn or LEARNED in (selector, args.fusion)
    if learns and not held_out:
        raise ConfigError(
            f'{args.run / RECIPE}: no images are held out to learn from; leave out --learn, or '
            'hold some out with dev and train again'
        )
    spread = samples[:: max(1, len(samples) // _PARITY_IMAGES)][:_PARITY_IMAGES]
    print(f'exporting, and comparing with PyTorch on {len(spread)} images', flush=True)
    images_hwc = [image.image_hwc for image in spread]
    bundle = export_run(args.run, args.output, images_hwc, precision=args.precision)
    _print_parity(bundle.manifest.provenance)
    if learns:
        bundle = learn_from(bundle, held_out, args.fusion)
    bundle = recommend(bundle, selector, args.fusion)
    if not args.no_scores:
        _print_scores(_score(bundle, held_out, on_disk, args.fusion).scores)
    if bundle.whole_path is not None and not args.whole:
        drop_whole(bundle.read(args.output))
    manifest = bundle.read(args.output).manifest
    (args.output / 'MODEL_CARD.md').write_text(model_card(manifest), encoding='utf-8')
    print(f'bundle: {args.output}, scores and terms in {args.output / "MODEL_CARD.md"}')
    return 0


def _sets_on_disk(recipe: Recipe, data_root: Path) -> dict[str, list[VehicleSample]]:
    """List the images to score on that training has not seen, those left out first."""
    from stseg_ros.datasets.vehicle_datasets import DATASETS
    from stseg_ros.training.export_provenance import left_out_words
    from stseg_ros.training.images import left_out_samples, source_samples

    left_out = left_out_samples(recipe, data_root)
    words: dict[str, list[str]] = {name: [] for name in left_out}
    trained_on_val = {source.name for source in recipe.sources if source.split == 'val'}
    validation: dict[str, list[VehicleSample]] = {}
    for source in recipe.sources:
        if left_out_words(source):
            words[source.name].append(left_out_words(source))
        layout = DATASETS.get(source.dataset)
        name = f'{source.name} val'
        if layout is None or 'val' not in layout.splits or source.name in trained_on_val:
            continue
        try:
            validation[name] = source_samples(source, data_root, 'val')
        except DataError as err:
            print(f'{name} is not scored: {err}')
    named = {f'{name} left out ({", ".join(words[name])})': left_out[name] for name in left_out}
    return named | validation


def _score(
    bundle: ModelBundle,
    held_out: Sequence[LabelledImage],
    on_disk: Mapping[str, Sequence[VehicleSample]],
    fusion: str | None,
) -> Manifest:
    """Choose settings and score, with a progress bar for every set."""
    from stseg_ros.measure.bundle_report import FUSIONS as USUAL_FUSIONS
    from stseg_ros.measure.bundle_report import report_bundle
    from stseg_ros.measure.evaluate import LabelledFrame
    from stseg_ros.measure.labelled_sets import ImagesOnDisk

    by_dataset: dict[str, list[LabelledFrame]] = {}
    for image in held_out:
        frame = LabelledFrame(image_hwc=image.image_hwc, vehicle_hw=image.vehicle_hw)
        by_dataset.setdefault(image.dataset, []).append(frame)

    def read(samples: Sequence[VehicleSample]) -> Iterator[LabelledFrame]:
        images = ImagesOnDisk(samples)
        return (images.load(index) for index in range(len(samples)))

    from_disk = {name: _shown(name, read(s), len(s)) for name, s in on_disk.items()}
    chosen_on, kept = {}, {}
    for dataset, frames in by_dataset.items():
        chosen_on[dataset] = _shown(f'choosing on {dataset}', frames, len(frames))
        name = f'{dataset} held out'
        kept[name] = _shown(name, frames, len(frames))
    fusions = USUAL_FUSIONS if fusion is None else (fusion,)
    return report_bundle(bundle, chosen_on, from_disk | kept, fusions)


def _shown(title: str, frames: Iterable[LabelledFrame], count: int) -> Iterator[LabelledFrame]:
    """Hand out frames with a progress bar, which begins when the first is asked for."""
    from tqdm import tqdm

    yield from tqdm(frames, total=count, desc=title, unit='image', leave=False, disable=None)


def _print_parity(provenance: Mapping[str, Any]) -> None:
    print(f'all engines agree with PyTorch ({provenance["precision"]}); largest difference:')
    for stage, figures in provenance['parity'].items():
        words = [f'{name} {value:.1e}' for name, value in figures.items()]
        print(f'  {stage:7} {", ".join(words)}')


def _print_scores(scores: Mapping[str, Any]) -> None:
    for name, table in scores.items():
        print(f'{name} ({table["images"]} images), pooled hard Dice:')
        for row in table['results']:
            mode = f'{row["fusion"]}, K={row["regions"]}' if 'fusion' in row else row['mode']
            print(f'  {mode:12} {row["dice"]:.3f}')
