"""Running frame graphs, and tiny bundles beyond the standard one."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from support.tiny_bundle import read_tiny_bundle, write_redness_network

from stseg_ros.bundle import ModelBundle, NetworkFile, file_sha256, write_manifest


def run_graph(
    model: bytes,
    image: np.ndarray,
    *,
    channels: tuple[int, int, int] = (0, 1, 2),
    threshold_logit: float = 0.0,
    refine_below: float = 2.0,
) -> dict[str, np.ndarray]:
    """Run a frame graph on ONNX Runtime."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model, options, providers=['CPUExecutionProvider'])
    inputs: dict[str, Any] = {
        'frame': image,
        'channels': np.array(channels, np.int32),
        'threshold_logit': np.array([threshold_logit], np.float32),
        'refine_below': np.array([refine_below], np.float32),
    }
    taken = {entry.name: inputs[entry.name] for entry in session.get_inputs()}
    outputs = [entry.name for entry in session.get_outputs()]
    return dict(zip(outputs, session.run(outputs, taken), strict=True))


def read_prior_bundle(
    root: Path, *, coarse_gain: float, refine_gain: float, prior_gain: float
) -> ModelBundle:
    """Write a tiny bundle whose refine network sees the coarse logits, and read it back."""
    bundle = read_tiny_bundle(root, coarse_gain=coarse_gain)
    geometry = dataclasses.replace(bundle.geometry, prior=True)
    write_redness_network(
        bundle.refine_path, geometry.region_hw, batch=None, gain=refine_gain, prior_gain=prior_gain
    )
    refine = NetworkFile(file='refine.onnx', sha256=file_sha256(bundle.refine_path))
    networks = dataclasses.replace(bundle.manifest.networks, refine=refine)
    write_manifest(
        root, dataclasses.replace(bundle.manifest, geometry=geometry, networks=networks)
    )
    return ModelBundle.read(root)
