"""What the networks have in common: all they say is read off the decoder's last map."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import nn
from torch.nn import functional


class DecoderNetwork(nn.Module, ABC):
    """Fully convolutional network whose logits, and features, are 1x1 convolutions of one map.

    Attributes:
        head: gives the logits: one for each pixel that a position of the map stands for.
        project: gives the features, once for each position; None for a network without.
    """

    head: nn.Conv2d
    project: nn.Conv2d | None

    def set_heads(self, channels: int, *, stride: int, features: int) -> None:
        """Build the convolutions that read the map, with PyTorch's default initialisation.

        Args:
            channels: of the map.
            stride: pixels that a position of the map stands for, in each axis.
            features: how many features the network gives; 0 for none.
        """
        self._stride = stride
        self.head = nn.Conv2d(channels, stride * stride, kernel_size=1)
        self.project = nn.Conv2d(channels, features, kernel_size=1) if features else None

    @abstractmethod
    def decode(self, image_nchw: torch.Tensor) -> torch.Tensor:
        """Compute the decoder's last map.

        Args:
            image_nchw: (N, inputs, H, W) normalised images.

        Returns:
            (N, C, h, w), with h and w the image's size by the stride, rounded up.
        """
        ...

    def forward(self, image_nchw: torch.Tensor) -> torch.Tensor:
        """Compute the logits of a batch, and the features of a network that gives some.

        Args:
            image_nchw: (N, inputs, H, W) normalised images.

        Returns:
            (N, 1, H, W) logits, or (N, 1 + F, H, W) logits and features.
        """
        decoded = self.decode(image_nchw)
        planes: torch.Tensor = self.head(decoded)
        if self._stride > 1:
            planes = functional.pixel_shuffle(planes, self._stride)
        if self.project is not None:
            size = [length * self._stride for length in decoded.shape[2:]]
            features = functional.interpolate(
                self.project(decoded), size=size, mode='bilinear', align_corners=False
            )
            planes = torch.cat((planes, features), dim=1)
        if self._stride == 1:
            return planes
        # An odd length is halved upwards, which leaves one row or column too many.
        return planes[:, :, : image_nchw.shape[2], : image_nchw.shape[3]]
