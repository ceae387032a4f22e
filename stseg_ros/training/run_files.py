"""The checkpoints of a training run."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch

from stseg_ros.errors import ConfigError, StsegError
from stseg_ros.networks.architectures import NetworkConfig, build_network
from stseg_ros.networks.image_network import RGB as RGB  # noqa: PLC0414 - offered here too
from stseg_ros.networks.image_network import ImageNetwork

# What reading some other file as a checkpoint raises.
NOT_OURS = (
    AttributeError,
    ConfigError,
    EOFError,
    KeyError,
    RuntimeError,
    TypeError,
    UnpicklingError,
)


def checkpoint_path(run_dir: Path, stage: str, which: str = 'last') -> Path:
    """Name the file that holds a stage's weights.

    Args:
        run_dir: folder of the run.
        stage: one of the recipe's stages.
        which: one of `recipe.EXPORTS`: the 'last' weights, or the 'best' on the held-out images.

    Returns:
        The `.pt` file, there or not.
    """
    return run_dir / (f'{stage}.pt' if which == 'last' else f'{stage}.{which}.pt')


def features_path(run_dir: Path, stage: str, which: str = 'last') -> Path:
    """Name the file that holds a coarse network with the features that it gives stage 2.

    Args:
        run_dir: folder of the run.
        stage: 'coarse', or a network that stands in for it.
        which: of which of its weights, see `checkpoint_path`.

    Returns:
        The `.pt` file, there or not; see `stseg_ros.training.features`.
    """
    return checkpoint_path(run_dir, f'{stage}.features', which)


def build_model(network: NetworkConfig, *, inputs: int, features: int = 0) -> ImageNetwork:
    """Build a network with weights from PyTorch's current seed.

    Args:
        network: which one.
        inputs: channels of its images: 3, or more with what the coarse network says.
        features: how many features it gives beside its logits.

    Returns:
        The network as the engines see it.
    """
    return ImageNetwork(
        build_network(network, inputs=inputs, features=features),
        prior=inputs > RGB,
        features=max(0, inputs - RGB - 1),
    )


def save_checkpoint(path: Path, model: ImageNetwork, network: NetworkConfig, **facts: Any) -> None:
    """Write a network, whole or not at all.

    Args:
        path: a `.pt` file.
        model: the network.
        network: which one it is.
        facts: plain values to keep with it.
    """
    part = path.with_suffix('.part')
    content = {
        'network': dataclasses.asdict(network),
        'inputs': model.inputs,
        'features': model.features,
        'state': model.state_dict(),
        **facts,
    }
    torch.save(content, part)
    part.replace(path)


def load_checkpoint(path: Path) -> tuple[ImageNetwork, dict[str, Any]]:
    """Read a network that `save_checkpoint` wrote.

    Args:
        path: a `.pt` file.

    Returns:
        The network in evaluation mode, and the facts kept with it.

    Raises:
        StsegError: the file is missing or is no checkpoint of ours.
    """
    if not path.is_file():
        raise StsegError(f'{path} is not there; train that stage first')
    try:
        content = torch.load(path, map_location='cpu', weights_only=True)
        network = NetworkConfig(**content.pop('network'))
        channels = content.pop('inputs', RGB), content.pop('features', 0)
        model = build_model(network, inputs=channels[0], features=channels[1])
        model.load_state_dict(content.pop('state'))
    except NOT_OURS as err:
        reason = str(err).splitlines()[0]
        raise StsegError(f'{path} is no checkpoint of this trainer: {reason}') from err
    return model.eval(), content
