"""How the published code runs networks: what they are given, and under what circumstances."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import numpy as np
import pytest

pytest.importorskip('torch', reason='needs PyTorch, see requirements/train.txt')

import torch

from stseg_ros.networks.image_network import MEAN_RGB, STD_RGB, ImageNetwork
from stseg_ros.networks.published_pair import PublishedPair
from stseg_ros.records import ChannelOrder

pytestmark = pytest.mark.torch


class Witness(torch.nn.Module):
    """Gives the red channel times a weight, and notes how it was called."""

    def __init__(self, weight: float) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.tensor(weight))
        self.calls: list[dict[str, object]] = []

    def forward(self, image_nchw: torch.Tensor) -> torch.Tensor:
        self.calls.append({
            'shape': tuple(image_nchw.shape),
            'dtype': image_nchw.dtype,
            'contiguous': image_nchw.is_contiguous(),
            'autocast': torch.is_autocast_enabled('cpu'),
            'gradients': torch.is_grad_enabled(),
            'training': self.training,
        })  # fmt: skip
        return image_nchw[:, :1] * self.weight


@pytest.fixture
def witnesses() -> tuple[Witness, Witness]:
    return Witness(1.0), Witness(-2.0)


@pytest.fixture
def pair(witnesses: tuple[Witness, Witness]) -> Iterator[PublishedPair]:
    coarse, refine = (ImageNetwork(witness).eval() for witness in witnesses)
    with closing(PublishedPair(coarse, refine, threads=0)) as opened:
        yield opened


@pytest.fixture
def image_hwc() -> np.ndarray:
    return np.random.default_rng(0).uniform(0.0, 255.0, (6, 10, 3)).astype(np.float32)


def test_a_picture_is_one_contiguous_tensor_in_rgb(
    pair: PublishedPair, image_hwc: np.ndarray
) -> None:
    rgb = pair.load(image_hwc, ChannelOrder.RGB)
    bgr = pair.load(np.ascontiguousarray(image_hwc[..., ::-1]), ChannelOrder.BGR)
    assert rgb.shape == (1, 3, 6, 10)
    assert rgb.dtype == torch.float32
    assert rgb.is_contiguous()
    assert torch.equal(rgb, bgr)
    np.testing.assert_array_equal(rgb[0, 1].numpy(), image_hwc[..., 1])


def test_networks_see_one_normalised_cell_in_float32(
    pair: PublishedPair, witnesses: tuple[Witness, Witness], image_hwc: np.ndarray
) -> None:
    picture = pair.load(image_hwc, ChannelOrder.RGB)
    cell = pair.cut(picture, slice(2, 6), slice(5, 10))
    assert cell.untyped_storage().data_ptr() == picture.untyped_storage().data_ptr()
    red_hw = (image_hwc[2:6, 5:, 0] - MEAN_RGB[0]) / STD_RGB[0]
    for run, weight in ((pair.coarse, 1.0), (pair.refine, -2.0)):
        logits_hw = run(cell)
        assert logits_hw.dtype == np.float32
        np.testing.assert_allclose(logits_hw, weight * red_hw, rtol=1e-5, atol=1e-5)
    for witness in witnesses:
        assert witness.calls == [{
            'shape': (1, 3, 4, 5),
            'dtype': torch.float32,
            'contiguous': True,
            'autocast': False,
            'gradients': False,
            'training': False,
        }]  # fmt: skip
    assert torch.is_grad_enabled()


def test_threads_are_the_process_own_until_others_are_asked_for(
    witnesses: tuple[Witness, Witness],
) -> None:
    coarse, refine = (ImageNetwork(witness).eval() for witness in witnesses)
    usual = torch.get_num_threads()
    with closing(PublishedPair(coarse, refine, threads=0)) as pair:
        assert pair.threads == torch.get_num_threads() == usual
    with closing(PublishedPair(coarse, refine, threads=usual + 1)) as pair:
        assert pair.threads == torch.get_num_threads() == usual + 1
    assert torch.get_num_threads() == usual
    assert pair.library == f'PyTorch {torch.__version__}'
    assert pair.arithmetic == 'float32'
