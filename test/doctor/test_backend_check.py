"""Tests of backends that open, that are missing, and that fail."""

from __future__ import annotations

import dataclasses
import importlib.util
from typing import Any

import pytest
from support.tiny_bundle import read_tiny_bundle, write_tiny_bundle

from stseg_ros.bundle import NetworkFile, Networks, file_sha256, write_manifest
from stseg_ros.doctor import backend_check
from stseg_ros.doctor.backend_check import BackendCheck
from stseg_ros.doctor.finding import Status
from stseg_ros.engines import backends
from stseg_ros.engines.cuda import nvidia_gpu


@pytest.fixture(scope='module')
def bundle(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(write_tiny_bundle(tmp_path_factory.mktemp('bundles') / 'tiny'))


@pytest.fixture(scope='module')
def unreadable(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Write a bundle whose refine network is none, with a hash that fits."""
    bundle = read_tiny_bundle(tmp_path_factory.mktemp('bundles') / 'unreadable')
    bundle.refine_path.write_bytes(b'not a network')
    networks = Networks(
        coarse=bundle.manifest.networks.coarse,
        refine=NetworkFile(file='refine.onnx', sha256=file_sha256(bundle.refine_path)),
    )
    write_manifest(bundle.root, dataclasses.replace(bundle.manifest, networks=networks))
    return str(bundle.root)


def test_every_backend_has_its_check() -> None:
    assert list(backend_check.BACKENDS) == list(backends.BACKENDS)
    assert backend_check.AUTO == backends.AUTO


@pytest.mark.parametrize('backend', ['auto', 'onnxruntime'])
def test_a_backend_that_opens_is_timed(bundle: str, backend: str) -> None:
    found = BackendCheck(backend=backend, bundle=bundle, frames=3).run()
    assert found.status in (Status.OK, Status.WARNING)  # A busy machine may be slow.
    assert 'ms per 1280x720 frame (median of 3)' in found.summary
    details = found.details
    assert details['frames'] == 3
    assert details['regions'] == 4
    assert 0 < details['fastest_ms'] <= details['median_ms'] <= details['slowest_ms']
    if backend != 'auto':
        assert details['backend'] == backend


@pytest.mark.parametrize(
    ('backend', 'median_ms', 'status'),
    [
        ('auto', 150.0, Status.WARNING),
        ('auto', 50.0, Status.OK),
        ('onnxruntime', 150.0, Status.OK),
    ],
)
def test_only_the_nodes_own_backend_must_be_fast(
    bundle: str,
    monkeypatch: pytest.MonkeyPatch,
    backend: str,
    median_ms: float,
    status: Status,
) -> None:
    monkeypatch.setattr(
        backend_check, '_time_frames', lambda *_: [median_ms - 20, median_ms, median_ms + 900]
    )
    found = BackendCheck(backend=backend, bundle=bundle).run()
    assert found.status is status
    assert found.summary.startswith(f'{median_ms:.1f} ms')
    assert ('latency_budget_ms' in found.advice) == (status is Status.WARNING)


@pytest.mark.parametrize('backend', ['openvino', 'onnxruntime'])
def test_a_backend_that_is_not_installed(monkeypatch: pytest.MonkeyPatch, backend: str) -> None:
    find_spec = importlib.util.find_spec

    def without(name: str, package: str | None = None) -> Any:
        return None if name == backend else find_spec(name, package)

    monkeypatch.setattr(importlib.util, 'find_spec', without)
    found = BackendCheck(backend=backend).run()
    assert found.status is Status.SKIPPED
    assert f'pip install {backend}' in found.advice


@pytest.mark.parametrize('backend', ['tensorrt', 'tensorrt_rtx'])
def test_no_gpu(monkeypatch: pytest.MonkeyPatch, backend: str) -> None:
    monkeypatch.setattr(nvidia_gpu, 'find_gpu', lambda: None)
    found = BackendCheck(backend=backend).run()
    assert found.status is Status.SKIPPED
    assert 'no NVIDIA GPU' in found.summary


@pytest.mark.parametrize(
    ('backend', 'status'), [('auto', Status.ERROR), ('onnxruntime', Status.WARNING)]
)
def test_a_backend_that_does_not_open(unreadable: str, backend: str, status: Status) -> None:
    found = BackendCheck(backend=backend, bundle=unreadable).run()
    assert found.status is status
    assert 'refine.onnx' in found.summary
    assert found.advice


def test_no_bundle_to_open() -> None:
    found = BackendCheck(backend='onnxruntime', bundle='nowhere').run()
    assert found.status is Status.ERROR
