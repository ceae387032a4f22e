"""Tests of finding what several maps share, on maps that were mixed from known sources."""

from __future__ import annotations

import numpy as np
import pytest

from stseg_ros.errors import ConfigError, StsegError
from stseg_ros.training.feature_alignment import JointMoments, Projection, SharedFeatures, align

PLACES = 4000
SPREAD = 3.0


class Mixed:
    """Maps of a main network and two others: three shared sources, and some that each has alone.

    The first source is the main network's logit. The second is told by the others exactly, the
    third is half noise of their own there.
    """

    def __init__(self, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        self.sources = rng.normal(size=(3, PLACES))
        alone = rng.normal(size=(3, PLACES))
        mixing = rng.normal(size=(6, 6))
        self.main = (mixing @ np.concatenate([self.sources, alone])).astype(np.float32) + 5.0
        # Reads the first source off the main map.
        self.head = np.linalg.inv(mixing)[:1].astype(np.float32)
        self.others = []
        for _ in range(2):
            seen = self.sources.copy()
            seen[2] = (seen[2] + rng.normal(size=PLACES)) / np.sqrt(2.0)
            own = rng.normal(size=(2, PLACES))
            mixing = rng.normal(size=(5, 5))
            other = mixing @ np.concatenate([seen, own]) - 2.0
            self.others.append(other.astype(np.float32))

    def aligned(self, features: int) -> SharedFeatures:
        moments = []
        for other in self.others:
            moment = JointMoments(6, 5)
            # In two parts, as images come one by one.
            for part in (slice(0, 1000), slice(1000, None)):
                moment.add(self.main[:, part], other[:, part])
            moments.append(moment)
        return align(self.head, moments, features, SPREAD)


def told(projection: Projection, map_cp: np.ndarray) -> np.ndarray:
    return projection.weight_fc @ map_cp + projection.bias_f[:, None]


def correlation(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.corrcoef(one, other)[0, 1])


def test_moments_are_means_and_covariances() -> None:
    rng = np.random.default_rng(4)
    both = rng.normal(size=(5, 300)).astype(np.float32)
    moment = JointMoments(2, 3)
    moment.add(both[:2, :100], both[2:, :100])
    moment.add(both[:2, 100:], both[2:, 100:])
    np.testing.assert_allclose(np.concatenate(moment.means), both.mean(axis=1), atol=1e-6)
    whole = np.cov(both, bias=True)
    for found, wanted in zip(
        moment.covariances, (whole[:2, :2], whole[:2, 2:], whole[2:, 2:]), strict=True
    ):
        np.testing.assert_allclose(found, wanted, atol=1e-6)


def test_the_most_shared_comes_first_and_the_logit_not_at_all() -> None:
    mixed = Mixed()
    found = mixed.aligned(3)
    first, second, third = told(found.main, mixed.main)
    assert abs(correlation(first, mixed.sources[1])) > 0.99
    assert abs(correlation(second, mixed.sources[2])) > 0.99
    for feature in (first, second, third):
        assert abs(correlation(feature, mixed.sources[0])) < 0.01
    # All of the second source, half of the third's variance, and nothing of what is left.
    np.testing.assert_allclose(found.shared, (1.0, 0.5, 0.0), atol=0.03)


def test_features_have_the_spread_asked_for_and_no_correlation() -> None:
    mixed = Mixed(1)
    values = told(mixed.aligned(4).main, mixed.main)
    np.testing.assert_allclose(values.mean(axis=1), 0.0, atol=1e-3)
    np.testing.assert_allclose(np.cov(values, bias=True), SPREAD**2 * np.eye(4), atol=0.05)


def test_a_feature_means_the_same_in_every_network() -> None:
    mixed = Mixed(2)
    found = mixed.aligned(2)
    main = told(found.main, mixed.main)
    for projection, other in zip(found.others, mixed.others, strict=True):
        values = told(projection, other)
        assert correlation(values[0], main[0]) > 0.99
        assert correlation(values[1], main[1]) == pytest.approx(np.sqrt(0.5), abs=0.03)
        # As widely spread as the main network's, though only half of it is told.
        np.testing.assert_allclose(values.std(axis=1), SPREAD, atol=0.05)
        np.testing.assert_allclose(values.mean(axis=1), 0.0, atol=0.05)


def test_a_channel_that_never_varies_does_no_harm() -> None:
    mixed = Mixed(3)
    mixed.main[3] = 0.0
    mixed.others[0][1] = 7.0
    found = mixed.aligned(2)
    assert np.isfinite(found.main.weight_fc).all()
    assert all(np.isfinite(other.weight_fc).all() for other in found.others)


def test_more_features_than_there_are_channels_to_spare_are_refused() -> None:
    message = 'prior_features is 6, but the coarse network has 6 channels to read 1 logits'
    with pytest.raises(ConfigError, match=message):
        Mixed().aligned(6)
    assert len(Mixed().aligned(5).shared) == 5


def test_a_map_that_is_the_same_everywhere_has_no_features() -> None:
    mixed = Mixed()
    mixed.others[0][:] = 0.25
    with pytest.raises(StsegError, match='the same decoder map everywhere'):
        mixed.aligned(2)
