"""The exponential moving average of a network's weights."""

from __future__ import annotations

import copy

import torch

from stseg_ros.networks.image_network import ImageNetwork


class WeightAverage:
    """Follows the weights of a network in training.

    Attributes:
        model: the network with averaged weights, in evaluation mode.
    """

    def __init__(self, model: ImageNetwork, decay: float) -> None:
        """Start from the network as it is.

        Args:
            model: the network in training.
            decay: share of the average that a step keeps, in [0, 1).
        """
        self.model = copy.deepcopy(model).eval().requires_grad_(requires_grad=False)
        self._decay = decay

    @torch.no_grad()
    def update(self, model: ImageNetwork, step: int) -> None:
        """Take the weights of one step into the average.

        Args:
            model: the network after the step.
            step: counted from 0; the first steps count for more, so that the average does not
                remember the initial weights.
        """
        decay = min(self._decay, (1 + step) / (10 + step))
        for average, weight in zip(self.model.parameters(), model.parameters(), strict=True):
            average.lerp_(weight, 1.0 - decay)
        # Statistics of batch normalisation are moving averages already.
        for copied, buffer in zip(self.model.buffers(), model.buffers(), strict=True):
            copied.copy_(buffer)
