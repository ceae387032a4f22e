"""A network as the engines see it: uint8 images in, logits out, normalisation inside."""

from __future__ import annotations

import torch
from torch import nn

# Mean and spread of ImageNet's channels, in grey levels; any fixed constants would do.
MEAN_RGB = (123.7, 116.3, 103.5)
STD_RGB = (58.4, 57.1, 57.4)


class ImageNetwork(nn.Module):
    """Wrap a network so that training and run time cannot disagree on its input."""

    mean: torch.Tensor
    std: torch.Tensor

    def __init__(self, network: nn.Module) -> None:
        """Wrap a network.

        Args:
            network: maps (N, 3, h, w) normalised images to (N, 1, h, w) logits.
        """
        super().__init__()
        self.network = network
        self.register_buffer('mean', torch.tensor(MEAN_RGB).view(1, 3, 1, 1), persistent=False)
        self.register_buffer('std', torch.tensor(STD_RGB).view(1, 3, 1, 1), persistent=False)

    def forward(self, image_nhwc: torch.Tensor) -> torch.Tensor:
        """Compute the logits of a batch.

        Args:
            image_nhwc: (N, h, w, 3) uint8 RGB.

        Returns:
            (N, h, w) float32 logits.
        """
        image_nchw = image_nhwc.permute(0, 3, 1, 2).float()
        logits: torch.Tensor = self.network((image_nchw - self.mean) / self.std)
        return logits.squeeze(1).float()
