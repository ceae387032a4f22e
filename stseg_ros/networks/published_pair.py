"""Two networks run as the published code runs them: in PyTorch, float32, one picture at a time.

What dianartsilva/two-stage-segmentation does (commit b17e15f, src/test-twoseg.py), on the CPU: a
picture becomes one contiguous (1, 3, H, W) float32 tensor, cells are views of it, and every call
has its own `torch.no_grad`, on models in evaluation mode. There is no autocast, no compilation and
no other memory format. The networks of this package also normalise their input, the published one
does not; that is two passes over a cell, and part of what the weights mean.
"""

from __future__ import annotations

import numpy as np
import torch

from stseg_ros.networks.image_network import ImageNetwork
from stseg_ros.records import ChannelOrder, Float32Array


class PublishedPair:
    """The coarse and the refine network; `close` gives PyTorch its own threads back.

    Attributes:
        library: PyTorch and its version.
        arithmetic: 'float32'.
        threads: CPU threads that PyTorch uses.
    """

    def __init__(self, coarse: ImageNetwork, refine: ImageNetwork, *, threads: int) -> None:
        """Take the networks.

        Args:
            coarse: stage 1, in evaluation mode on the CPU.
            refine: stage 2, likewise; sees nothing but the image.
            threads: CPU threads, of this whole process; 0 leaves PyTorch's own number.
        """
        assert coarse.inputs == refine.inputs == 3
        assert not coarse.training
        assert not refine.training
        self._coarse, self._refine = coarse, refine
        self._threads_before = torch.get_num_threads()
        if threads:
            torch.set_num_threads(threads)
        self.library = f'PyTorch {torch.__version__}'
        self.arithmetic = 'float32'
        self.threads = torch.get_num_threads()

    def load(self, image_hwc: Float32Array, order: ChannelOrder) -> torch.Tensor:
        """Make the tensor of a picture.

        Args:
            image_hwc: (H, W, 3) float32, grey levels of 0 to 255.
            order: its channels' order.

        Returns:
            (1, 3, H, W) float32 in RGB, contiguous, a copy.
        """
        image_chw = torch.from_numpy(image_hwc).permute(2, 0, 1)
        # One copy, as where the published code makes a batch; the order costs nothing then.
        channels = (0, 1, 2) if order is ChannelOrder.RGB else (2, 1, 0)
        return torch.stack([image_chw[channel] for channel in channels])[None]

    def cut(self, picture: torch.Tensor, rows: slice, columns: slice) -> torch.Tensor:
        """Take one cell of a picture.

        Args:
            picture: what `load` returned.
            rows: of the cell.
            columns: of the cell.

        Returns:
            (1, 3, h, w) float32, a view.
        """
        return picture[:, :, rows, columns]

    def coarse(self, batch: torch.Tensor) -> Float32Array:
        """Run stage 1.

        Args:
            batch: (1, 3, h, w), what `cut` returned.

        Returns:
            (h, w) float32 logits.
        """
        return _logits(self._coarse, batch)

    def refine(self, batch: torch.Tensor) -> Float32Array:
        """Run stage 2.

        Args:
            batch: (1, 3, h, w), what `cut` returned.

        Returns:
            (h, w) float32 logits.
        """
        return _logits(self._refine, batch)

    def close(self) -> None:
        """Undo what was set for the whole process."""
        torch.set_num_threads(self._threads_before)


def _logits(model: ImageNetwork, batch: torch.Tensor) -> Float32Array:
    with torch.no_grad():
        logits_nchw = model.network((batch - model.mean) / model.std)
    return np.asarray(logits_nchw[0, 0].numpy(), np.float32)
