"""Tests of the doubt of single pixels."""

from __future__ import annotations

import math

import numpy as np
import pytest

from stseg_ros.pipeline.selectors.doubt import entropy_doubt, margin_doubt


def test_doubt_follows_its_definition() -> None:
    every_byte = np.arange(256, dtype=np.uint8).reshape(8, 32)
    margin, entropy = margin_doubt(every_byte), entropy_doubt(every_byte)
    assert margin.dtype == entropy.dtype == np.float32
    for byte, by_margin, by_entropy in zip(
        every_byte.ravel().tolist(), margin.ravel(), entropy.ravel(), strict=True
    ):
        chance = 1.0 / (1.0 + math.exp(-(byte - 128) / 16))
        bits = -chance * math.log2(chance) - (1 - chance) * math.log2(1 - chance)
        assert by_margin == pytest.approx(1 - abs(2 * chance - 1), abs=1e-5)
        assert by_entropy == pytest.approx(bits, abs=1e-5)


def test_sums_are_exact() -> None:
    # Then equal windows tie, whatever lies before them in the sum.
    doubt = margin_doubt(np.arange(256, dtype=np.uint8).reshape(8, 32)).ravel().astype(float)
    assert doubt.sum() == math.fsum(doubt)
    assert np.cumsum(doubt[::-1])[-1] == math.fsum(doubt)
