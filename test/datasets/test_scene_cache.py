"""Tests of the cache of synthetic scenes."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from stseg_ros.datasets import scene_cache
from stseg_ros.datasets.scene_cache import cache_folder, cached_scene, scene_cache_folder
from stseg_ros.datasets.synthetic.scenes import render_scene

SIZE_HW = (48, 80)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'cache'))
    return tmp_path / 'cache'


def assert_is_scene(seed: int) -> None:
    scene, cached = render_scene(seed, SIZE_HW), cached_scene(seed, SIZE_HW)
    assert np.array_equal(cached.image_hwc, scene.image_hwc)
    assert np.array_equal(cached.vehicle_hw * 255, scene.mask_hw)
    assert cached.vehicle_hw.dtype == np.uint8
    assert cached.image_hwc.flags.c_contiguous
    assert cached.vehicle_hw.flags.c_contiguous


def test_the_scene_is_the_same_rendered_and_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    for seed in (3, 4):
        assert_is_scene(seed)
        assert_is_scene(seed)
    assert cached_scene(4, SIZE_HW).vehicle_hw.any()
    monkeypatch.setattr(scene_cache, 'render_scene', None)
    assert cached_scene(3, SIZE_HW).image_hwc.shape == (*SIZE_HW, 3)


def test_seeds_and_sizes_are_kept_apart(cache: Path) -> None:
    cached_scene(3, SIZE_HW)
    assert cached_scene(3, (32, 32)).image_hwc.shape == (32, 32, 3)
    assert sorted(
        path.relative_to(scene_cache_folder()).as_posix() for path in cache.rglob('*.png')
    ) == [
        '32x32/3.png',
        '80x48/3.png',
    ]


@pytest.mark.parametrize('content', [b'', b'nonsense', None])
def test_a_damaged_file_is_rendered_anew(content: bytes | None, cache: Path) -> None:
    cached_scene(3, SIZE_HW)
    (path,) = cache.rglob('*.png')
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2] if content is None else content)
    assert_is_scene(3)
    assert path.read_bytes() == whole


def test_another_generator_has_another_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    folder = scene_cache_folder()
    assert folder.parent == cache_folder() / 'scenes'
    scene_cache._generator_hash.cache_clear()
    monkeypatch.setattr(np, '__version__', '0.0')
    assert scene_cache_folder() != folder
    scene_cache._generator_hash.cache_clear()


def test_a_cache_that_cannot_be_written_is_no_error(cache: Path) -> None:
    cache.write_text('a file where the folder should be')
    assert_is_scene(3)


def test_nothing_half_written_stays(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: Path, target: Path) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(Path, 'replace', fail)
    assert_is_scene(3)
    assert not [path for path in cache.rglob('*') if path.is_file()]
