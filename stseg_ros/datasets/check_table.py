"""The table of `stseg data check`, for terminals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from stseg_ros.datasets.pairing import name_some

_HEADER = (
    'split', 'images', 'scenes', 'sizes',
    'vehicle min', 'median', 'mean', 'max', 'ignored', 'no vehicle', 'unusable',
)  # fmt: skip
_LEFT = frozenset({'split', 'sizes'})


def format_table(datasets: Sequence[Mapping[str, Any]]) -> str:
    """Lay out what was found.

    Args:
        datasets: each with `dataset`, `folder` and `splits`, these of `SplitCheck.summary`.

    Returns:
        For each data set its name, a table with a line per split, and notes.
    """
    return '\n\n'.join(_format_dataset(dataset) for dataset in datasets)


def _format_dataset(dataset: Mapping[str, Any]) -> str:
    splits = dataset['splits']
    lines = [_HEADER, *(_cells(split) for split in splits)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(_HEADER))]
    rows = [
        '  '.join(
            cell.ljust(width) if name in _LEFT else cell.rjust(width)
            for name, cell, width in zip(_HEADER, line, widths, strict=True)
        ).rstrip()
        for line in lines
    ]
    notes = [note for split in splits for note in _notes(split)]
    return '\n'.join([f'{dataset["dataset"]} in {dataset["folder"]}', *rows, *notes])


def _cells(split: Mapping[str, Any]) -> tuple[str, ...]:
    sizes = [f'{size} ({count})' for size, count in split['sizes'].items()]
    shares = [split['vehicle_share'][name] for name in ('min', 'median', 'mean', 'max')]
    return (
        split['split'],
        str(split['images']),
        str(split['scenes']),
        next(iter(split['sizes'])) if len(sizes) == 1 else name_some(sizes) or '-',
        *('-' if share is None else f'{share:.1%}' for share in (*shares, split['ignored_share'])),
        str(len(split['without_vehicle'])),
        str(len(split['unreadable'])),
    )


def _notes(split: Mapping[str, Any]) -> list[str]:
    name = split['split']
    notes = []
    if split['labels_without_image']:
        notes.append(f'{name}: {split["labels_without_image"]} labels have no image')
    if split['known_wrong_labels']:
        names = name_some(split['known_wrong_labels'])
        notes.append(f'{name}: left out, for its label is known to be wrong: {names}')
    if split['without_vehicle']:
        notes.append(f'{name}: no vehicle in {name_some(split["without_vehicle"])}')
    notes += [f'{name}: {problem}' for problem in split['unreadable'][:3]]
    return [f'note: {note}' for note in notes]
