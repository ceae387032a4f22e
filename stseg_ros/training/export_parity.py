"""Whether exported networks compute what PyTorch computes, on real images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from stseg_ros.bundle import Geometry
from stseg_ros.engines.backends import open_engine
from stseg_ros.engines.engine_protocol import FLOAT32 as FLOAT32_LOGITS
from stseg_ros.engines.engine_protocol import EngineOptions
from stseg_ros.errors import StsegError
from stseg_ros.logit_bytes import resize_logit_bytes, to_bytes
from stseg_ros.networks.image_network import ImageNetwork, network_logits
from stseg_ros.pipeline.preprocess import FrameSampler, resize_image
from stseg_ros.pipeline.selectors.cells import grid_boxes_xyxy
from stseg_ros.records import CoarseResult, Float32Array, UInt8Array, sigmoid
from stseg_ros.training.export_onnx import FLOAT16, FLOAT32, HALF_WEIGHTS, as_stored

PARITY_BACKENDS = ('onnxruntime', 'openvino')
_LOGITS_AXES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class ParityBounds:
    """How far an exported network may be from PyTorch.

    Attributes:
        probability: largest difference of a pixel's probability, in any engine.
        labels_changed: largest share of the pixels that the export may label differently from the
            trained network, both in PyTorch.
    """

    probability: float
    labels_changed: float


# In float32 an engine must compute what PyTorch computes with the very weights that the file
# holds. In FP16 every engine rounds in other places, so it is compared with the trained network:
# trained networks of both architectures differ by 0.009 at most, and label 0.0003 differently.
BOUNDS = {
    HALF_WEIGHTS: ParityBounds(probability=0.001, labels_changed=0.001),
    FLOAT32: ParityBounds(probability=0.001, labels_changed=0.001),
    FLOAT16: ParityBounds(probability=0.02, labels_changed=0.001),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkParity:
    """What was found of one network.

    Attributes:
        largest_difference: by backend, of a pixel's probability, or of a feature mapped alike.
        labels_changed: share of the pixels that the export labels differently.
    """

    largest_difference: dict[str, float]
    labels_changed: float

    def as_mapping(self) -> dict[str, float]:
        """Return what a manifest holds: backends and 'labels_changed', to seven digits."""
        values = {**self.largest_difference, 'labels_changed': self.labels_changed}
        return {name: round(value, 7) for name, value in values.items()}


def network_inputs(
    models: Mapping[str, ImageNetwork], images_hwc: Sequence[UInt8Array], geometry: Geometry
) -> dict[str, list[UInt8Array]]:
    """Turn images into network inputs as the pipeline does.

    Args:
        models: networks by stage; the coarse one makes the priors of a refine network that has
            some.
        images_hwc: (H, W, 3) uint8 RGB of any size.
        geometry: the bundle's sizes.

    Returns:
        By stage, one batch for each image: 'coarse' (1, h, w, 3), 'refine' all regions up to the
        largest batch, (K, h, w, C), 'whole' (1, H, W, 3).
    """
    sampler = FrameSampler(working_hw=geometry.working_hw, coarse_factor=geometry.coarse_factor)
    boxes_xyxy = grid_boxes_xyxy(geometry.grid, geometry.working_hw)[: geometry.max_regions]
    inputs: dict[str, list[UInt8Array]] = {stage: [] for stage in models}
    for image_hwc in images_hwc:
        # Copies, for the sampler gives out the same buffers for every image.
        coarse = sampler.coarse(image_hwc).copy()
        prior_hw, features_fhw = None, None
        if geometry.prior:
            said = CoarseResult.of_output(to_bytes(network_logits(models['coarse'], coarse)[0]))
            prior_hw = resize_logit_bytes(said.logit_bytes_hw, geometry.working_hw)
            features_fhw = said.feature_bytes_fhw
        inputs['coarse'].append(coarse)
        regions = sampler.regions(image_hwc, boxes_xyxy, prior_hw, features_fhw)
        inputs['refine'].append(regions.copy())
        if 'whole' in models:
            inputs['whole'].append(resize_image(image_hwc, geometry.working_hw)[None])
    return inputs


def check_parity(
    model: ImageNetwork, path: Path, batches: Sequence[UInt8Array], precision: str
) -> NetworkParity:
    """Compare an exported network with PyTorch, in every engine.

    Args:
        model: the trained network.
        path: what was exported of it.
        batches: (N, h, w, C) uint8 inputs made of real images.
        precision: of the export, see `export_onnx.export_network`.

    Returns:
        What was found, all of it within `BOUNDS`.

    Raises:
        StsegError: something is beyond them.
        EngineError: a backend is not installed, or does not take the network.
    """
    stored_model = as_stored(model, precision)
    trained = [network_logits(model, batch) for batch in batches]
    stored = [network_logits(stored_model, batch) for batch in batches]
    expected = trained if precision == FLOAT16 else stored
    parity = NetworkParity(
        largest_difference={
            backend: _largest_difference(backend, path, batches, expected)
            for backend in PARITY_BACKENDS
        },
        labels_changed=_labels_changed(trained, stored),
    )
    _require_within(parity, path.name, precision)
    return parity


def _largest_difference(
    backend: str, path: Path, batches: Sequence[UInt8Array], expected: Sequence[Float32Array]
) -> float:
    options = EngineOptions(
        precision='float32', max_batch=max(map(len, batches)), logits=FLOAT32_LOGITS
    )
    engine = open_engine(backend, path, options)
    differences = [
        np.abs(sigmoid(engine.infer(batch)) - sigmoid(logits_nhw)).max()
        for batch, logits_nhw in zip(batches, expected, strict=True)
    ]
    engine.close()
    return float(np.max(differences))


def _labels_changed(trained: Sequence[Float32Array], stored: Sequence[Float32Array]) -> float:
    return float(
        np.mean(
            [
                ((_logits(before) > 0) != (_logits(after) > 0)).mean()
                for before, after in zip(trained, stored, strict=True)
            ]
        )
    )


def _logits(planes: Float32Array) -> Float32Array:
    """Leave out the features of a network that gives some: they label nothing."""
    return planes if planes.ndim == _LOGITS_AXES else planes[:, 0]


def _require_within(parity: NetworkParity, file: str, precision: str) -> None:
    bounds = BOUNDS[precision]
    other = FLOAT32 if precision == HALF_WEIGHTS else HALF_WEIGHTS
    # Both written so that what is no number fails too.
    for backend, difference in parity.largest_difference.items():
        if not difference <= bounds.probability:
            raise StsegError(
                f'{file}: {backend} differs from PyTorch by {difference:.4f} in probability, '
                f'beyond the bound of {bounds.probability} for {precision}; export with other '
                f'versions of torch, onnxscript or {backend}, or with --precision {other}'
            )
    if not parity.labels_changed <= bounds.labels_changed:
        raise StsegError(
            f'{file}: {precision} changes {parity.labels_changed:.2%} of the labels, beyond the '
            f'bound of {bounds.labels_changed:.2%}; export with --precision {other}, or train '
            'with more weight decay or a lower learning rate'
        )
