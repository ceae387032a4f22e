"""The folders of a data set as its users have them on disk."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from stseg_ros.datasets.labels import LabelIds
from stseg_ros.datasets.pairing import fixed_part


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetLayout:
    """Where a data set keeps its files, and what its label values mean.

    Attributes:
        splits: split name to the patterns of images and labels, relative to the data set's root,
            see `stseg_ros.datasets.pairing.pair_files`; the first is taken where none is named.
        ids: what the label values mean.
        advice: how to get or complete the set.
        scene_pattern: regular expression that finds the scene in an image's name; empty takes
            the sub-folder, and without one every image for itself.
        wrappers: folders that the set's archives put around it.
        wrong_labels: names that are never returned because their labels are known to be wrong.
    """

    splits: Mapping[str, tuple[str, str]] = field(hash=False)
    ids: LabelIds
    advice: str
    scene_pattern: str = ''
    wrappers: tuple[str, ...] = ()
    wrong_labels: frozenset[str] = frozenset()

    @property
    def first_split(self) -> str:
        """The split taken where none is named."""
        return next(iter(self.splits))

    def inner_root(self, root: Path) -> Path:
        """Return the root, or the folder in it that an archive has put around the set."""
        starts = {fixed_part(pattern) for pair in self.splits.values() for pattern in pair}
        for folder in (root, *(root / wrapper for wrapper in self.wrappers)):
            if any((folder / start).is_dir() for start in starts):
                return folder
        return root

    def present_splits(self, root: Path) -> list[str]:
        """List the splits of which the images or the labels have a folder.

        Args:
            root: folder of the data set.

        Returns:
            Split names, in the layout's order.
        """
        inner = self.inner_root(root)
        return [
            split
            for split, pair in self.splits.items()
            if any((inner / fixed_part(pattern)).is_dir() for pattern in pair)
        ]

    def is_at(self, root: Path) -> bool:
        """Tell whether a folder looks like this data set: a split's images and labels are there.

        Args:
            root: any folder.

        Returns:
            True if both folders of a split are there.
        """
        return any(
            all((root / fixed_part(pattern)).is_dir() for pattern in pair)
            for pair in self.splits.values()
        )
