"""The model card: what a bundle was made from, what it scored, and what it may be used for."""

from __future__ import annotations

from typing import Any

from stseg_ros.bundle import Manifest

# Terms under which each data set is offered, and what they mean for weights trained on it.
_LICENCES = {
    'camvid': 'CamVid (Brostow et al., 2008 and 2009): offered for research with citation, '
    'without a formal licence; the 480x360 form of SegNet is marked CC BY-NC 4.0. Non-commercial.',
    'kitti': 'KITTI semantic segmentation (Alhaija et al., 2018; Geiger et al., 2012): '
    'CC BY-NC-SA 3.0. Attribution, non-commercial, share alike.',
    'bdd100k': 'BDD100K (Yu et al., 2020): free for educational, research and not-for-profit use; '
    'commercial use is reserved to members of its consortium.',
    'synthetic': 'Synthetic scenes drawn by this package: no restriction.',
    'folders': 'Your own images: their terms are yours to state.',
}
_RESTRICTED = ('camvid', 'kitti', 'bdd100k')
_RESTRICTED_TERMS = (
    'Weights trained on these images inherit the question of their terms: use this bundle for '
    'research and other non-commercial purposes, and train your own for anything else. None of '
    'the images is in this package.'
)
_WEIGHTS = (
    'The weights are those of the last step; no score chose among checkpoints. The ONNX files '
    'hold them rounded to FP16. Checked at export, on held-out images:'
)
_SCORING = (
    "Hard Dice at the images' own size, one training run. Fusion and threshold were chosen on the "
    'held-out images, by the mean over their data sets of the pooled Dice; validation images '
    'chose nothing. IoU, precision and recall are pooled.'
)
_LIMITS = """## Limits

Trained on few images of few places. Expect misses and false alarms at night, in rain, in other
countries, with unusual vehicles, and far away. Two such runs differ by one to two points of Dice.
Not for safety-related use."""
_CAVEATS = {
    'camvid val': 'These frames are one run of a drive of which other parts are in the training '
    'set, so the figures flatter the model.',
    'bdd100k val': 'So few images are a smoke test, not a BDD100K result.',
    'kitti held out': 'So few images are a smoke test, not a KITTI result; fusion and threshold '
    'were chosen on them.',
    'camvid held out': 'Fusion and threshold were chosen on these images.',
    'synthetic held out': 'Scenes from the same generator as the training scenes.',
}


def model_card(manifest: Manifest) -> str:
    """Write the card of a bundle.

    Args:
        manifest: with provenance as `training.export_bundle` and scores as `measure.bundle_report`
            write them.

    Returns:
        Markdown.
    """
    sections = [
        _summary(manifest),
        _use(manifest),
        _training(manifest.provenance),
        _scores(manifest),
        _LIMITS,
        _licence(manifest.provenance),
    ]
    return '\n\n'.join(sections) + '\n'


def _summary(manifest: Manifest) -> str:
    geometry, recommended = manifest.geometry, manifest.recommended
    height, width = geometry.working_hw
    rows, columns = geometry.grid
    return f"""# {manifest.name}

Vehicle segmentation of road images in two stages, after {manifest.provenance['method']}.
Every frame is resized to {width}x{height}. A coarse network sees it shrunk by \
{geometry.coarse_factor}; a refine network then sees the least confident of {rows} x {columns} \
regions of {width // columns}x{height // rows} pixels at full resolution.

Recommended: {recommended.regions} regions per frame, fusion `{recommended.fusion}`, threshold \
{recommended.threshold}."""


def _use(manifest: Manifest) -> str:
    return f"""## Input and output

Both networks take uint8 RGB images in NHWC order and give float32 logits; normalisation is inside
the graph. Classes: {', '.join(manifest.classes)}. Cars, vans, lorries and buses are all vehicles;
two-wheelers and people are not."""


def _training(provenance: dict[str, Any]) -> str:
    lines = ['## Training', '']
    lines += [
        '| network | architecture | parameters | steps x batch | loss | seed | minutes |',
        '| --- | --- | --- | --- | --- | --- | --- |',
    ]
    for stage, facts in provenance['networks'].items():
        network = f'{facts["architecture"]}, width {facts["width"]}, norm {facts["norm"]}'
        lines.append(
            f'| {stage} | {network} | {facts["parameters"] / 1e6:.2f} M '
            f'| {facts["steps"]} x {facts["batch"]} | {facts["loss"]} | {facts["seed"]} '
            f'| {facts["minutes"]:g} |'
        )
    lines += ['', 'Sources, with their share of the training views:', '']
    lines += [
        f'- {source["dataset"]}: {source["images"]} images, share {source["weight"]:g}'
        for source in provenance['sources']
    ]
    lines += [
        '',
        _WEIGHTS,
        '',
    ]
    lines += [
        f'- {stage}: FP16 changes {facts["labels_changed_by_fp16"]:.4%} of the labels; '
        'largest difference of a probability from PyTorch with the same weights: '
        + ', '.join(
            f'{backend} {worst:.1e}'
            for backend, worst in facts.items()
            if backend != 'labels_changed_by_fp16'
        )
        for stage, facts in provenance['parity'].items()
    ]
    return '\n'.join(lines)


def _scores(manifest: Manifest) -> str:
    lines = ['## Scores', '', _SCORING]
    for name, table in manifest.scores.items():
        lines += ['', f'### {name}: {table["images"]} images', '']
        if name in _CAVEATS:
            lines += [_CAVEATS[name], '']
        lines += [
            f'Backend {table["backend"]}; threshold {table["threshold"]}.',
            '',
            '| mode | regions | pooled Dice | mean image Dice | IoU | precision | recall |',
            '| --- | --- | --- | --- | --- | --- | --- |',
        ]
        for row in table['results']:
            mode = row['mode'] if row['mode'] == 'coarse' else f'{row["mode"]}, {row["fusion"]}'
            figures = ('dice', 'mean_image_dice', 'iou', 'precision', 'recall')
            cells = ' | '.join(f'{row[figure]:.3f}' for figure in figures)
            lines.append(f'| {mode} | {row["regions"]} | {cells} |')
    return '\n'.join(lines)


def _licence(provenance: dict[str, Any]) -> str:
    datasets = [source['dataset'] for source in provenance['sources']]
    lines = ['## Terms of the training data', '']
    lines += [f'- {_LICENCES[dataset]}' for dataset in datasets]
    if any(dataset in _RESTRICTED for dataset in datasets):
        lines += [
            '',
            _RESTRICTED_TERMS,
        ]
    return '\n'.join(lines)
