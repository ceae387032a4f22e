"""Find image and label files by pattern, and pair those that belong together."""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from stseg_ros.errors import DataError

IMAGE_SUFFIXES = ('.png', '.jpg', '.jpeg', '.bmp', '.tif', '.tiff')
# A lossy format would smear label values.
LABEL_SUFFIXES = ('.png', '.bmp', '.tif', '.tiff')

_NAMED = 3
_WILDCARD = re.compile(r'(\*\*/|\*)')


@dataclass(frozen=True, slots=True, kw_only=True)
class FilePair:
    """An image file and its label file.

    Attributes:
        image_path: the image.
        label_path: the label.
        parts: what the wildcards of the patterns stand for, neither empty nor twice in a row;
            `('drive_1', '0001')` for `images/drive_1/0001.png` found by `images/*/*`.
    """

    image_path: Path
    label_path: Path
    parts: tuple[str, ...]

    @property
    def name(self) -> str:
        """The parts as one word; the file name without suffix for plain folders."""
        return '_'.join(self.parts)


def pair_files(
    root: Path, images: str, labels: str, *, what: str, advice: str
) -> tuple[list[FilePair], int]:
    """Pair the images and labels for which the wildcards of the two patterns stand for the same.

    A pattern is a folder, or a path with `*` (a name or a part of it) and `**` (folders of any
    depth), relative to the root. `images/*` and `masks/*_mask.png` pair `images/a.jpg` with
    `masks/a_mask.png`. A folder stands for `folder/*`. Suffixes left open may differ.

    Args:
        root: folder of the data set.
        images: pattern of the images.
        labels: pattern of the labels.
        what: the data set and split, for messages.
        advice: how to mend a data set that is incomplete, for messages.

    Returns:
        At least one pair, sorted by name, and the number of labels that have no image.

    Raises:
        DataError: there are no images, two images have the same name, or images lack labels.
    """
    found_images = _find(root, images, IMAGE_SUFFIXES, what)
    found_labels = _find(root, labels, LABEL_SUFFIXES, what)
    if not found_images:
        raise DataError(
            f'{what}: no images; looked for {_as_pattern(images)} ({_listed(IMAGE_SUFFIXES)}) '
            f'in {root} and found 0, and {len(found_labels)} labels; {advice}'
        )
    alone = sorted('_'.join(_parts(key)) for key in found_images.keys() - found_labels.keys())
    if alone:
        total = len(found_images)
        raise DataError(
            f'{what}: {len(alone)} of {total} images have no label: {name_some(alone)}; looked '
            f'for images {_as_pattern(images)} and labels {_as_pattern(labels)} '
            f'({_listed(LABEL_SUFFIXES)}) in {root}, found {total} and {len(found_labels)}, '
            f'{total - len(alone)} pair; {advice}'
        )
    pairs = [
        FilePair(image_path=path, label_path=found_labels[key], parts=_parts(key))
        for key, path in found_images.items()
    ]
    pairs.sort(key=lambda pair: pair.name)
    for pair, following in itertools.pairwise(pairs):
        if pair.name == following.name:
            raise DataError(_same_name(what, pair.image_path, following.image_path))
    return pairs, len(found_labels) - len(found_images)


def fixed_part(pattern: str) -> str:
    """Return the folder that a pattern starts from: `a/b` for `a/b/*.png`, or for `a/b`."""
    parts = PurePosixPath(_as_pattern(pattern)).parts
    first = next(index for index, part in enumerate(parts) if '*' in part)
    return str(PurePosixPath(*parts[:first]))


def name_some(names: Collection[str]) -> str:
    """Name the first three of some things, and say how many more there are.

    Args:
        names: their names.

    Returns:
        `a, b, c and 5 more`.
    """
    shown = ', '.join(list(names)[:_NAMED])
    return shown if len(names) <= _NAMED else f'{shown} and {len(names) - _NAMED} more'


def _find(
    root: Path, pattern: str, suffixes: tuple[str, ...], what: str
) -> dict[tuple[str | None, ...], Path]:
    """Return the files of a pattern by what its wildcards stand for."""
    pattern = _as_pattern(pattern)
    expression, suffix = _compile(pattern)
    found: dict[tuple[str | None, ...], Path] = {}
    for folder, subfolders, files in os.walk(root / fixed_part(pattern), followlinks=True):
        if '*' not in pattern.rpartition('/')[0]:
            subfolders.clear()  # only the file name varies, so nothing deeper can match
        for file in files:
            path = Path(folder, file)
            if path.suffix.lower() not in suffixes or suffix not in ('', path.suffix.lower()):
                continue
            matched = expression.fullmatch(path.relative_to(root).with_suffix('').as_posix())
            if matched is None:
                continue
            key = matched.groups()
            if key in found:
                raise DataError(_same_name(what, found[key], path))
            found[key] = path
    return found


def _compile(pattern: str) -> tuple[re.Pattern[str], str]:
    """Return what a path without its suffix must match, and the suffix ('' for any)."""
    stem, dot, suffix = pattern.rpartition('.')
    if not dot or '/' in suffix:
        stem, suffix = pattern, ''
    elif '*' in suffix:
        suffix = ''
    wildcards = {'**/': r'(?:(.+)/)?', '*': r'([^/]*)'}
    pieces = [wildcards.get(piece) or re.escape(piece) for piece in _WILDCARD.split(stem)]
    return re.compile(''.join(pieces)), f'.{suffix.lower()}' if suffix else ''


def _as_pattern(pattern: str) -> str:
    if '*' not in pattern:
        return f'{pattern.rstrip("/")}/*'
    return f'{pattern}/*' if pattern.endswith('**') else pattern


def _parts(key: tuple[str | None, ...]) -> tuple[str, ...]:
    parts: list[str] = []
    for part in '/'.join(part for part in key if part).split('/'):
        if not parts or part != parts[-1]:
            parts.append(part)
    return tuple(parts)


def _same_name(what: str, one: Path, other: Path) -> str:
    return f'{what}: {one} and {other} have the same name; rename or remove one of them'


def _listed(suffixes: tuple[str, ...]) -> str:
    return ', '.join(suffixes)
