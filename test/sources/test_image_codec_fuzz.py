"""Whatever arrives: a frame or a FrameError, never anything else."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.image_messages import compressed, image

from stseg_ros.errors import FrameError
from stseg_ros.sources.bag_messages import IMAGE, make_header, make_image, typestore
from stseg_ros.sources.bag_reader import BagMessage
from stseg_ros.sources.image_codec import decode
from stseg_ros.sources.raw_encodings import SUPPORTED_ENCODINGS

FUZZ = settings(
    derandomize=True,
    database=None,
    deadline=None,
    max_examples=300,
    suppress_health_check=[HealthCheck.too_slow],
)
NOISE = np.random.default_rng(7).integers(0, 256, (24, 32, 3), dtype=np.uint8)
FILES = {suffix: cv2.imencode(suffix, NOISE)[1].tobytes() for suffix in ('.jpg', '.png')}
CUTS = st.tuples(st.integers(0, 6000), st.integers(0, 6000))
FLIPS = st.lists(st.tuples(st.integers(0, 6000), st.integers(1, 255)), max_size=6)


def damage(data: bytes, cut: tuple[int, int], flips: list[tuple[int, int]]) -> bytes:
    """Remove a run of bytes and change some others."""
    start, stop = (position % (len(data) + 1) for position in cut)
    damaged = bytearray(data[:start] + data[stop:] if start < stop else data)
    for position, mask in flips:
        if damaged:
            damaged[position % len(damaged)] ^= mask
    return bytes(damaged)


def decode_or_frame_error(message: object) -> None:
    """Fail on anything but a well-formed frame or a FrameError of one line."""
    try:
        frame = decode(message)
    except FrameError as error:
        text = str(error)
        if not text or '\n' in text:
            pytest.fail(f'{text!r} is not one line')
        return
    assert frame.image_hwc.dtype == np.uint8
    assert frame.image_hwc.ndim == 3
    assert frame.image_hwc.shape[2] == 3
    assert frame.image_hwc.size
    # Reads every byte of a view, so one that reaches beyond its buffer would show.
    assert 0 <= int(frame.image_hwc.sum(dtype=np.int64)) <= frame.image_hwc.size * 255


@FUZZ
@given(st.sampled_from(['.jpg', '.png']), CUTS, FLIPS)
def test_damaged_compressed_images(
    suffix: str, cut: tuple[int, int], flips: list[tuple[int, int]]
) -> None:
    decode_or_frame_error(compressed(damage(FILES[suffix], cut, flips)))


@FUZZ
@given(st.sampled_from([b'', b'\xff\xd8\xff', b'\x89PNG\r\n\x1a\n']), st.binary(max_size=300))
def test_random_compressed_images(start: bytes, rest: bytes) -> None:
    decode_or_frame_error(compressed(start + rest))


@FUZZ
@given(
    st.sampled_from([*sorted(SUPPORTED_ENCODINGS), 'RGB8', '32FC1', '']),
    st.integers(0, 40),
    st.one_of(st.integers(0, 40), st.just(2**32 - 1)),
    st.one_of(st.integers(0, 260), st.just(2**32 - 1)),
    st.integers(0, 255),
    st.binary(max_size=9000),
)
def test_raw_images_whose_fields_do_not_agree(
    encoding: str, width: int, height: int, step: int, big_endian: int, data: bytes
) -> None:
    message = image([data], width=width, height=height, encoding=encoding, big_endian=big_endian)
    message.step = step
    decode_or_frame_error(message)


@FUZZ
@given(CUTS, FLIPS)
def test_damaged_serialised_messages(cut: tuple[int, int], flips: list[tuple[int, int]]) -> None:
    message = make_image(
        NOISE[:8, :8], encoding='bgr8', header=make_header(stamp_ns=5, frame_id='camera')
    )
    cdr = bytes(typestore().serialize_cdr(message, IMAGE))
    # Most of the message is pixels; damage is steered into the fields before them.
    cut, flips = (cut[0] % 80, cut[1] % 80), [(place % 80, mask) for place, mask in flips]
    recorded = BagMessage(
        topic='/camera/image', type_name=IMAGE, record_ns=5, cdr=damage(cdr, cut, flips)
    )
    try:
        deserialized = recorded.deserialize()
    except FrameError:
        return
    decode_or_frame_error(deserialized)
