"""Folders to bags: stamps, bytes, pixels and what goes wrong."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from stseg_ros.errors import ConfigError, DataError
from stseg_ros.sources.bag_reader import BagReader
from stseg_ros.sources.bag_writer import BagWriter
from stseg_ros.sources.folder_to_bag import (
    CameraTopics,
    SkippedImage,
    choose_stamps,
    write_folder,
)
from stseg_ros.sources.image_codec import decode
from stseg_ros.sources.image_folders import ImageFolder, open_image_folder
from stseg_ros.sources.kitti_files import CameraCalibration

PIXELS = np.random.default_rng(5).integers(0, 256, (3, 6, 8, 3), dtype=np.uint8)
STAMPS_NS = (1_000_000_000, 1_100_000_000, 1_200_000_001)


def write_pngs(folder: Path) -> None:
    """Write the three pictures."""
    folder.mkdir(parents=True, exist_ok=True)
    for index, pixels in enumerate(PIXELS):
        assert cv2.imwrite(str(folder / f'{index:010d}.png'), pixels)


def convert(
    folder: ImageFolder, bag: Path, topics: CameraTopics | None = None, storage: str = 'mcap'
) -> list[tuple[str, int, SimpleNamespace]]:
    """Convert a folder and read every message back."""
    stamps_ns = STAMPS_NS[: len(folder.images)]
    with BagWriter(bag, storage=storage) as writer:
        write_folder(folder, stamps_ns, writer, topics or CameraTopics())
    with BagReader(bag) as reader:
        return [(item.topic, item.record_ns, item.deserialize()) for item in reader.messages()]


@pytest.mark.parametrize('storage', ['mcap', 'sqlite3'])
def test_raw_images_keep_pixels_and_stamps(tmp_path: Path, storage: str) -> None:
    write_pngs(tmp_path / 'images')
    folder = open_image_folder(tmp_path / 'images')
    messages = convert(
        folder, tmp_path / 'bag', CameraTopics(image='/left/image', frame_id='left'), storage
    )
    assert [topic for topic, _, _ in messages] == ['/left/image'] * 3
    for (_, record_ns, message), stamp_ns, pixels in zip(messages, STAMPS_NS, PIXELS, strict=True):
        frame = decode(message)
        assert (record_ns, frame.stamp_ns, frame.frame_id) == (stamp_ns, stamp_ns, 'left')
        np.testing.assert_array_equal(frame.image_hwc, pixels)


def test_compressed_images_keep_their_bytes(tmp_path: Path) -> None:
    write_pngs(tmp_path)
    assert cv2.imwrite(str(tmp_path / '0000000001.jpg'), PIXELS[1])
    (tmp_path / '0000000001.png').unlink()
    folder = open_image_folder(tmp_path)
    messages = convert(folder, tmp_path / 'bag', CameraTopics(compressed=True))
    assert {topic for topic, _, _ in messages} == {'/camera/image/compressed'}
    assert [message.format for _, _, message in messages] == ['png', 'jpeg', 'png']
    for (_, _, message), path in zip(messages, folder.images, strict=True):
        assert bytes(message.data) == path.read_bytes()


def test_images_may_differ_in_size(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / '1.png'), np.zeros((4, 5, 3), np.uint8))
    cv2.imwrite(str(tmp_path / '2.png'), np.zeros((7, 2), np.uint8))
    messages = convert(open_image_folder(tmp_path), tmp_path / 'bag')
    sizes = [(message.height, message.width, message.step) for _, _, message in messages]
    assert sizes == [(4, 5, 15), (7, 2, 6)]


def test_camera_info_goes_beside_every_image(tmp_path: Path) -> None:
    write_pngs(tmp_path)
    calibration = CameraCalibration(size_hw=(6, 8), projection_3x4=tuple(map(float, range(12))))
    folder = ImageFolder(
        layout='KITTI raw', images=open_image_folder(tmp_path).images, calibration=calibration
    )
    messages = convert(folder, tmp_path / 'bag', CameraTopics(compressed=True))
    infos = [message for topic, _, message in messages if topic == '/camera/camera_info']
    assert [info.header.stamp.nanosec for info in infos] == [0, 100_000_000, 200_000_001]
    assert all((info.height, info.width) == (6, 8) for info in infos)
    assert infos[0].k.tolist() == [0, 1, 2, 4, 5, 6, 8, 9, 10]


def test_calibration_of_another_size_is_refused(tmp_path: Path) -> None:
    write_pngs(tmp_path)
    calibration = CameraCalibration(size_hw=(375, 1242), projection_3x4=(0.0,) * 12)
    folder = ImageFolder(
        layout='KITTI raw', images=open_image_folder(tmp_path).images, calibration=calibration
    )
    with pytest.raises(DataError, match='is 8x6, but its calibration is for 1242x375'):
        convert(folder, tmp_path / 'bag')
    assert not (tmp_path / 'bag').exists()


@pytest.mark.parametrize('compressed', [False, True])
@pytest.mark.parametrize('content', [b'', b'text', None])
def test_an_unreadable_image_is_named_and_leaves_no_bag(
    tmp_path: Path, compressed: bool, content: bytes | None
) -> None:
    write_pngs(tmp_path / 'images')
    broken = tmp_path / 'images' / '0000000001.png'
    broken.write_bytes(broken.read_bytes()[:-20] if content is None else content)
    folder = open_image_folder(tmp_path / 'images')
    with pytest.raises(DataError, match=r'0000000001\.png: cannot be used: '):
        convert(folder, tmp_path / 'bag', CameraTopics(compressed=compressed))
    assert [path.name for path in tmp_path.iterdir()] == ['images']


def test_an_unreadable_image_may_cost_only_itself(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    write_pngs(tmp_path / 'images')
    broken = tmp_path / 'images' / '0000000001.png'
    data = bytearray(broken.read_bytes())
    # Inside the pixels, which begin after the header chunk.
    data[60] ^= 0xFF
    broken.write_bytes(data)
    folder = open_image_folder(tmp_path / 'images')
    skipped: list[SkippedImage] = []
    with BagWriter(tmp_path / 'bag') as writer:
        written = write_folder(
            folder, STAMPS_NS, writer, CameraTopics(), on_skipped=skipped.append
        )
    assert written == 2
    assert [item.path for item in skipped] == [broken]
    assert skipped[0].reason == 'png image is corrupt: the checksum of its IDAT data is wrong'
    with BagReader(tmp_path / 'bag') as reader:
        assert [item.record_ns for item in reader.messages()] == [STAMPS_NS[0], STAMPS_NS[2]]
    # Nothing from libpng, which prints past Python.
    assert capfd.readouterr().err == ''


def test_nothing_but_unreadable_images_is_an_error(tmp_path: Path) -> None:
    write_pngs(tmp_path / 'images')
    for path in (tmp_path / 'images').iterdir():
        path.write_bytes(b'text')
    folder = open_image_folder(tmp_path / 'images')
    message = r'images: none of its 3 images can be used; the first, 0000000000\.png: image data'
    with pytest.raises(DataError, match=message), BagWriter(tmp_path / 'bag') as writer:
        write_folder(folder, STAMPS_NS, writer, CameraTopics(), on_skipped=lambda _: None)
    assert not (tmp_path / 'bag').exists()


def test_progress_is_reported_per_image(tmp_path: Path) -> None:
    write_pngs(tmp_path / 'images')
    folder = open_image_folder(tmp_path / 'images')
    calls: list[int] = []
    with BagWriter(tmp_path / 'bag') as writer:
        write_folder(
            folder, STAMPS_NS, writer, CameraTopics(), on_image=lambda: calls.append(len(calls))
        )
    assert calls == [0, 1, 2]


def some_folder(count: int, stamps_file: Path | None = None) -> ImageFolder:
    """Make a folder of images that need not exist."""
    images = tuple(Path(f'drive/{index:010d}.png') for index in range(count))
    return ImageFolder(layout='KITTI raw', images=images, stamps_file=stamps_file)


def test_stamps_by_rate_do_not_drift() -> None:
    stamps = choose_stamps(some_folder(3001), rate_hz=30.0, start_ns=None)
    start_ns = 1_600_000_000 * 10**9
    assert stamps[:3] == (start_ns, start_ns + 33_333_333, start_ns + 66_666_667)
    assert stamps[3000] == start_ns + 100 * 10**9
    assert choose_stamps(some_folder(2), rate_hz=0.5, start_ns=7) == (7, 2_000_000_007)


def test_recorded_stamps_are_used_unless_a_rate_is_given(tmp_path: Path) -> None:
    file = tmp_path / 'timestamps.txt'
    file.write_text('1970-01-01 00:00:05.5\n1970-01-01 00:00:05.6\n1970-01-01 00:00:05.8')
    folder = some_folder(3, file)
    recorded = choose_stamps(folder, rate_hz=None, start_ns=None)
    assert recorded == (5_500_000_000, 5_600_000_000, 5_800_000_000)
    shifted = choose_stamps(folder, rate_hz=None, start_ns=1)
    assert shifted == (1, 100_000_001, 300_000_001)
    assert choose_stamps(folder, rate_hz=1.0, start_ns=0) == (0, 10**9, 2 * 10**9)
    file.write_text('nonsense')
    assert choose_stamps(folder, rate_hz=1.0, start_ns=0) == (0, 10**9, 2 * 10**9)


@pytest.mark.parametrize('rate_hz', [0.0, -1.0, float('nan'), float('inf')])
def test_rates_that_are_none(rate_hz: float) -> None:
    with pytest.raises(ConfigError, match='expected above 0'):
        choose_stamps(some_folder(1), rate_hz=rate_hz, start_ns=None)


def test_a_rate_is_needed_without_recorded_stamps() -> None:
    with pytest.raises(ConfigError, match=r'drive: has no timestamps\.txt; .*--rate'):
        choose_stamps(some_folder(1), rate_hz=None, start_ns=None)


def test_topic_must_be_absolute() -> None:
    with pytest.raises(ConfigError, match='not an absolute name'):
        CameraTopics(image='image')


@pytest.mark.data
@pytest.mark.parametrize('compressed', [False, True])
def test_kitti_sequence_comes_back_pixel_for_pixel(
    tmp_path: Path, data_root: Path, compressed: bool
) -> None:
    folder = open_image_folder(data_root / 'kitti_raw')
    stamps_ns = choose_stamps(folder, rate_hz=10.0, start_ns=None)
    with BagWriter(tmp_path / 'bag') as writer:
        write_folder(folder, stamps_ns, writer, CameraTopics(compressed=compressed))
    with BagReader(tmp_path / 'bag') as reader:
        frames = [decode(item.deserialize()) for item in reader.messages()]
    assert len(frames) == 54
    for frame, path, stamp_ns in zip(frames, folder.images, stamps_ns, strict=True):
        assert frame.stamp_ns == stamp_ns
        np.testing.assert_array_equal(frame.image_hwc, cv2.imread(str(path)))
