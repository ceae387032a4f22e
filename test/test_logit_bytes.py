"""Tests of logits in eight bits."""

from __future__ import annotations

import math

import numpy as np
import pytest

from stseg_ros.logit_bytes import probability, resize_logit_bytes, threshold_byte, to_bytes


def test_a_step_is_a_sixteenth_of_a_logit() -> None:
    logits = np.array([[0.0, 1.0, -1.0, 0.0625, 0.03, 2.5]], np.float32)
    assert to_bytes(logits).tolist() == [[128, 144, 112, 129, 128, 168]]


def test_what_is_sure_is_cut_off() -> None:
    logits = np.array([[-8.0, -9.0, -1e6, 7.9375, 8.0, 1e6]], np.float32)
    assert to_bytes(logits).tolist() == [[0, 0, 0, 255, 255, 255]]


def test_shape_is_kept() -> None:
    logits = np.zeros((3, 4, 5), np.float32)
    assert to_bytes(logits).shape == (3, 4, 5)
    assert to_bytes(logits).dtype == np.uint8


def test_probability_is_within_half_a_step() -> None:
    logits = np.linspace(-7.9, 7.9, 1001, dtype=np.float32)[None]
    exact = [1.0 / (1.0 + math.exp(-logit)) for logit in logits[0].tolist()]
    # The slope of the sigmoid is at most 1/4, half a step is 1/32.
    assert np.abs(probability(to_bytes(logits))[0] - exact).max() <= 1 / 128 + 1e-6


@pytest.mark.parametrize('threshold', [0.001, 0.1, 0.5, 0.6, 0.9, 0.999])
def test_bytes_above_the_threshold_byte_are_probabilities_above_it(threshold: float) -> None:
    for byte in range(256):
        above = 1.0 / (1.0 + math.exp(-(byte - 128) / 16)) > threshold
        assert (byte > threshold_byte(threshold)) == above


@pytest.mark.parametrize(('threshold', 'byte'), [(1e-9, 0), (1.0 - 1e-9, 254)])
def test_extreme_thresholds_leave_both_labels_possible(threshold: float, byte: int) -> None:
    assert threshold_byte(threshold) == byte


def test_resizing_never_shares_memory() -> None:
    logit_bytes = np.array([[0, 40]], np.uint8)
    assert not np.shares_memory(resize_logit_bytes(logit_bytes, (1, 2)), logit_bytes)


def test_resizing_is_bilinear_between_pixel_centres() -> None:
    logit_bytes = np.array([[0, 40]], np.uint8)
    # Centres of the four new pixels lie at -0.25, 0.25, 0.75 and 1.25 of the old grid.
    assert resize_logit_bytes(logit_bytes, (1, 4)).tolist() == [[0, 10, 30, 40]]
