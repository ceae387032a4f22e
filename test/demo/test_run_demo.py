"""Tests of what a demonstration refuses before it starts, and of what it plays."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from support.tiny_bundle import write_tiny_bundle

from stseg_ros.cli import main
from stseg_ros.demo.prepare_bag import pack_images
from stseg_ros.sources.folder_to_bag import SkippedImage


def test_too_many_regions_are_refused_before_anything_is_replaced(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle, output = write_tiny_bundle(tmp_path / 'tiny'), tmp_path / 'out'
    output.mkdir()
    (output / 'node.log').write_text('of an earlier demonstration')
    arguments = ['--bundle', str(bundle), '--output', str(output), '--regions', '17']
    assert main(['demo', *arguments]) == 2
    assert capsys.readouterr().err == 'stseg demo: regions is 17; tiny refines at most 16\n'
    assert (output / 'node.log').is_file()


def test_a_bad_image_of_the_users_costs_only_itself(tmp_path: Path) -> None:
    images = tmp_path / 'images'
    images.mkdir()
    for index in range(3):
        assert cv2.imwrite(str(images / f'{index}.png'), np.zeros((6, 8, 3), np.uint8))
    (images / '1.png').write_bytes(b'text')
    skipped: list[SkippedImage] = []
    prepared = pack_images(
        images, tmp_path, rate_hz=10.0, on_image=lambda: None, on_skipped=skipped.append
    )
    assert [item.path.name for item in skipped] == ['1.png']
    assert prepared.count == 2
