"""Layers that the networks share, and the merging of their normalisation for export."""

from __future__ import annotations

import copy
from typing import TypeVar

import torch
from torch import nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval

NORMS = ('none', 'batch')

AnyModule = TypeVar('AnyModule', bound=nn.Module)


class ConvNorm(nn.Module):
    """A convolution of odd kernel that keeps or divides the size, and its normalisation."""

    def __init__(
        self, before: int, after: int, *, kernel: int = 3, stride: int = 1, norm: str = 'batch'
    ) -> None:
        """Build the layers with PyTorch's default initialisation.

        Args:
            before: channels in.
            after: channels out.
            kernel: side of the kernel, odd.
            stride: 1 or 2; an odd size is halved upwards.
            norm: one of `NORMS`.
        """
        super().__init__()
        self.conv = nn.Conv2d(before, after, kernel, stride, kernel // 2, bias=norm == 'none')
        self.norm = norm_layer(after, norm)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Convolve and normalise (N, before, H, W) to (N, after, H / stride, W / stride)."""
        normalised: torch.Tensor = self.norm(self.conv(features))
        return normalised


class UpConvNorm(nn.Module):
    """A transposed convolution of stride 2, and its normalisation."""

    def __init__(self, before: int, after: int, *, norm: str = 'batch') -> None:
        """Build the layers with PyTorch's default initialisation.

        Args:
            before: channels in.
            after: channels out.
            norm: one of `NORMS`.
        """
        super().__init__()
        self.conv = nn.ConvTranspose2d(before, after, 3, 2, 1, bias=norm == 'none')
        self.norm = norm_layer(after, norm)

    def forward(self, features: torch.Tensor, size_hw: tuple[int, int]) -> torch.Tensor:
        """Double the size of (N, before, h, w) to `size_hw`, each 2 h or 2 h - 1."""
        # A stride-2 convolution maps lengths 2n - 1 and 2n alike to n: the wanted size decides.
        features = functional.conv_transpose2d(
            features,
            self.conv.weight,
            self.conv.bias,
            stride=2,
            padding=1,
            output_padding=[1 - length % 2 for length in size_hw],
        )
        normalised: torch.Tensor = self.norm(features)
        return normalised


def norm_layer(channels: int, norm: str) -> nn.Module:
    """Build the normalisation of one layer.

    Args:
        channels: how many are normalised.
        norm: one of `NORMS`.

    Returns:
        The layer; one that does nothing for 'none'.
    """
    return nn.BatchNorm2d(channels) if norm == 'batch' else nn.Identity()


def without_norms(network: AnyModule) -> AnyModule:
    """Merge batch normalisation into the convolutions, for export.

    Args:
        network: left as it is.

    Returns:
        A copy in evaluation mode, without normalisation, that gives the same output as the
        network in evaluation mode.
    """
    plain = copy.deepcopy(network).eval()
    for module in plain.modules():
        if isinstance(module, (ConvNorm, UpConvNorm)) and isinstance(module.norm, nn.BatchNorm2d):
            module.conv = fuse_conv_bn_eval(
                module.conv, module.norm, transpose=isinstance(module, UpConvNorm)
            )
            module.norm = nn.Identity()
    return plain
