from __future__ import annotations

import copy
import dataclasses
import math

import pytest
from support.tiny_training import alone

pytest.importorskip('torch', reason='needs PyTorch, see requirements/train.txt')

import torch

from stseg_ros.errors import ConfigError
from stseg_ros.networks.architectures import NetworkConfig, build_network
from stseg_ros.networks.image_network import ImageNetwork
from stseg_ros.training.arithmetic import Arithmetic, choose_arithmetic
from stseg_ros.training.learner import Learner, build_optimizer, learning_rate_share
from stseg_ros.training.processes import Processes
from stseg_ros.training.recipe import StageConfig
from stseg_ros.training.weight_average import WeightAverage

pytestmark = pytest.mark.torch

CONFIG = StageConfig(
    network=NetworkConfig(width=4, norm='batch'), steps=10, batch=2, warmup_steps=0, ema=0.9
)


def batch(seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    image_nhwc = torch.randint(0, 256, (2, 32, 32, 3), dtype=torch.uint8, generator=generator)
    return image_nhwc, (image_nhwc[..., 0] > 128).to(torch.uint8)


def test_the_average_follows_the_weights_and_copies_the_statistics() -> None:
    model = ImageNetwork(build_network(NetworkConfig(width=4, norm='batch')))
    average = WeightAverage(model, 0.3)
    weight, mean = model.network.head.weight, model.network.down[0].norm.running_mean
    followed = weight.detach().clone()
    # The decay is (1 + t) / (10 + t) until that is more than 0.3.
    for step, decay in enumerate((1 / 10, 2 / 11, 3 / 12, 0.3)):
        with torch.no_grad():
            weight += 1.0
            mean += 2.0
        average.update(model, step)
        followed = decay * followed + (1 - decay) * weight.detach()
        assert torch.allclose(average.model.network.head.weight, followed, atol=1e-6)
    assert torch.equal(average.model.network.down[0].norm.running_mean, mean)
    assert not average.model.training
    assert not average.model.network.head.weight.requires_grad


def test_the_average_is_what_is_saved_and_the_network_goes_on() -> None:
    learner = Learner(CONFIG, alone())
    for seed in range(3):
        learner.step(*batch(seed))
    assert learner.result is not learner.model
    assert learner.model.training
    plain = Learner(dataclasses.replace(CONFIG, ema=0.0), alone())
    assert plain.result is plain.model


def test_a_learner_goes_on_where_another_was() -> None:
    torch.manual_seed(0)
    learner = Learner(CONFIG, alone())
    for seed in range(3):
        learner.step(*batch(seed))
    state = copy.deepcopy(learner.state_dict())
    torch.manual_seed(1)
    other = Learner(CONFIG, alone())
    other.load_state_dict(state)
    for seed in range(3, 6):
        assert learner.step(*batch(seed)) == other.step(*batch(seed))
    for one, two in zip(learner.result.parameters(), other.result.parameters(), strict=True):
        assert torch.equal(one, two)


def test_a_constant_rate_stays_after_warm_up() -> None:
    config = dataclasses.replace(CONFIG, schedule='constant', warmup_steps=4)
    shares = [learning_rate_share(step, config) for step in range(12)]
    assert shares == [0.25, 0.5, 0.75, *[1.0] * 9]


@pytest.mark.parametrize(('optimizer', 'change'), [('adamw', 0.99), ('adam', 0.9)])
def test_optimizers_by_their_first_step(optimizer: str, change: float) -> None:
    # Without a gradient from the loss, AdamW shrinks weights by rate x decay; Adam takes the decay
    # for a gradient, and its first step is the rate whatever the gradient's size.
    layer = torch.nn.Linear(1, 1, bias=False)
    torch.nn.init.ones_(layer.weight)
    layer.weight.grad = torch.zeros_like(layer.weight)
    config = dataclasses.replace(CONFIG, optimizer=optimizer, learning_rate=0.1, weight_decay=0.1)
    build_optimizer(layer, config).step()
    assert float(layer.weight.detach()) == pytest.approx(change, abs=1e-5)


def test_gradients_are_clipped_only_where_asked() -> None:
    norms, moves = [], []
    for clip_norm in (0.0, 1e-9):
        torch.manual_seed(0)
        config = dataclasses.replace(CONFIG, clip_norm=clip_norm, weight_decay=0.0, ema=0.0)
        learner = Learner(config, alone())
        before = learner.model.network.head.weight.detach().clone()
        norms.append(learner.step(*batch(0)).gradient_norm)
        moves.append(float((learner.model.network.head.weight.detach() - before).abs().max()))
    assert norms[0] == norms[1] > 0.01
    # Adam's first step is the rate for any gradient well above its epsilon of 1e-8.
    assert moves[0] == pytest.approx(1e-3, rel=0.05)
    assert moves[1] < 2e-4


def test_the_device_is_named_or_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    assert choose_arithmetic('cpu').device == torch.device('cpu')
    with pytest.raises(ConfigError, match="unknown device 'tpu'; give one of auto, cpu, cuda"):
        choose_arithmetic('tpu')
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: False)
    with pytest.raises(ConfigError, match='finds no GPU'):
        choose_arithmetic('cuda')
    half = Arithmetic(device=torch.device('cpu'), dtype=torch.bfloat16)
    assert (str(half), half.mixed) == ('bfloat16 mixed on cpu', True)
    full = Arithmetic(device=torch.device('cpu'), dtype=torch.float32)
    assert (str(full), full.mixed) == ('float32 on cpu', False)


def test_a_network_starts_as_another_whatever_its_further_channel_holds() -> None:
    torch.manual_seed(0)
    start = Learner(CONFIG, alone())
    start.step(*batch(0))
    begun = Learner(CONFIG, alone(), inputs=4, start=start.result)
    image_nhwc, _ = batch(1)
    prior_nhwc = torch.randint(0, 256, (2, 32, 32, 1), dtype=torch.uint8)
    with torch.no_grad():
        expected = start.result(image_nhwc)
        given = begun.model.eval()(torch.cat((image_nhwc, prior_nhwc), dim=3))
    assert torch.allclose(given, expected, atol=1e-4)

    wider = dataclasses.replace(CONFIG, network=NetworkConfig(width=8, norm='batch'))
    with pytest.raises(ConfigError, match='start_from needs two networks of one kind'):
        Learner(wider, alone(), start=start.result)


def test_a_gradient_that_is_not_finite_is_left_out_and_float16_scales_less() -> None:
    half = Arithmetic(device=torch.device('cpu'), dtype=torch.float16)
    torch.manual_seed(0)
    learner = Learner(CONFIG, Processes(rank=0, count=1, arithmetic=half))
    before = copy.deepcopy(learner.state_dict())
    # So much that the gradients overflow float16.
    learner.load_state_dict({**before, 'scaler': {**before['scaler'], 'scale': 2.0**40}})
    assert not math.isfinite(learner.step(*batch(0)).gradient_norm)
    assert learner.state_dict()['scaler']['scale'] == 2.0**39
    weight = 'network.head.weight'
    assert torch.equal(learner.model.state_dict()[weight], before['model'][weight])
    learner.load_state_dict({**before, 'scaler': {**before['scaler'], 'scale': 2.0**10}})
    assert math.isfinite(learner.step(*batch(0)).gradient_norm)
    assert not torch.equal(learner.model.state_dict()[weight], before['model'][weight])
