"""Tests of the ways to merge."""

from __future__ import annotations

import numpy as np
import pytest
from support.tiny_bundle import tiny_merge_table

from stseg_ros.config import FUSIONS
from stseg_ros.measure.study.merging import MEANINGS, merge_for_study
from stseg_ros.pipeline.fuse import merge_regions

BOX = np.array([[8, 0, 72, 48]], np.int32)


def maps(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (48, 96), np.uint8), rng.integers(0, 256, (1, 48, 64), np.uint8)


def merged(fusion: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return coarse, refined and merged logits of the region, as real numbers."""
    coarse_hw, refined_khw = maps()
    fused_hw = coarse_hw.copy()
    merge_for_study(fused_hw, BOX, refined_khw, fusion, tiny_merge_table())
    np.testing.assert_array_equal(fused_hw[:, :8], coarse_hw[:, :8])
    np.testing.assert_array_equal(fused_hw[:, 72:], coarse_hw[:, 72:])
    as_logits = [
        (part.astype(float) - 128) / 16
        for part in (coarse_hw[:, 8:72], refined_khw[0], fused_hw[:, 8:72])
    ]
    return as_logits[0], as_logits[1], as_logits[2]


@pytest.mark.parametrize('fusion', FUSIONS)
def test_the_pipelines_own_are_its_own(fusion: str) -> None:
    coarse_hw, refined_khw = maps()
    fused_hw, expected_hw = coarse_hw.copy(), coarse_hw.copy()
    merge_for_study(fused_hw, BOX, refined_khw, fusion, tiny_merge_table())
    merge_regions(expected_hw, BOX, refined_khw, fusion, tiny_merge_table())
    np.testing.assert_array_equal(fused_hw, expected_hw)


@pytest.mark.parametrize(('fusion', 'weight'), [('add_half', 0.5), ('add_twice', 2.0)])
def test_weights_are_on_the_refined_logits(fusion: str, weight: float) -> None:
    coarse_hw, refined_hw, fused_hw = merged(fusion)
    expected_hw = np.clip(coarse_hw + weight * refined_hw, -8.0, 127 / 16)
    np.testing.assert_allclose(fused_hw, expected_hw, atol=0.5 / 16 + 1e-9)


@pytest.mark.parametrize('fusion', ['add_feather', 'paste_feather'])
def test_feathering_is_the_fusion_inside_and_coarse_at_the_edge(fusion: str) -> None:
    coarse_hw, refined_hw, fused_hw = merged(fusion)
    full_hw = merged(fusion.removesuffix('_feather'))[2]
    np.testing.assert_array_equal(fused_hw[16:-16, 16:-16], full_hw[16:-16, 16:-16])
    # Half a pixel from the edge, a thirty-second of the way.
    kept = coarse_hw if fusion == 'add_feather' else coarse_hw * 31 / 32
    expected = (kept + refined_hw / 32)[0, 1:-1]
    np.testing.assert_allclose(fused_hw[0, 1:-1], np.clip(expected, -8, 127 / 16), atol=1 / 16)


def test_average_and_the_surer_one_give_the_mask_of_add() -> None:
    # Why the study does not have them: at a threshold of 0.5 only the sign counts.
    coarse_hw, refined_hw, added_hw = merged('add')
    surer_hw = np.where(np.abs(refined_hw) > np.abs(coarse_hw), refined_hw, coarse_hw)
    np.testing.assert_array_equal((coarse_hw + refined_hw) / 2 > 0, added_hw > 0)
    tie = np.abs(refined_hw) == np.abs(coarse_hw)
    np.testing.assert_array_equal((surer_hw > 0)[~tie], (added_hw > 0)[~tie])


@pytest.mark.parametrize('fusion', MEANINGS)
def test_each_is_known_and_does_something(fusion: str) -> None:
    coarse_hw, _, fused_hw = merged(fusion)
    assert (coarse_hw != fused_hw).any()
