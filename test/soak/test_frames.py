"""Tests that good images are good, and spoiled ones are refused: by the node's own decoder."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from support.image_messages import header

from stseg_ros.errors import FrameError
from stseg_ros.soak.frames import CompressedContent, fault_names, good_content, spoil
from stseg_ros.sources.image_codec import decode

RAW_ENCODINGS = ['mono8', 'bayer_rggb8', 'nv12', 'yuv422', 'bgr8', 'rgb8', 'bgra8', 'rgb16']
FAULTS = [
    (encoding, fault)
    for encoding in ('bgr8', 'nv12', 'rgb16', 'jpeg', 'png')
    for fault in fault_names(good_content((20, 30), encoding))
]


def as_message(content: Any) -> SimpleNamespace:
    fields = {name: getattr(content, name) for name in content.__dataclass_fields__}
    if not isinstance(content, CompressedContent):
        fields['is_bigendian'] = 0
    return SimpleNamespace(header=header(), **fields)


@pytest.mark.parametrize('encoding', [*RAW_ENCODINGS, 'jpeg', 'png'])
def test_good_images_are_decoded_in_their_size(encoding: str) -> None:
    frame = decode(as_message(good_content((48, 62), encoding)))
    assert frame.image_hwc.shape == (48, 62, 3)
    assert np.ptp(frame.image_hwc) > 20


@pytest.mark.parametrize(('encoding', 'fault'), FAULTS)
def test_spoiled_images_are_refused(encoding: str, fault: str) -> None:
    good = good_content((48, 62), encoding)
    before = as_message(good)
    with pytest.raises(FrameError):
        decode(as_message(spoil(good, fault)))
    # The original is as good as before.
    assert as_message(good) == before
    decode(as_message(good))


def test_every_way_of_spoiling_fits_into_a_message() -> None:
    for fault in fault_names(good_content((720, 1280), 'rgb16')):
        content = spoil(good_content((720, 1280), 'rgb16'), fault)
        assert max(content.height, content.width, content.step) < 2**32
