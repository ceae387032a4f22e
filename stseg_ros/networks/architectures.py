"""The networks by name, as recipes and checkpoints state them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from stseg_ros.errors import ConfigError
from stseg_ros.networks.decoder_network import DecoderNetwork
from stseg_ros.networks.layers import NORMS
from stseg_ros.networks.paper_unet import PaperUNet
from stseg_ros.networks.residual_fpn import ResidualFpn

# Each maps (N, inputs, H, W) to (N, 1 + features, H, W) for any H and W.
ARCHITECTURES: dict[str, Callable[..., DecoderNetwork]] = {
    'paper_unet': PaperUNet,
    'residual_fpn': ResidualFpn,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkConfig:
    """Which network, and how large.

    Attributes:
        architecture: key of `ARCHITECTURES`.
        width: channels after the first convolution, even; the paper's U-Net has 64. On CPUs,
            training with batch normalisation is several times faster for multiples of 32.
        norm: 'none' as in the paper, or 'batch' for batch normalisation after every convolution.
    """

    architecture: str = 'paper_unet'
    width: int = 64
    norm: str = 'none'

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            ConfigError: an unknown name, or an odd or too small width.
        """
        if self.architecture not in ARCHITECTURES:
            raise ConfigError(
                f"network architecture is '{self.architecture}'; "
                f'give one of {", ".join(ARCHITECTURES)}'
            )
        if self.width < 2 or self.width % 2:
            raise ConfigError(f'network width is {self.width}; give an even number from 2 on')
        if self.norm not in NORMS:
            raise ConfigError(f"network norm is '{self.norm}'; give one of {', '.join(NORMS)}")


def build_network(config: NetworkConfig, *, inputs: int = 3, features: int = 0) -> DecoderNetwork:
    """Build a network with weights from PyTorch's current seed.

    Args:
        config: which one.
        inputs: channels of its input.
        features: how many features of its decoder it gives beside the logits.

    Returns:
        Maps (N, inputs, H, W) normalised images to (N, 1 + features, H, W), logits first, for any
        H and W.
    """
    return ARCHITECTURES[config.architecture](
        width=config.width, norm=config.norm, inputs=inputs, features=features
    )
