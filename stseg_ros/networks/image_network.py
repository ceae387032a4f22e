"""A network as the engines see it: uint8 images in, logits out, normalisation inside.

A coarse network may give features too: maps on the scale of the logits, so that all travel as
bytes alike, see `stseg_ros.logit_bytes`.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from stseg_ros.logit_bytes import STEPS_PER_LOGIT, ZERO, Float32Array, UInt8Array

# Mean and spread of ImageNet's channels, in grey levels; any fixed constants would do.
MEAN_RGB = (123.7, 116.3, 103.5)
STD_RGB = (58.4, 57.1, 57.4)
# Coarse logits are mostly within 3 of zero, and features are made to have this spread.
FEATURE_STD = 3.0
PRIOR_STD = FEATURE_STD * STEPS_PER_LOGIT
# Channels of a colour image.
RGB = 3


class ImageNetwork(nn.Module):
    """Wrap a network so that training and run time cannot disagree on its input.

    Attributes:
        inputs: channels of the input.
    """

    mean: torch.Tensor
    std: torch.Tensor

    def __init__(self, network: nn.Module, *, prior: bool = False, features: int = 0) -> None:
        """Wrap a network.

        Args:
            network: maps (N, inputs, h, w) normalised images to (N, 1, h, w) logits, or to
                (N, 1 + F, h, w) logits and features.
            prior: whether images have a fourth channel, the coarse network's logits as bytes, see
                `stseg_ros.logit_bytes`.
            features: how many features of the coarse network follow that channel.
        """
        super().__init__()
        self.network = network
        priors = features + prior
        self.inputs = RGB + priors
        mean = (*MEAN_RGB, *(float(ZERO) for _ in range(priors)))
        std = (*STD_RGB, *(PRIOR_STD for _ in range(priors)))
        for name, values in (('mean', mean), ('std', std)):
            channels = torch.tensor(values).view(1, self.inputs, 1, 1)
            self.register_buffer(name, channels, persistent=False)

    @property
    def features(self) -> int:
        """How many features the network gives beside the logits."""
        project = getattr(self.network, 'project', None)
        return 0 if project is None else int(project.out_channels)

    def forward(self, image_nhwc: torch.Tensor) -> torch.Tensor:
        """Compute the logits of a batch.

        Args:
            image_nhwc: (N, h, w, inputs) uint8: RGB, and what the coarse network said if that is
                wanted.

        Returns:
            (N, h, w) float32 logits; or (N, 1 + F, h, w) logits and features of a network that
            gives some.
        """
        planes: torch.Tensor = self.network(self.normalised(image_nhwc))
        return (planes.squeeze(1) if planes.shape[1] == 1 else planes).float()

    def normalised(self, image_nhwc: torch.Tensor) -> torch.Tensor:
        """Bring images into the form that the network within takes.

        Args:
            image_nhwc: (N, h, w, inputs) uint8.

        Returns:
            (N, inputs, h, w) float32, about 0 with a spread of about 1.
        """
        # TensorRT takes bytes for nothing but such a conversion, so that it has to come first.
        image_nchw = image_nhwc.float().permute(0, 3, 1, 2)
        return (image_nchw - self.mean) / self.std


@torch.no_grad()
def network_logits(model: ImageNetwork, batch_nhwc: UInt8Array) -> Float32Array:
    """Run a network on arrays, where its weights are and in their precision.

    Args:
        model: in evaluation mode.
        batch_nhwc: (N, h, w, inputs) uint8.

    Returns:
        (N, h, w) float32 logits, or (N, 1 + F, h, w) logits and features.
    """
    logits_nhw = model(torch.from_numpy(batch_nhwc).to(model.mean.device))
    return np.asarray(logits_nhw.cpu().numpy(), np.float32)
