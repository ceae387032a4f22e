"""Whatever arrives: a frame or a FrameError, never anything else."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.damaged_images import (
    damage_file,
    damaged_compressed,
    damaged_raw,
    good_files,
)
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
GOOD_FILES = good_files()
# Hypothesis takes a millisecond for an example, the decoder much less for a message.
BATCH = 100
BATCHES = settings(FUZZ, max_examples=250)
SEEDS = st.integers(0, 2**32 - 1)
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


def decode_or_frame_error(message: object) -> bool:
    """Fail on anything but a well-formed frame or a FrameError of one line; tell if a frame."""
    try:
        frame = decode(message)
    except FrameError as error:
        text = str(error)
        if not text or '\n' in text or len(text) > 1000:
            pytest.fail(f'{text[:2000]!r} is not one line')
        return False
    assert frame.image_hwc.dtype == np.uint8
    assert frame.image_hwc.ndim == 3
    assert frame.image_hwc.shape[2] == 3
    assert frame.image_hwc.size
    # Reads every byte of a view, so one that reaches beyond its buffer would show.
    assert 0 <= int(frame.image_hwc.sum(dtype=np.int64)) <= frame.image_hwc.size * 255
    return True


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


@BATCHES
@given(SEEDS)
def test_thousands_of_damaged_compressed_images(seed: int) -> None:
    dice = np.random.default_rng(seed)
    for _ in range(BATCH):
        decode_or_frame_error(damaged_compressed(dice, GOOD_FILES))


@BATCHES
@given(SEEDS)
def test_thousands_of_raw_images_whose_fields_do_not_agree(seed: int) -> None:
    dice = np.random.default_rng(seed)
    for _ in range(BATCH):
        decode_or_frame_error(damaged_raw(dice))


def test_the_damage_is_neither_too_small_nor_too_great() -> None:
    """Messages that are all refused at the first look, or all fine, would prove nothing."""
    assert all(decode_or_frame_error(compressed(data)) for data in GOOD_FILES)
    dice = np.random.default_rng(1)
    files = [damage_file(dice, GOOD_FILES) for _ in range(1000)]
    assert 100 < sum(decode_or_frame_error(compressed(data)) for data in files) < 900
    raw = [damaged_raw(dice) for _ in range(1000)]
    assert 30 < sum(decode_or_frame_error(message) for message in raw) < 900


BOMBS = """
import resource, sys
from support.damaged_images import bombs
from support.image_messages import compressed
from stseg_ros.errors import FrameError
from stseg_ros.sources.image_codec import decode

def peak_mb():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

messages = {name: compressed(data) for name, data in bombs().items()}
before = peak_mb()
for name, message in messages.items():
    try:
        if decode(message).image_hwc.size > 1000:
            print(name, 'was decoded')
    except FrameError:
        pass
    if peak_mb() - before > 20:
        print(name, 'took', peak_mb() - before, 'MB')
        break
"""


def test_a_small_message_takes_little_memory_whatever_size_it_claims() -> None:
    folders = [str(path) for path in Path(__file__).parents[1:3]]
    shown = subprocess.run(
        [sys.executable, '-c', BOMBS],
        env={**os.environ, 'PYTHONPATH': os.pathsep.join(folders)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert shown.stdout == ''
