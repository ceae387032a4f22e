"""Topic names."""

from __future__ import annotations

import pytest

from stseg_ros.errors import ConfigError
from stseg_ros.sources.topics import beside_image, check_topic, compressed_topic


@pytest.mark.parametrize(
    ('image', 'info'),
    [
        ('/camera/image', '/camera/camera_info'),
        ('/camera/image/compressed', '/camera/camera_info'),
        ('/kitti/left/image_raw', '/kitti/left/camera_info'),
        ('/image', '/camera_info'),
        ('/image/compressed', '/camera_info'),
    ],
)
def test_topics_beside_an_image(image: str, info: str) -> None:
    assert beside_image(image, 'camera_info') == info


def test_compressed_form() -> None:
    assert compressed_topic('/camera/image') == '/camera/image/compressed'
    assert compressed_topic('/camera/image/compressed') == '/camera/image/compressed'


@pytest.mark.parametrize('topic', ['image', '', '/', '/a/', '//a', '/1a', '/a b', '/a\n', '~/a'])
def test_names_that_are_no_topics(topic: str) -> None:
    with pytest.raises(ConfigError, match='not an absolute name'):
        check_topic(topic)


def test_a_good_name_is_returned() -> None:
    assert check_topic('/front/image_raw2') == '/front/image_raw2'
