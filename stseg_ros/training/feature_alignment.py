"""Features that mean the same in several networks, found in their decoders' maps.

Networks trained apart have maps whose channels have nothing to do with each other, but what the
channels say together is much the same. Of one network, the main one, those directions are taken
that the others' maps tell best, after what its logits tell already; each of the others then gets
the linear map that tells them. It is canonical correlation with one side fixed, in closed form.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from stseg_ros.errors import ConfigError, StsegError

Float64Array = npt.NDArray[np.float64]

# Added to variances, as a share of the mean variance of a channel: directions in which a map
# hardly varies would be enlarged to noise.
_RIDGE = 1e-3


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Projection:
    """A linear map from a decoder's channels to features.

    Attributes:
        weight_fc: (F, C) float64.
        bias_f: (F,) float64.
    """

    weight_fc: Float64Array
    bias_f: Float64Array


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SharedFeatures:
    """Features that several networks have.

    Attributes:
        main: of the main network.
        others: of the others, in order.
        shared: for each feature the share of its variance that the others tell, their mean, in
            [0, 1], highest first.
    """

    main: Projection
    others: tuple[Projection, ...]
    shared: tuple[float, ...]


class JointMoments:
    """Means and covariances of two networks' maps over the same places, gathered bit by bit."""

    def __init__(self, main: int, other: int) -> None:
        """Start empty.

        Args:
            main: channels of the main network's map.
            other: channels of the other's.
        """
        self._main = main
        self._count = 0
        self._sum = np.zeros(main + other)
        self._products = np.zeros((main + other, main + other))

    def add(self, main_cp: npt.NDArray[np.float32], other_cp: npt.NDArray[np.float32]) -> None:
        """Count in the maps of an image.

        Args:
            main_cp: (C, P) float32 channels of the main network at P places.
            other_cp: (C', P) float32 of the other at the same places.
        """
        both = np.concatenate([main_cp, other_cp]).astype(np.float64)
        self._count += both.shape[1]
        self._sum += both.sum(axis=1)
        self._products += both @ both.T

    @property
    def means(self) -> tuple[Float64Array, Float64Array]:
        """(C,) and (C',): the mean of each channel."""
        mean = self._sum / self._count
        return mean[: self._main], mean[self._main :]

    @property
    def covariances(self) -> tuple[Float64Array, Float64Array, Float64Array]:
        """(C, C) within the main map, (C, C') between both, (C', C') within the other."""
        mean = self._sum / self._count
        whole = self._products / self._count - np.outer(mean, mean)
        main = self._main
        return whole[:main, :main], whole[:main, main:], whole[main:, main:]


def align(
    head_qc: npt.NDArray[Any], moments: Sequence[JointMoments], features: int, spread: float
) -> SharedFeatures:
    """Find the features that all networks share most.

    Args:
        head_qc: (Q, C) weights by which the main network reads its logits off its map; the
            features are not correlated with those.
        moments: of the main network and each other one, at least one, over images that both were
            trained on.
        features: how many, F.
        spread: standard deviation that they are given; their mean is 0.

    Returns:
        The features in each network; they are not correlated with each other in the main one.

    Raises:
        ConfigError: the map has too few channels.
        StsegError: a map is the same everywhere.
    """
    within = np.mean([moment.covariances[0] for moment in moments], axis=0)
    mean = np.mean([moment.means[0] for moment in moments], axis=0)
    channels, logits = within.shape[0], len(head_qc)
    check_channels(channels, logits, features)
    if any(np.trace(part) <= 0.0 for moment in moments for part in moment.covariances[::2]):
        raise StsegError(
            'a coarse network gives the same decoder map everywhere, of which no features can be '
            'made; train it for longer, or at a lower learning rate'
        )
    tellers = [_teller(moment) for moment in moments]
    told = np.mean(
        [
            moment.covariances[1] @ teller.T
            for moment, teller in zip(moments, tellers, strict=True)
        ],
        axis=0,
    )
    directions_fc = _best_directions(head_qc.astype(np.float64), within, told, features)
    variance = _variances(directions_fc, within)
    weight_fc = spread / np.sqrt(variance)[:, None] * directions_fc
    main = Projection(weight_fc=weight_fc, bias_f=-weight_fc @ mean)
    return SharedFeatures(
        main=main,
        others=tuple(
            _told_by(main, moment, teller) for moment, teller in zip(moments, tellers, strict=True)
        ),
        shared=tuple(float(share) for share in _variances(directions_fc, told) / variance),
    )


def check_channels(channels: int, logits: int, features: int) -> None:
    """Check that a decoder's map has room for features beside the logits.

    Args:
        channels: of the map.
        logits: read off it.
        features: wanted.

    Raises:
        ConfigError: it has too few channels.
    """
    room = max(0, channels - logits)
    if features > room:
        raise ConfigError(
            f'geometry: prior_features is {features}, but the coarse network has {channels} '
            f'channels to read {logits} logits and the features off; give at most {room}, or a '
            'wider network'
        )


def _teller(moment: JointMoments) -> Float64Array:
    """(C, C'): the linear map from the other network's channels to the main one's."""
    _, between, other = moment.covariances
    solved = np.linalg.solve(_with_ridge(other), between.T).T
    return np.asarray(solved, np.float64)


def _best_directions(
    head_qc: Float64Array, within: Float64Array, told: Float64Array, features: int
) -> Float64Array:
    """(F, C): combinations of channels that are told best, not correlated with the logits."""
    # Rows of the last part span all that has no covariance with any logit.
    _, _, basis = np.linalg.svd(head_qc @ within)
    free_rc = basis[len(head_qc) :]
    root = np.linalg.cholesky(_with_ridge(free_rc @ within @ free_rc.T))
    half = np.linalg.solve(root, free_rc @ (told + told.T) @ free_rc.T / 2.0)
    _, vectors = np.linalg.eigh(np.linalg.solve(root, half.T))
    best_rf = np.linalg.solve(root.T, vectors[:, ::-1][:, :features])
    return np.asarray(best_rf.T @ free_rc, np.float64)


def _told_by(main: Projection, moment: JointMoments, teller: Float64Array) -> Projection:
    """Make another network tell the main one's features, at their full spread."""
    within, _, other = moment.covariances
    main_mean, other_mean = moment.means
    weight_fc = main.weight_fc @ teller
    # What is told of a feature varies less than the feature itself.
    full = np.sqrt(_variances(main.weight_fc, within) / _variances(weight_fc, other))
    weight_fc = full[:, None] * weight_fc
    bias_f = main.bias_f + main.weight_fc @ main_mean - weight_fc @ other_mean
    return Projection(weight_fc=weight_fc, bias_f=bias_f)


def _variances(weight_fc: Float64Array, covariance: Float64Array) -> Float64Array:
    """(F,): the variance of each combination of channels."""
    return np.asarray(np.einsum('fc,cd,fd->f', weight_fc, covariance, weight_fc), np.float64)


def _with_ridge(covariance: Float64Array) -> Float64Array:
    channels = len(covariance)
    ridged: Float64Array = covariance + _RIDGE * np.trace(covariance) / channels * np.eye(channels)
    return ridged
