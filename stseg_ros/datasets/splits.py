"""Divide a data set's images into training, held-out and left-out ones."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from stseg_ros.datasets.vehicle_datasets import VehicleSample
from stseg_ros.errors import ConfigError, DataError

SPLIT_BY = ('scene', 'image')


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitRules:
    """Which images are kept from training.

    Each part is named either by patterns of image names or by a share of the images, which is
    then drawn: the same images for the same seed, whatever order files came to the disk in.

    Attributes:
        dev: patterns of the images held out for choosing thresholds and weights.
        dev_share: share of the images held out instead, in [0, 1).
        leave_out: patterns of the images that are neither trained on nor held out, such as a
            whole drive to score on.
        leave_out_share: share of the images left out instead, in [0, 1).
        split_by: 'scene' keeps all images of a street in one part; 'image' draws single images.
        split_seed: fixes what is drawn.
    """

    dev: tuple[str, ...] = ()
    dev_share: float = 0.0
    leave_out: tuple[str, ...] = ()
    leave_out_share: float = 0.0
    split_by: str = 'scene'
    split_seed: int = 0

    def check(self) -> None:
        """Check the values.

        Raises:
            ConfigError: a share is out of range, a part has both patterns and a share, or
                `split_by` is unknown.
        """
        for part in ('dev', 'leave_out'):
            share = getattr(self, f'{part}_share')
            if not 0 <= share < 1:
                raise ConfigError(f'{part}_share is {share}; give a share in [0, 1)')
            if share and getattr(self, part):
                raise ConfigError(f'give {part} patterns or {part}_share, not both')
        if self.dev_share + self.leave_out_share >= 1:
            raise ConfigError('dev_share and leave_out_share leave nothing to train on')
        if self.split_by not in SPLIT_BY:
            raise ConfigError(f"split_by is '{self.split_by}'; give one of {', '.join(SPLIT_BY)}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """A data set's images, divided; each part is sorted by name.

    Attributes:
        train: images to train on.
        dev: images held out for choosing thresholds and weights.
        left_out: images for neither.
    """

    train: tuple[VehicleSample, ...]
    dev: tuple[VehicleSample, ...]
    left_out: tuple[VehicleSample, ...]


def divide(samples: Sequence[VehicleSample], rules: SplitRules) -> Parts:
    """Divide samples by rules; what is left out goes first, then what is held out.

    Args:
        samples: of one data set and split.
        rules: what is kept from training.

    Returns:
        All samples, each in one part.

    Raises:
        DataError: a pattern matches nothing, or there are too few scenes to draw from.
    """
    left_out = _matching(samples, rules.leave_out, 'leave_out')
    left_out |= _drawn(samples, rules, rules.leave_out_share * len(samples), 'leave_out_share')
    rest = [sample for sample in samples if sample.name not in left_out]
    dev = _matching(samples, rules.dev, 'dev') - left_out
    dev |= _drawn(rest, rules, rules.dev_share * len(samples), 'dev_share')
    ordered = sorted(samples, key=lambda sample: sample.name)
    return Parts(
        train=tuple(s for s in ordered if s.name not in left_out | dev),
        dev=tuple(s for s in ordered if s.name in dev),
        left_out=tuple(s for s in ordered if s.name in left_out),
    )


def _matching(samples: Sequence[VehicleSample], patterns: Sequence[str], part: str) -> set[str]:
    matched = set()
    for pattern in patterns:
        found = {sample.name for sample in samples if fnmatchcase(sample.name, pattern)}
        if not found:
            # A misspelt pattern would train on what is to be scored.
            raise DataError(
                f"{samples[0].dataset}: {part} pattern '{pattern}' matches none of "
                f"{len(samples)} images, such as '{samples[0].name}'; correct the pattern"
            )
        matched |= found
    return matched


def _drawn(
    samples: Sequence[VehicleSample], rules: SplitRules, target: float, part: str
) -> set[str]:
    """Draw whole scenes whose images come to about the target, never all of them."""
    if not target:
        return set()
    scenes: dict[str, list[str]] = {}
    for sample in samples:
        key = sample.scene if rules.split_by == 'scene' else sample.name
        scenes.setdefault(key, []).append(sample.name)
    if len(scenes) < 2:
        raise DataError(
            f'{samples[0].dataset}: {part} draws whole scenes, but the {len(samples)} images to '
            'draw from are one scene; name images by patterns, or set split_by: image'
        )
    drawn: set[str] = set()
    passed = []
    for key in sorted(scenes, key=lambda key: _rank(key, rules.split_seed)):
        if len(drawn) + len(scenes[key]) <= target:
            drawn.update(scenes[key])
        else:
            passed.append(key)
    nearest = min(passed, key=lambda key: len(scenes[key]))
    excess = len(drawn) + len(scenes[nearest]) - target
    if len(passed) > 1 and (not drawn or excess < target - len(drawn)):
        drawn.update(scenes[nearest])
    return drawn


def _rank(key: str, seed: int) -> str:
    """Return a place in an order that depends on seed and scene alone."""
    return hashlib.sha256(f'{seed}/{key}'.encode()).hexdigest()
