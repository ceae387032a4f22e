"""Tests of the file behind `--config`."""

from __future__ import annotations

from pathlib import Path

import pytest

from stseg_ros.config import PipelineConfig
from stseg_ros.errors import ConfigError
from stseg_ros.verbs.config_file import ConfigFile, read_config_file

SHIPPED = Path(__file__).parents[2] / 'config' / 'segment.yaml'


def read(tmp_path: Path, text: str) -> ConfigFile:
    path = tmp_path / 'settings.yaml'
    path.write_text(text)
    return read_config_file(path)


def test_plain_settings_may_name_the_bundle(tmp_path: Path) -> None:
    file = read(tmp_path, 'bundle: mine\nregions: 3\nfusion: max\n')
    assert file == ConfigFile(bundle='mine', config=PipelineConfig(regions=3, fusion='max'))


def test_an_empty_file_is_the_default(tmp_path: Path) -> None:
    assert read(tmp_path, '') == ConfigFile(config=PipelineConfig())


def test_the_nodes_own_file_leaves_its_defaults_to_the_bundle() -> None:
    file = read_config_file(SHIPPED)
    assert file.bundle == 'driving_small'
    assert file.config == PipelineConfig()
    assert {'transport', 'autostart', 'overlay_alpha'} <= set(file.passed_over)
    assert 'regions' not in file.passed_over


@pytest.mark.parametrize('node', ['segmenter', '/front/segmenter', '/**/segmenter', 'renamed'])
def test_parameters_of_the_node_win_over_those_of_all(tmp_path: Path, node: str) -> None:
    text = (
        '/**:\n  ros__parameters: {regions: 1, threads: 2, threshold: -1}\n'
        f'{node}:\n  ros__parameters:\n    regions: 3\n    overlay_alpha: 0.1\n'
    )
    file = read(tmp_path, text)
    assert file.config == PipelineConfig(regions=3, threads=2)
    assert file.passed_over == ('overlay_alpha',)


def test_namespaces_may_be_mappings(tmp_path: Path) -> None:
    text = 'front:\n  segmenter:\n    ros__parameters: {regions: 5}\n'
    assert read(tmp_path, text).config.regions == 5


def test_other_nodes_are_passed_over(tmp_path: Path) -> None:
    text = 'camera:\n  ros__parameters: {rate: 9}\nsegmenter:\n  ros__parameters: {regions: 5}\n'
    assert read(tmp_path, text) == ConfigFile(config=PipelineConfig(regions=5))


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('region: 3', "unknown key 'region'; did you mean 'regions'?"),
        ('regions: -1', 'regions is -1; expected 0'),
        ('bundle: 3', 'bundle: expected a name or a folder, got 3'),
        (
            'a/segmenter: {ros__parameters: {}}\nb/segmenter: {ros__parameters: {}}',
            'has parameters of /a/segmenter, /b/segmenter; expected those of one node, segmenter',
        ),
        (
            'camera: {ros__parameters: {}}\nlidar: {ros__parameters: {}}',
            'has parameters of /camera, /lidar; expected those of one node',
        ),
        ('segmenter: {ros__parameters: {fusion: glue}}', "fusion is 'glue'; expected one of"),
    ],
)
def test_wrong_files_are_one_line_naming_them(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, text)
    assert str(caught.value).startswith(f'{tmp_path}/settings.yaml: ')
    assert message in str(caught.value)
    assert '\n' not in str(caught.value)
