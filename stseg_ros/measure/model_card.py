"""The model card: what a bundle was made from, what it scored, and what it may be used for."""

from __future__ import annotations

from typing import Any

from stseg_ros.bundle import Manifest
from stseg_ros.config import GRID, MARGIN, RecommendedSettings

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
_EXPORTED = {
    'last': 'The weights are those of the last step; no score chose among checkpoints.',
    'best': 'The weights are those that scored best on the held-out images.',
}
_PRECISIONS = {
    'half_weights': 'The ONNX files store the weights as FP16 and compute in float32.',
    'float32': 'The ONNX files store the weights as float32 and compute in float32.',
    'float16': 'The ONNX files are strongly typed FP16: every weight, and every activation from '
    'the first convolution on, as TensorRT from 10.12 on wants them. For a CPU take '
    '`half_weights`, which is as small and nearer to what was trained.',
}
_SCORING = (
    "Hard Dice at the images' own size, from a single training run with a single seed; another "
    'seed may differ by points, on small sets by many. The threshold, and the fusion where none '
    'was asked for, were chosen on the held-out images, by the mean over their data sets of the '
    'pooled Dice; no other image chose either. The selector was given, not chosen. IoU, precision '
    'and recall are pooled. The last row of each table merges as the paper does.'
)
_WHOLE = (
    '`whole` is the baseline: one network on the whole frame at the working size, with a '
    'threshold of its own, chosen likewise.'
)
_LIMITS = """## Limits

Trained on few images of few places. Expect misses and false alarms at night, in rain, in other
countries, with unusual vehicles, and far away. Not for safety-related use."""
CAVEATS = {
    'camvid val': 'These frames are one run of a drive of which other parts are in the training '
    'set, so the figures flatter the model.',
    'bdd100k val': 'So few images are a smoke test, not a BDD100K result.',
    'kitti held out': 'So few images are a smoke test, not a KITTI result; fusion and threshold '
    'were chosen on them.',
    'camvid held out': 'Fusion and threshold were chosen on these images.',
    'synthetic held out': 'Scenes from the same generator as the training scenes.',
}
_LEFT_OUT_CAVEAT = 'Neither trained on nor used to choose fusion or threshold.'


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
        _networks(manifest),
        _training(manifest.provenance),
        _parity(manifest.provenance),
        _scores(manifest.scores),
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
{geometry.coarse_factor}; a refine network then sees some of the frame at full resolution, in \
regions of {width // columns}x{height // rows} pixels, {rows} x {columns} of which would fill it.

Recommended: {_regions(recommended)}, fusion `{recommended.fusion}`, threshold \
{recommended.threshold}.{_learned(manifest.provenance)}"""


def _regions(recommended: RecommendedSettings) -> str:
    """Say how many regions are refined, and what chooses them."""
    # Only the paper's cells, and those by margin, are always as many as allowed.
    at_most = '' if recommended.selector in (GRID, MARGIN) else 'at most '
    return f'{at_most}{recommended.regions} regions per frame, chosen by `{recommended.selector}`'


def _learned(provenance: dict[str, Any]) -> str:
    """Say what was fitted to the held-out images, if anything."""
    if 'learned' not in provenance:
        return ''
    return (
        f'\n\nFusion and selector `learned` were fitted to {provenance["learned"]["images"]} of '
        'the held-out images: scores of those flatter them.'
    )


def _use(manifest: Manifest) -> str:
    classes = ', '.join(manifest.classes)
    return f"""## Input and output

Both networks take uint8 RGB images in NHWC order and give float32 logits; normalisation is inside
the graph.{_priors(manifest)} Classes: {classes}. Cars, vans, lorries and buses are all
vehicles; two-wheelers and people are not."""


def _priors(manifest: Manifest) -> str:
    """Say what the refine network sees beside the image, if anything."""
    geometry = manifest.geometry
    if not geometry.prior:
        return ''
    if not geometry.prior_features:
        return ' The refine network takes the logits of the coarse one as a fourth channel.'
    height, width = geometry.coarse_hw
    return (
        f' The coarse network gives 1 x {1 + geometry.prior_features} x {height} x {width}: its '
        f'logits, and {geometry.prior_features} features of its decoder on their scale. The '
        'refine network takes all of these as further channels, as bytes of 128 + 16 times the '
        'value.'
    )


def _networks(manifest: Manifest) -> str:
    facts_of = manifest.provenance['networks']
    rows = [
        [
            stage,
            f'{facts["architecture"]}, width {facts["width"]}, norm {facts["norm"]}',
            f'{facts["parameters"] / 1e6:.2f} M',
            f'{facts["macs"] / 1e9:.3f} G',
        ]
        for stage, facts in facts_of.items()
    ]
    regions = manifest.recommended.regions
    total = facts_of['coarse']['macs'] + regions * facts_of['refine']['macs']
    cost = (
        f'A frame with {regions} regions costs {total / 1e9:.2f} G multiply-accumulates (those of '
        'convolutions and matrix products; a transposed convolution counts its input positions).'
    )
    columns = ['network', 'architecture', 'parameters', 'MACs per input']
    lines = ['## Networks', '', *_table(columns, rows), '', cost]
    if 'whole' in facts_of:
        where = 'not in' if manifest.networks.whole is None else 'in'
        lines.append(f'`whole`, a baseline to compare with, is {where} this bundle.')
    return '\n'.join(lines)


def _training(provenance: dict[str, Any]) -> str:
    columns = ['network', 'steps x batch', 'loss', 'EMA', 'seed', 'minutes', 'arithmetic']
    rows = [
        [
            stage,
            f'{facts["steps"]} x {facts["batch"]}',
            facts['loss'],
            f'{facts["ema"]:g}' if facts['ema'] else 'none',
            str(facts['seed']),
            f'{facts["minutes"]:g}',
            facts['arithmetic'],
        ]
        for stage, facts in provenance['networks'].items()
    ]
    lines = ['## Training', '', *_table(columns, rows)]
    lines += ['', _EXPORTED[provenance['weights']], '']
    lines += ['Sources, with their share of the training views:', '']
    lines += [_source_line(source) for source in provenance['sources']]
    return '\n'.join(lines)


def _source_line(source: dict[str, Any]) -> str:
    name, dataset = source['name'], source['dataset']
    words = [
        f'- {name}' + (f' ({dataset})' if dataset != name else ''),
        f': {source["images"]} images, share {source.get("weight", 0):g}',
    ]
    if 'held_out' in source:
        words.append(f'; {source["held_out"]} held out for choices')
    if 'left_out' in source:
        words.append(f'; left out of training and choices: {source["left_out"]}')
    return ''.join(words)


def _parity(provenance: dict[str, Any]) -> str:
    precision, bounds = provenance['precision'], provenance['parity_bounds']
    reference = 'the trained network' if precision == 'float16' else 'the same weights'
    found = list(provenance['parity'].values())
    backends = [name for name in found[0] if name != 'labels_changed']
    rows = [
        [
            stage,
            *(f'{figures[backend]:.1e}' for backend in backends),
            f'{figures["labels_changed"]:.4%}',
        ]
        for stage, figures in provenance['parity'].items()
    ]
    check = (
        'Checked at export on real images: the largest difference of a probability from PyTorch '
        f'in float32 with {reference}, at most {bounds["probability"]:g}, and the labels that the '
        f'export changes, at most {bounds["labels_changed"]:.1%}; beyond either the export fails.'
    )
    table = _table(['network', *backends, 'labels changed'], rows)
    return '\n'.join(['## Precision', '', _PRECISIONS[precision], check, '', *table])


def _scores(scores: dict[str, Any]) -> str:
    if not scores:
        return '## Scores\n\nNot scored; `stseg evaluate` does it.'
    modes = {row['mode'] for table in scores.values() for row in table['results']}
    lines = ['## Scores', '', _SCORING, *([_WHOLE] if 'whole' in modes else [])]
    columns = ['mode', 'regions', 'pooled Dice', 'mean image Dice', 'IoU', 'precision', 'recall']
    for name, table in scores.items():
        count = table['images']
        lines += ['', f'### {name}: {count} image{"s" if count != 1 else ""}', '']
        caveat = _LEFT_OUT_CAVEAT if ' left out ' in name else CAVEATS.get(name)
        if caveat:
            lines += [caveat, '']
        lines += [f'Backend {table["backend"]}; threshold {table["threshold"]:g}.', '']
        lines += _table(columns, [_score_cells(row) for row in table['results']])
    return '\n'.join(lines)


def _score_cells(row: dict[str, Any]) -> list[str]:
    mode = row['mode']
    if 'fusion' in row:
        mode += f', {row["fusion"]}'
    if 'threshold' in row:
        mode += f', threshold {row["threshold"]:g}'
    figures = ('dice', 'mean_image_dice', 'iou', 'precision', 'recall')
    return [mode, str(row['regions']), *(f'{row[figure]:.3f}' for figure in figures)]


def _table(columns: list[str], rows: list[list[str]]) -> list[str]:
    lines = [columns, ['---'] * len(columns), *rows]
    return [f'| {" | ".join(cells)} |' for cells in lines]


def _licence(provenance: dict[str, Any]) -> str:
    datasets = list(dict.fromkeys(source['dataset'] for source in provenance['sources']))
    lines = ['## Terms of the training data', '']
    lines += [f'- {_LICENCES[dataset]}' for dataset in datasets]
    if any(dataset in _RESTRICTED for dataset in datasets):
        lines += ['', _RESTRICTED_TERMS]
    return '\n'.join(lines)
