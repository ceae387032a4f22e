"""The paper's U-Net: five strided convolutions down, five strided transposed convolutions up.

Teixeira e Silva et al., "Two-stage Semantic Segmentation in Neural Networks", ICMV 2022. With
width 64 and no normalisation it has the 18.84 million parameters of the authors' network.
"""

from __future__ import annotations

import torch
from torch import nn

from stseg_ros.networks.decoder_network import DecoderNetwork
from stseg_ros.networks.layers import ConvNorm, UpConvNorm

DEPTH = 5


class PaperUNet(DecoderNetwork):
    """Fully convolutional U-Net with one logit per pixel, for inputs of any size.

    Paper: the deepest level is concatenated with itself, as the authors' code does; without that
    the parameter count is 14.1 million.
    """

    def __init__(self, *, width: int, norm: str, inputs: int = 3, features: int = 0) -> None:
        """Build the layers with PyTorch's default initialisation.

        Args:
            width: channels after the first convolution, even; each further level doubles them.
            norm: 'none' as in the paper, or 'batch'.
            inputs: channels of the input.
            features: how many features of the decoder it gives beside the logits.
        """
        super().__init__()
        channels = [width * 2**level for level in range(DEPTH)]
        self.down = nn.ModuleList(
            ConvNorm(before, after, stride=2, norm=norm)
            for before, after in zip([inputs, *channels[:-1]], channels, strict=True)
        )
        outputs = [*channels[-2::-1], width // 2]
        befores = [2 * channels[-1], *(2 * count for count in outputs[:-1])]
        self.up = nn.ModuleList(
            UpConvNorm(before, after, norm=norm)
            for before, after in zip(befores, outputs, strict=True)
        )
        self.set_heads(outputs[-1], stride=1, features=features)

    def decode(self, image_nchw: torch.Tensor) -> torch.Tensor:
        """See `DecoderNetwork.decode`; the map has the image's size."""
        features = image_nchw
        skips = []
        sizes_hw = []
        for down in self.down:
            sizes_hw.append((features.shape[2], features.shape[3]))
            features = torch.relu(down(features))
            skips.append(features)
        for up in self.up:
            features = torch.cat((features, skips.pop()), dim=1)
            features = torch.relu(up(features, sizes_hw.pop()))
        return features
