"""Tests of bundles: what is wrong with a broken one is named."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.tiny_bundle import add_learned, write_redness_network, write_tiny_bundle

from stseg_ros.assembly import open_segmenter
from stseg_ros.bundle import (
    Geometry,
    ModelBundle,
    find_bundle,
    shipped_bundles,
    write_manifest,
)
from stseg_ros.config import PipelineConfig
from stseg_ros.errors import BundleError, ConfigError


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_tiny_bundle(tmp_path / 'tiny')


def edit_manifest(root: Path, edit: Callable[[dict], None]) -> None:
    path = root / 'bundle.yaml'
    content = yaml.safe_load(path.read_text())
    edit(content)
    path.write_text(yaml.safe_dump(content))


def test_round_trip(root: Path) -> None:
    bundle = ModelBundle.read(root)
    assert bundle.name == 'tiny'
    assert bundle.geometry.working_hw == (128, 256)
    assert bundle.geometry.coarse_hw == (16, 32)
    assert bundle.geometry.region_hw == (32, 64)
    assert bundle.manifest.recommended.regions == 4


def test_recorded_hash_is_sha256_of_the_file(root: Path) -> None:
    content = yaml.safe_load((root / 'bundle.yaml').read_text())
    expected = hashlib.sha256((root / 'coarse.onnx').read_bytes()).hexdigest()
    assert content['networks']['coarse']['sha256'] == expected


def add_whole_network(root: Path, content: bytes = b'a network') -> None:
    (root / 'whole.onnx').write_bytes(content)
    entry = {'file': 'whole.onnx', 'sha256': hashlib.sha256(content).hexdigest()}
    edit_manifest(root, lambda c: c['networks'].update(whole=entry))


def test_whole_frame_network_is_optional(root: Path) -> None:
    assert 'whole' not in (root / 'bundle.yaml').read_text()
    assert ModelBundle.read(root).whole_path is None
    add_whole_network(root)
    bundle = ModelBundle.read(root)
    assert bundle.whole_path == root / 'whole.onnx'
    write_manifest(root, bundle.manifest)
    assert ModelBundle.read(root).manifest == bundle.manifest


def test_whole_frame_network_is_verified(root: Path) -> None:
    add_whole_network(root)
    (root / 'whole.onnx').write_bytes(b'another')
    with pytest.raises(BundleError, match=r'whole\.onnx: has SHA-256 .* records'):
        ModelBundle.read(root)
    (root / 'whole.onnx').unlink()
    with pytest.raises(BundleError, match=r'whole\.onnx: is missing'):
        ModelBundle.read(root)


def test_what_was_learned_is_optional_and_comes_back(root: Path) -> None:
    bundle = ModelBundle.read(root)
    assert 'learned' not in (root / 'bundle.yaml').read_text()
    assert (bundle.merge_path, bundle.selector_path) == (None, None)
    learned = add_learned(bundle)
    assert learned.merge_path == root / 'merge.npy'
    assert learned.selector_path == root / 'selector.yaml'
    content = yaml.safe_load((root / 'bundle.yaml').read_text())
    assert content['learned']['merge'] == {
        'file': 'merge.npy',
        'sha256': hashlib.sha256((root / 'merge.npy').read_bytes()).hexdigest(),
    }
    edit_manifest(root, lambda c: c['learned'].pop('merge'))
    assert ModelBundle.read(root).merge_path is None


@pytest.mark.parametrize('name', ['merge.npy', 'selector.yaml'])
def test_what_was_learned_is_verified(root: Path, name: str) -> None:
    add_learned(ModelBundle.read(root))
    path = root / name
    path.write_bytes(path.read_bytes() + b'#')
    with pytest.raises(BundleError, match=rf'{name}: has SHA-256 .* records'):
        ModelBundle.read(root)
    path.unlink()
    with pytest.raises(BundleError, match=f'{name}: is missing'):
        ModelBundle.read(root)


def test_a_bundle_recommends_a_selector(root: Path) -> None:
    edit_manifest(root, lambda c: c['recommended'].pop('selector'))
    bundle = ModelBundle.read(root)
    assert bundle.manifest.recommended.selector == 'grid'
    edit_manifest(root, lambda c: c['recommended'].update(selector='components'))
    bundle = ModelBundle.read(root)
    assert bundle.manifest.recommended.selector == 'components'
    write_manifest(root, bundle.manifest)
    assert ModelBundle.read(root) == bundle


def test_missing_manifest_is_named(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r'is not a bundle, it has no bundle\.yaml'):
        ModelBundle.read(tmp_path)


def test_missing_network_is_named(root: Path) -> None:
    (root / 'refine.onnx').unlink()
    with pytest.raises(BundleError, match=r'refine\.onnx: is missing'):
        ModelBundle.read(root)


def test_altered_network_is_named(root: Path) -> None:
    content = (root / 'coarse.onnx').read_bytes()
    (root / 'coarse.onnx').write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(BundleError, match=r'coarse\.onnx: has SHA-256 .* records'):
        ModelBundle.read(root)


@pytest.mark.parametrize(
    ('edit', 'message'),
    [
        (lambda c: c.update(colour='red'), "unknown key 'colour'"),
        (lambda c: c['geometry'].update(coarse_facto=8), "did you mean 'coarse_factor'"),
        (lambda c: c['networks'].pop('refine'), "networks: key 'refine' is missing"),
        (lambda c: c.update(schema=2), 'schema is 2; this version reads 1'),
        (
            lambda c: c['geometry'].update(working_hw=[100, 256]),
            'working H of 100 is not a multiple',
        ),
        (lambda c: c['geometry'].update(working_hw=128), 'working_hw: expected a list'),
        (lambda c: c['geometry'].update(grid=[4]), 'grid: expected 2 values'),
        (lambda c: c['recommended'].update(threshold=2.0), 'threshold is 2.0'),
        (lambda c: c['recommended'].update(selector='best'), "selector is 'best'"),
        (lambda c: c.update(learned={'gate': 1}), "learned: unknown key 'gate'"),
        (lambda c: c['networks']['coarse'].update(file='../x.onnx'), 'is not a plain file name'),
    ],
)
def test_wrong_manifest_is_one_line(
    root: Path, edit: Callable[[dict], None], message: str
) -> None:
    edit_manifest(root, edit)
    with pytest.raises(BundleError) as caught:
        ModelBundle.read(root)
    assert message in str(caught.value)
    assert str(root) in str(caught.value)
    assert '\n' not in str(caught.value)


@pytest.mark.parametrize('backend', ['openvino', 'onnxruntime'])
def test_network_of_another_shape_is_named(root: Path, backend: str) -> None:
    write_redness_network(root / 'refine.onnx', (64, 64), batch=None, gain=1.0)
    digest = hashlib.sha256((root / 'refine.onnx').read_bytes()).hexdigest()
    edit_manifest(root, lambda c: c['networks']['refine'].update(sha256=digest))
    bundle = ModelBundle.read(root)
    with pytest.raises(BundleError) as caught:
        open_segmenter(bundle, PipelineConfig(backend=backend))
    assert "refine.onnx: input 'image' is uint8 Nx64x64x3" in str(caught.value)
    assert 'asks for uint8 Nx32x64x3' in str(caught.value)


def test_file_that_is_no_network_is_named(root: Path) -> None:
    (root / 'coarse.onnx').write_bytes(b'not a network')
    digest = hashlib.sha256(b'not a network').hexdigest()
    edit_manifest(root, lambda c: c['networks']['coarse'].update(sha256=digest))
    with pytest.raises(Exception, match=r'no backend opens.*coarse\.onnx') as caught:
        open_segmenter(ModelBundle.read(root), PipelineConfig())
    assert '\n' not in str(caught.value)


def test_too_many_regions_are_refused(root: Path) -> None:
    with pytest.raises(ConfigError, match='regions is 17; this bundle refines at most 16'):
        open_segmenter(ModelBundle.read(root), PipelineConfig(regions=17))


def test_find_by_folder_and_by_name(root: Path) -> None:
    assert find_bundle(str(root)) == root
    for name, folder in shipped_bundles().items():
        assert find_bundle(name) == folder


def test_unknown_name_lists_the_known() -> None:
    with pytest.raises(
        BundleError, match='neither a bundle folder nor a shipped bundle'
    ) as caught:
        find_bundle('no_such_bundle')
    assert all(name in str(caught.value) for name in shipped_bundles())


def test_shipped_bundles_are_whole() -> None:
    assert 'driving_small' in shipped_bundles()
    for folder in shipped_bundles().values():
        assert ModelBundle.read(folder).name == folder.name


def test_geometry_refuses_nothing_sizes() -> None:
    with pytest.raises(ConfigError, match='every size must be 1 or more'):
        Geometry(working_hw=(128, 256), coarse_factor=8, grid=(4, 4), max_regions=0)


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'prior': True, 'prior_features': 17}, 'prior_features is 17; give 0 to 16'),
        ({'prior': True, 'prior_features': -1}, 'prior_features is -1; give 0 to 16'),
        ({'prior_features': 4}, 'prior_features is 4, but prior is false; add prior: true'),
    ],
)
def test_geometry_refuses_features_that_cannot_be(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Geometry(working_hw=(128, 256), coarse_factor=8, grid=(4, 4), max_regions=4, **options)


@pytest.mark.parametrize(
    ('options', 'channels', 'output'),
    [
        ({}, 3, (1, 16, 32)),
        ({'prior': True}, 4, (1, 16, 32)),
        ({'prior': True, 'prior_features': 5}, 9, (1, 6, 16, 32)),
    ],
)
def test_geometry_tells_what_goes_from_stage_to_stage(
    options: dict[str, Any], channels: int, output: tuple[int, ...]
) -> None:
    sizes: dict[str, Any] = {'working_hw': (128, 256), 'coarse_factor': 8, 'grid': (4, 4)}
    geometry = Geometry(max_regions=4, **sizes, **options)
    assert geometry.refine_channels == channels
    assert geometry.coarse_output == output
