"""The paper's U-Net: five strided convolutions down, five strided transposed convolutions up.

Teixeira e Silva et al., "Two-stage Semantic Segmentation in Neural Networks", ICMV 2022. With
width 64 and no normalisation it has the 18.84 million parameters of the authors' network.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import nn
from torch.nn import functional

from stseg_ros.errors import ConfigError

DEPTH = 5
_NORMS = ('none', 'batch')


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperUNetConfig:
    """Size of a `PaperUNet`.

    Attributes:
        width: channels after the first convolution; each further level doubles them. Even.
        norm: 'none' as in the paper, or 'batch' for batch normalisation after every convolution.
    """

    width: int = 64
    norm: str = 'none'

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            ConfigError: the width is odd or too small, or the normalisation is unknown.
        """
        if self.width < 2 or self.width % 2:
            raise ConfigError(f'network width is {self.width}; give an even number from 2 on')
        if self.norm not in _NORMS:
            raise ConfigError(f"network norm is '{self.norm}'; give 'none' or 'batch'")


class PaperUNet(nn.Module):
    """Fully convolutional U-Net with one logit per pixel, for inputs of any size.

    Paper: the deepest level is concatenated with itself, as the authors' code does; without that
    the parameter count is 14.1 million.
    """

    def __init__(self, config: PaperUNetConfig) -> None:
        """Build the layers with PyTorch's default initialisation.

        Args:
            config: width and normalisation.
        """
        super().__init__()
        channels = [config.width * 2**level for level in range(DEPTH)]
        self.config = config
        self.down = nn.ModuleList(
            _DownBlock(before, after, config.norm)
            for before, after in zip([3, *channels[:-1]], channels, strict=True)
        )
        outputs = [*channels[-2::-1], config.width // 2]
        inputs = [2 * channels[-1], *(2 * count for count in outputs[:-1])]
        self.up = nn.ModuleList(
            _UpBlock(before, after, config.norm)
            for before, after in zip(inputs, outputs, strict=True)
        )
        self.head = nn.Conv2d(outputs[-1], 1, kernel_size=1)

    def forward(self, image_nchw: torch.Tensor) -> torch.Tensor:
        """Compute the logits of a batch.

        Args:
            image_nchw: (N, 3, H, W) normalised images.

        Returns:
            (N, 1, H, W) logits.
        """
        features = image_nchw
        skips = []
        sizes_hw = []
        for down in self.down:
            sizes_hw.append((features.shape[2], features.shape[3]))
            features = down(features)
            skips.append(features)
        for up in self.up:
            features = up(torch.cat((features, skips.pop()), dim=1), sizes_hw.pop())
        logits: torch.Tensor = self.head(features)
        return logits

    def folded(self) -> PaperUNet:
        """Merge batch normalisation into the convolutions, for export.

        Returns:
            A new network in evaluation mode, without normalisation, that gives the same logits.
        """
        plain = PaperUNet(replace(self.config, norm='none')).eval()
        plain.head.load_state_dict(self.head.state_dict())
        pairs = zip((*plain.down, *plain.up), (*self.down, *self.up), strict=True)
        for target, source in pairs:
            assert isinstance(target, (_DownBlock, _UpBlock))
            assert isinstance(source, (_DownBlock, _UpBlock))
            _fold(target.conv, source.conv, source.norm)
        return plain


class _DownBlock(nn.Module):
    """A strided convolution that halves the size, rounding up."""

    def __init__(self, before: int, after: int, norm: str) -> None:
        super().__init__()
        self.conv = nn.Conv2d(
            before, after, kernel_size=3, stride=2, padding=1, bias=norm == 'none'
        )
        self.norm = _norm_layer(after, norm)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return torch.relu(self.norm(self.conv(features)))


class _UpBlock(nn.Module):
    """A transposed convolution that doubles the size, to the even or the odd length asked for."""

    def __init__(self, before: int, after: int, norm: str) -> None:
        super().__init__()
        self.conv = nn.ConvTranspose2d(
            before, after, kernel_size=3, stride=2, padding=1, bias=norm == 'none'
        )
        self.norm = _norm_layer(after, norm)

    def forward(self, features: torch.Tensor, size_hw: tuple[int, int]) -> torch.Tensor:
        # A stride-2 convolution maps lengths 2n - 1 and 2n alike to n: the wanted size decides.
        features = functional.conv_transpose2d(
            features,
            self.conv.weight,
            self.conv.bias,
            stride=2,
            padding=1,
            output_padding=[1 - length % 2 for length in size_hw],
        )
        return torch.relu(self.norm(features))


def _norm_layer(channels: int, norm: str) -> nn.Module:
    return nn.BatchNorm2d(channels) if norm == 'batch' else nn.Identity()


def _fold(target: nn.Module, conv: nn.Conv2d | nn.ConvTranspose2d, norm: nn.Module) -> None:
    """Give `target` the weights of `conv` followed by `norm` with its running statistics."""
    weight = conv.weight.detach()
    bias = torch.zeros(conv.out_channels) if conv.bias is None else conv.bias.detach()
    if isinstance(norm, nn.BatchNorm2d):
        assert norm.running_mean is not None
        assert norm.running_var is not None
        gain = (norm.weight / torch.sqrt(norm.running_var + norm.eps)).detach()
        # A transposed convolution keeps its output channels on the second axis.
        transposed = isinstance(conv, nn.ConvTranspose2d)
        weight = weight * gain.view((1, -1, 1, 1) if transposed else (-1, 1, 1, 1))
        bias = (bias - norm.running_mean) * gain + norm.bias.detach()
    target.load_state_dict({'weight': weight, 'bias': bias})
