"""A light modern network: residual encoder, feature pyramid decoder, global context.

Residual blocks after He et al., "Deep Residual Learning for Image Recognition", CVPR 2016; lateral
connections after Lin et al., "Feature Pyramid Networks for Object Detection", CVPR 2017. The work
is done at strides 2 to 16; the head predicts the four pixels of each stride-2 position at once.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from stseg_ros.networks.decoder_network import DecoderNetwork
from stseg_ros.networks.layers import ConvNorm

_BLOCKS = (1, 2, 2, 2)


class ResidualFpn(DecoderNetwork):
    """Fully convolutional network with one logit per pixel, for inputs of any size."""

    def __init__(self, *, width: int, norm: str, inputs: int = 3, features: int = 0) -> None:
        """Build the layers with PyTorch's default initialisation.

        Args:
            width: channels at stride 2, even; strides 4, 8 and 16 have 2, 3 and 4 times as many.
            norm: 'none' or 'batch'.
            inputs: channels of the input.
            features: how many features of the decoder it gives beside the logits.
        """
        super().__init__()
        channels = [width * level for level in (1, 2, 3, 4)]
        self.stem = ConvNorm(inputs, width, stride=2, norm=norm)
        self.stages = nn.ModuleList(
            _residual_stage(before, after, blocks, stride=1 if before == after else 2, norm=norm)
            for before, after, blocks in zip(
                [width, *channels[:-1]], channels, _BLOCKS, strict=True
            )
        )
        self.context = nn.Linear(channels[-1], channels[-1])
        outputs = [2 * width, width, width]
        self.merges = nn.ModuleList(
            _PyramidMerge(below, skip, after, norm=norm)
            for below, skip, after in zip(
                [channels[-1], *outputs[:-1]], channels[-2::-1], outputs, strict=True
            )
        )
        self.set_heads(outputs[-1], stride=2, features=features)

    def decode(self, image_nchw: torch.Tensor) -> torch.Tensor:
        """See `DecoderNetwork.decode`; the map has stride 2."""
        features: torch.Tensor = torch.relu(self.stem(image_nchw))
        skips = []
        for stage in self.stages:
            features = stage(features)
            skips.append(features)
        features = skips.pop()
        context = torch.relu(self.context(features.mean(dim=(2, 3))))
        features = features + context[:, :, None, None]
        for merge in self.merges:
            features = merge(features, skips.pop())
        return features


class _ResidualBlock(nn.Module):
    def __init__(self, before: int, after: int, *, stride: int, norm: str) -> None:
        super().__init__()
        self.first = ConvNorm(before, after, stride=stride, norm=norm)
        self.second = ConvNorm(after, after, norm=norm)
        same = stride == 1 and before == after
        self.skip = (
            nn.Identity() if same else ConvNorm(before, after, kernel=1, stride=stride, norm=norm)
        )

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        residual = self.second(torch.relu(self.first(features)))
        return torch.relu(residual + self.skip(features))


class _PyramidMerge(nn.Module):
    """Bring the deeper level to the size of the shallower one and add it."""

    def __init__(self, below: int, skip: int, after: int, *, norm: str) -> None:
        super().__init__()
        self.below = ConvNorm(below, after, kernel=1, norm=norm)
        self.skip = ConvNorm(skip, after, kernel=1, norm=norm)
        self.smooth = ConvNorm(after, after, norm=norm)

    def forward(self, below: torch.Tensor, skip: torch.Tensor) -> torch.Tensor:
        enlarged = functional.interpolate(
            self.below(below), size=skip.shape[2:], mode='bilinear', align_corners=False
        )
        return torch.relu(self.smooth(torch.relu(enlarged + self.skip(skip))))


def _residual_stage(
    before: int, after: int, blocks: int, *, stride: int, norm: str
) -> nn.Sequential:
    first = _ResidualBlock(before, after, stride=stride, norm=norm)
    rest = [_ResidualBlock(after, after, stride=1, norm=norm) for _ in range(blocks - 1)]
    return nn.Sequential(first, *rest)
