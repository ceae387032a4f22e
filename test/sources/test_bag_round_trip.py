"""Bags written, read back, and broken on purpose."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

import numpy as np
import pytest
import yaml

from stseg_ros.errors import DataError, FrameError
from stseg_ros.sources.bag_messages import (
    CAMERA_INFO,
    COMPRESSED_IMAGE,
    DIAGNOSTIC_ARRAY,
    IMAGE,
    make_camera_info,
    make_compressed_image,
    make_diagnostic_array,
    make_header,
    make_image,
)
from stseg_ros.sources.bag_reader import BagMessage, BagReader
from stseg_ros.sources.bag_writer import BagWriter
from stseg_ros.sources.kitti_files import CameraCalibration

STORAGES = ['mcap', 'sqlite3']
START_NS = 1_317_042_145_964_389_445
PIXELS = np.random.default_rng(3).integers(0, 256, (20, 9, 30, 3), dtype=np.uint8)


def write_images(
    path: Path, *, storage: str = 'mcap', topics: tuple[str, ...] = ('/cam/image',)
) -> None:
    """Write 20 images per topic, 100 ms apart."""
    with BagWriter(path, storage=storage) as writer:
        for topic in topics:
            writer.add_topic(topic, IMAGE)
        for index, pixels in enumerate(PIXELS):
            stamp_ns = START_NS + index * 100_000_000
            header = make_header(stamp_ns=stamp_ns, frame_id='cam')
            for topic in topics:
                message = make_image(pixels, encoding='bgr8', header=header)
                writer.write(topic, message, record_ns=stamp_ns + 7)


def read_everything(path: Path) -> None:
    """Read and deserialise every message."""
    with BagReader(path) as reader:
        for message in reader.messages():
            message.deserialize()


@pytest.mark.parametrize('storage', STORAGES)
def test_images_come_back(tmp_path: Path, storage: str) -> None:
    write_images(tmp_path / 'bag', storage=storage)
    with BagReader(tmp_path / 'bag') as reader:
        assert reader.storage == storage
        assert reader.message_count == 20
        assert (reader.start_ns, reader.duration_ns) == (START_NS + 7, 19 * 100_000_000)
        recorded = list(reader.messages(['/cam/image']))
    assert [message.record_ns for message in recorded] == [
        START_NS + 7 + 100_000_000 * index for index in range(20)
    ]
    for index, message in enumerate(recorded):
        image = message.deserialize()
        assert (image.height, image.width, image.step, image.encoding) == (9, 30, 90, 'bgr8')
        assert image.header.frame_id == 'cam'
        stamp_ns = image.header.stamp.sec * 10**9 + image.header.stamp.nanosec
        assert stamp_ns == START_NS + index * 100_000_000
        np.testing.assert_array_equal(image.data, PIXELS[index].reshape(-1))


@pytest.mark.parametrize('storage', STORAGES)
def test_every_message_type_comes_back(tmp_path: Path, storage: str) -> None:
    header = make_header(stamp_ns=5_000_000_006, frame_id='cam')
    calibration = CameraCalibration(size_hw=(375, 1242), projection_3x4=tuple(range(1, 13)))
    messages = {
        '/a': (COMPRESSED_IMAGE, make_compressed_image(b'abc', image_format='png', header=header)),
        '/b': (CAMERA_INFO, make_camera_info(calibration, header=header)),
        '/c': (
            DIAGNOSTIC_ARRAY,
            make_diagnostic_array('name', [('k', 'v')], hardware_id='hw', header=header),
        ),
    }
    with BagWriter(tmp_path / 'bag', storage=storage) as writer:
        for topic, (type_name, message) in messages.items():
            writer.add_topic(topic, type_name)
            writer.write(topic, message, record_ns=9)
    with BagReader(tmp_path / 'bag') as reader:
        assert [(topic.name, topic.type_name, topic.count) for topic in reader.topics] == [
            (topic, type_name, 1) for topic, (type_name, _) in messages.items()
        ]
        image, info, diagnostics = (
            next(reader.messages([topic])).deserialize() for topic in messages
        )
    assert (image.format, bytes(image.data)) == ('png', b'abc')
    assert (info.height, info.width, info.distortion_model) == (375, 1242, 'plumb_bob')
    assert info.k.tolist() == [1, 2, 3, 5, 6, 7, 9, 10, 11]
    assert info.p.tolist() == list(range(1, 13))
    assert info.r.tolist() == [1, 0, 0, 0, 1, 0, 0, 0, 1]
    assert info.d.tolist() == [0] * 5
    (status,) = diagnostics.status
    assert (status.level, status.name, status.hardware_id) == (0, 'name', 'hw')
    assert [(pair.key, pair.value) for pair in status.values] == [('k', 'v')]
    for message in (image, info, diagnostics):
        assert (message.header.stamp.sec, message.header.stamp.nanosec) == (5, 6)
        assert message.header.frame_id == 'cam'


@pytest.mark.parametrize('storage', STORAGES)
def test_metadata_is_what_humble_reads(tmp_path: Path, storage: str) -> None:
    write_images(tmp_path / 'bag', storage=storage)
    metadata = yaml.safe_load((tmp_path / 'bag' / 'metadata.yaml').read_text())
    content = metadata['rosbag2_bagfile_information']
    # From version 9 on QoS is no text any more, which Humble cannot read.
    assert content['version'] == 8
    assert content['storage_identifier'] == storage
    (file,) = content['relative_file_paths']
    assert (tmp_path / 'bag' / file).is_file()
    (topic,) = content['topics_with_message_count']
    assert topic['topic_metadata']['serialization_format'] == 'cdr'
    (qos,) = yaml.safe_load(topic['topic_metadata']['offered_qos_profiles'])
    # rmw's numbers: keep last 10, reliable, volatile, automatic.
    expected = {'history': 1, 'depth': 10, 'reliability': 1, 'durability': 2, 'liveliness': 1}
    assert expected.items() <= qos.items()


@pytest.mark.parametrize('storage', STORAGES)
def test_a_storage_file_alone_can_be_read(tmp_path: Path, storage: str) -> None:
    write_images(tmp_path / 'bag', storage=storage)
    (file,) = (path for path in (tmp_path / 'bag').iterdir() if path.name != 'metadata.yaml')
    with BagReader(file) as reader:
        assert reader.storage == storage
        assert len(list(reader.messages())) == 20


def test_a_failed_bag_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), BagWriter(tmp_path / 'bag') as writer:  # noqa: PT012
        writer.add_topic('/cam/image', IMAGE)
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


def test_missing_parents_are_made_and_nothing_else_remains(tmp_path: Path) -> None:
    write_images(tmp_path / 'deep' / 'er' / 'bag')
    assert [path.name for path in (tmp_path / 'deep' / 'er').iterdir()] == ['bag']


def test_an_existing_output_is_refused_and_kept(tmp_path: Path) -> None:
    (tmp_path / 'bag').write_text('precious')
    with pytest.raises(DataError, match='exists already'):
        BagWriter(tmp_path / 'bag')
    assert (tmp_path / 'bag').read_text() == 'precious'


def test_an_output_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / 'file').write_text('')
    writer = BagWriter(tmp_path / 'file' / 'bag')
    with pytest.raises(DataError, match='cannot be written'):
        writer.__enter__()


def test_refusals_do_not_name_the_scratch_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(**where: object) -> str:
        raise PermissionError(13, 'Permission denied', f'{where["dir"]}/{where["prefix"]}x7')

    monkeypatch.setattr('stseg_ros.sources.bag_writer.tempfile.mkdtemp', refuse)
    with pytest.raises(DataError) as caught:
        BagWriter(tmp_path / 'bag').__enter__()
    assert str(caught.value) == f'{tmp_path}/bag: cannot be written: Permission denied'


def test_no_such_bag(tmp_path: Path) -> None:
    with pytest.raises(DataError, match='no such bag'):
        BagReader(tmp_path / 'bag')


def test_a_folder_without_bag(tmp_path: Path) -> None:
    with pytest.raises(DataError, match='is not a bag'):
        BagReader(tmp_path)


def test_a_recording_that_was_cut_off(tmp_path: Path) -> None:
    write_images(tmp_path / 'bag')
    (tmp_path / 'bag' / 'metadata.yaml').unlink()
    with pytest.raises(DataError, match=r'no metadata\.yaml.*cut off.*ros2 bag reindex'):
        BagReader(tmp_path / 'bag')


@pytest.mark.parametrize('name', ['old.bag', 'video.mp4'])
def test_other_files_are_no_bags(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b'#ROSBAG V2.0\n')
    with pytest.raises(DataError, match='rosbags-convert' if name == 'old.bag' else 'not a bag'):
        BagReader(tmp_path / name)


@pytest.mark.parametrize('content', ['', 'a: [', '- 1', 'rosbag2_bagfile_information: {}', '\0'])
def test_broken_metadata(tmp_path: Path, content: str) -> None:
    write_images(tmp_path / 'bag')
    (tmp_path / 'bag' / 'metadata.yaml').write_text(content)
    with pytest.raises(DataError, match='incomplete or damaged'):
        BagReader(tmp_path / 'bag')


def test_metadata_without_its_file(tmp_path: Path) -> None:
    write_images(tmp_path / 'bag')
    next((tmp_path / 'bag').glob('*.mcap')).unlink()
    with pytest.raises(DataError, match='missing'):
        BagReader(tmp_path / 'bag')


@pytest.mark.parametrize('storage', STORAGES)
def test_a_storage_file_cut_anywhere_is_an_error(tmp_path: Path, storage: str) -> None:
    write_images(tmp_path / 'bag', storage=storage)
    (file,) = (path for path in (tmp_path / 'bag').iterdir() if path.name != 'metadata.yaml')
    whole = file.read_bytes()
    for eighths in range(8):
        file.write_bytes(whole[: len(whole) * eighths // 8])
        with pytest.raises(DataError, match='incomplete or damaged'):
            read_everything(tmp_path / 'bag')


def test_damage_inside_a_bag_is_a_data_error_or_costs_a_message(tmp_path: Path) -> None:
    write_images(tmp_path / 'bag')
    file = next((tmp_path / 'bag').glob('*.mcap'))
    whole = file.read_bytes()
    random = np.random.default_rng(11)
    outcomes = set()
    for _ in range(60):
        damaged = bytearray(whole)
        for place in random.integers(0, len(whole), 40):
            damaged[place] ^= int(random.integers(1, 256))
        file.write_bytes(damaged)
        try:
            read_everything(tmp_path / 'bag')
            outcomes.add('read')
        except (DataError, FrameError) as error:
            outcomes.add(type(error).__name__)
    assert 'DataError' in outcomes


def test_a_bag_of_rosbag2_on_humble_has_no_message_definitions(tmp_path: Path) -> None:
    """Strip what only newer recorders write, as far as sqlite3 lets us."""
    write_images(tmp_path / 'bag', storage='sqlite3')
    database = sqlite3.connect(next((tmp_path / 'bag').glob('*.db3')))
    database.execute('DELETE FROM message_definitions')
    database.commit()
    database.close()
    with BagReader(tmp_path / 'bag') as reader:
        assert next(reader.messages()).deserialize().width == 30


def test_message_of_an_unknown_type() -> None:
    message = BagMessage(topic='/x', type_name='my_msgs/msg/Thing', record_ns=0, cdr=bytes(8))
    with pytest.raises(FrameError, match='/x cannot be read as my_msgs/msg/Thing'):
        message.deserialize()


def test_the_only_image_topic_is_found(tmp_path: Path) -> None:
    write_images(tmp_path / 'bag')
    with BagReader(tmp_path / 'bag') as reader:
        assert reader.image_topic().name == '/cam/image'
        assert reader.image_topic('/cam/image').count == 20
        with pytest.raises(DataError, match='no image topic /other; image topics: /cam/image'):
            reader.image_topic('/other')
        with pytest.raises(DataError, match=r'no topic /other; topics: /cam/image \(sensor_msgs'):
            next(reader.messages(['/other']))


def test_several_image_topics_ask_for_one(tmp_path: Path) -> None:
    write_images(tmp_path / 'bag', topics=('/left/image', '/right/image'))
    with BagReader(tmp_path / 'bag') as reader:
        with pytest.raises(DataError, match=r'2 image topics.*--topic: /left/image, /right/image'):
            reader.image_topic()
        assert reader.image_topic('/right/image').name == '/right/image'
        both = [message.topic for message in reader.messages()]
        assert both == ['/left/image', '/right/image'] * 20
        only = [message.topic for message in reader.messages(['/right/image'])]
        assert only == ['/right/image'] * 20


def test_no_image_topic_lists_what_there_is(tmp_path: Path) -> None:
    with BagWriter(tmp_path / 'bag') as writer:
        writer.add_topic('/diagnostics', DIAGNOSTIC_ARRAY)
    with BagReader(tmp_path / 'bag') as reader:
        assert (reader.start_ns, reader.duration_ns, reader.message_count) == (0, 0, 0)
        with pytest.raises(DataError, match=r'no image topic; topics: /diagnostics \(diagnostic'):
            reader.image_topic()


@pytest.mark.parametrize('storage', STORAGES)
def test_equal_messages_make_equal_files(tmp_path: Path, storage: str) -> None:
    for folder in ('one', 'two'):
        write_images(tmp_path / folder / 'bag', storage=storage)
    names = sorted(path.name for path in (tmp_path / 'one' / 'bag').iterdir())
    assert len(names) == 2
    for name in names:
        one, two = ((tmp_path / folder / 'bag' / name).read_bytes() for folder in ('one', 'two'))
        assert one == two


def test_a_renamed_bag_is_still_read(tmp_path: Path) -> None:
    write_images(tmp_path / 'bag')
    shutil.move(tmp_path / 'bag', tmp_path / 'other')
    with BagReader(tmp_path / 'other') as reader:
        assert reader.message_count == 20
