"""Tests of bundles that are whole, and that are not."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.tiny_bundle import write_tiny_bundle

from stseg_ros.doctor.bundle_check import BundleCheck
from stseg_ros.doctor.finding import Status


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return write_tiny_bundle(tmp_path / 'tiny')


def test_a_whole_bundle(bundle: Path) -> None:
    found = BundleCheck(bundle=str(bundle)).run()
    assert found.status is Status.OK
    assert found.summary.startswith('tiny: 2 networks')
    assert found.details['root'] == str(bundle)


def test_the_shipped_bundle_is_whole() -> None:
    assert BundleCheck().run().status is Status.OK


def test_an_altered_network(bundle: Path) -> None:
    with (bundle / 'refine.onnx').open('ab') as file:
        file.write(b'\0')
    found = BundleCheck(bundle=str(bundle)).run()
    assert found.status is Status.ERROR
    assert 'refine.onnx' in found.summary
    assert 'copy or export the bundle again' in found.advice


def test_a_missing_network(bundle: Path) -> None:
    (bundle / 'coarse.onnx').unlink()
    found = BundleCheck(bundle=str(bundle)).run()
    assert found.status is Status.ERROR
    assert 'coarse.onnx: is missing' in found.summary


def test_no_such_bundle() -> None:
    found = BundleCheck(bundle='nowhere').run()
    assert found.status is Status.ERROR
    assert "'nowhere'" in found.summary
    assert '--bundle' in found.advice
