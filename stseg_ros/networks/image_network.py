"""A network as the engines see it: uint8 images in, logits out, normalisation inside."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from stseg_ros.logit_bytes import STEPS_PER_LOGIT, ZERO, Float32Array, UInt8Array

# Mean and spread of ImageNet's channels, in grey levels; any fixed constants would do.
MEAN_RGB = (123.7, 116.3, 103.5)
STD_RGB = (58.4, 57.1, 57.4)
# Coarse logits are mostly within 3 of zero.
PRIOR_STD = 3.0 * STEPS_PER_LOGIT


class ImageNetwork(nn.Module):
    """Wrap a network so that training and run time cannot disagree on its input.

    Attributes:
        inputs: channels of the input.
    """

    mean: torch.Tensor
    std: torch.Tensor

    def __init__(self, network: nn.Module, *, prior: bool = False) -> None:
        """Wrap a network.

        Args:
            network: maps (N, 3 or 4, h, w) normalised images to (N, 1, h, w) logits.
            prior: whether images have a fourth channel, the coarse network's logits as bytes, see
                `stseg_ros.logit_bytes`.
        """
        super().__init__()
        self.network = network
        self.inputs = 4 if prior else 3
        mean, std = (*MEAN_RGB, float(ZERO)), (*STD_RGB, PRIOR_STD)
        for name, values in (('mean', mean), ('std', std)):
            channels = torch.tensor(values[: self.inputs]).view(1, self.inputs, 1, 1)
            self.register_buffer(name, channels, persistent=False)

    def forward(self, image_nhwc: torch.Tensor) -> torch.Tensor:
        """Compute the logits of a batch.

        Args:
            image_nhwc: (N, h, w, inputs) uint8: RGB, and the prior if there is one.

        Returns:
            (N, h, w) float32 logits.
        """
        # TensorRT takes bytes for nothing but such a conversion, so that it has to come first.
        image_nchw = image_nhwc.float().permute(0, 3, 1, 2)
        logits: torch.Tensor = self.network((image_nchw - self.mean) / self.std)
        return logits.squeeze(1).float()


@torch.no_grad()
def network_logits(model: ImageNetwork, batch_nhwc: UInt8Array) -> Float32Array:
    """Run a network on arrays, where its weights are and in their precision.

    Args:
        model: in evaluation mode.
        batch_nhwc: (N, h, w, inputs) uint8.

    Returns:
        (N, h, w) float32 logits.
    """
    logits_nhw = model(torch.from_numpy(batch_nhwc).to(model.mean.device))
    return np.asarray(logits_nhw.cpu().numpy(), np.float32)
