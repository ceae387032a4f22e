"""Tests of what is shipped for other programs: layout, policy, service, and their page."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from support.security_policy import POLICY, read_policy

from stseg_ros.records import FrameTiming, RegionSelection, SegmentationResult
from stseg_ros.sources.timing_message import timing_key_values

CONFIG = Path(__file__).parent.parent / 'config'
LAYOUT = json.loads((CONFIG / 'foxglove.json').read_text())
PAGE = CONFIG.parent / 'docs' / 'deploy.md'
SERVICE = CONFIG / 'systemd' / 'stseg-segmenter@.service'
# Added by the node to the stages' times.
NODE_KEYS = {'node_ms', 'queue_ms'}


def panels_shown(part: Any) -> list[str]:
    if isinstance(part, str):
        return [part]
    assert part['direction'] in ('row', 'column')
    assert 0 < part['splitPercentage'] < 100
    return panels_shown(part['first']) + panels_shown(part['second'])


def topics_in(part: Any) -> set[str]:
    if isinstance(part, dict):
        keys = {key for key in part if key.startswith('/')}
        return keys.union(*(topics_in(value) for value in part.values()))
    if isinstance(part, list):
        return set().union(*(topics_in(value) for value in part))
    match = re.match(r'(/[A-Za-z_/]+)', part) if isinstance(part, str) else None
    return {match[1]} if match else set()


def test_every_panel_of_the_layout_is_shown_once() -> None:
    assert sorted(panels_shown(LAYOUT['layout'])) == sorted(LAYOUT['configById'])
    kinds = {name.partition('!')[0] for name in LAYOUT['configById']}
    assert kinds == {'Image', 'Plot', 'DiagnosticSummary'}
    assert {'globalVariables', 'userNodes', 'playbackConfig'} <= set(LAYOUT)


def test_the_layout_names_topics_that_the_node_publishes() -> None:
    topics = topics_in(LAYOUT['configById'])
    assert topics == {'/overlay', '/mask', '/regions', '/frame_timing', '/diagnostics'}
    # A test of the running node holds the policy to what is really published.
    assert topics <= read_policy().publish


def test_the_layout_plots_keys_of_frame_timing() -> None:
    nothing = np.zeros((1, 1), np.uint8)
    none = RegionSelection(boxes_xyxy=np.zeros((0, 4), np.int32), score=np.zeros(0, np.float32))
    result = SegmentationResult(
        mask_hw=nothing,
        logit_bytes_hw=nothing,
        selection=none,
        timing=FrameTiming(),
        stamp_ns=0,
        frame_id='',
    )
    keys = {key for key, _ in timing_key_values(result, [])} | NODE_KEYS
    (plot,) = (panel for name, panel in LAYOUT['configById'].items() if name.startswith('Plot!'))
    for path in plot['paths']:
        match = re.fullmatch(
            r'/frame_timing\.status\[0\]\.values\[:\]\{key=="(\w+)"\}\.value', path['value']
        )
        assert match, path
        assert match[1] in keys
        assert (path['enabled'], path['timestampMethod']) == (True, 'headerStamp')


def test_the_page_names_topics_that_the_node_publishes() -> None:
    text = PAGE.read_text()
    table = text[text.index('## Topics for other programs') :]
    named = re.findall(r'^\| `([a-z_/]+)` \|', table[: table.index('**Nav2.**')], re.MULTILINE)
    assert named == ['labels', 'label_info', 'vehicles', 'regions', 'mask/compressed']
    assert {f'/{topic}' for topic in named} <= read_policy().publish


def test_nav2s_layer_is_given_topics_that_the_node_publishes() -> None:
    (block,) = re.findall(r'```yaml\n(.*?)```', PAGE.read_text(), re.DOTALL)
    (layer,) = yaml.safe_load(block).values()
    camera = layer['camera']
    topics = (camera[f'{name}_topic'] for name in ('segmentation', 'confidence', 'labels'))
    assert list(topics) == ['/labels', '/confidence', '/label_info']
    assert read_policy().publish >= {'/labels', '/confidence', '/label_info'}
    listed = [name for kind in camera['class_types'] for name in camera[kind]['classes']]
    manifest = yaml.safe_load((CONFIG.parent / 'models/driving_small/bundle.yaml').read_text())
    assert sorted(listed) == sorted(manifest['classes'])


def test_the_policy_is_of_the_version_that_sros2_reads() -> None:
    text = POLICY.read_text()
    assert '<policy version="0.2.0">' in text
    assert '<enclave path="/segmenter">' in text
    assert '<profile ns="/" node="segmenter">' in text


def test_the_service_starts_the_node_in_its_cameras_namespace() -> None:
    lines = dict(
        line.split('=', 1)
        for line in SERVICE.read_text().splitlines()
        if '=' in line and not line.startswith('#')
    )
    shell, option, script = shlex.split(lines['ExecStart'])
    assert (shell, option) == ('/bin/bash', '-c')
    assert '$${IMAGE:+' in script
    # A dollar that is doubled there is one for the shell.
    subprocess.run(['bash', '-n', '-c', script.replace('$$', '$')], check=True)
    assert '/lib/stseg_ros/segmenter_node' in script
    assert '-r __ns:=/%i' in script
    assert lines['KillSignal'] == 'SIGINT'
    assert lines['RestartPreventExitStatus'] == '2'


@pytest.mark.parametrize('image', [None, '', '/front/image raw'])
def test_the_service_takes_the_topic_that_is_named(tmp_path: Path, image: str | None) -> None:
    node = tmp_path / 'install' / 'stseg_ros' / 'lib' / 'stseg_ros' / 'segmenter_node'
    node.parent.mkdir(parents=True)
    (tmp_path / 'install' / 'setup.bash').write_text('')
    node.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    node.chmod(0o755)
    line = next(it for it in SERVICE.read_text().splitlines() if it.startswith('ExecStart='))
    script = shlex.split(line.removeprefix('ExecStart='))[2].replace('$$', '$')
    environment = {'PATH': os.environ['PATH'], 'ROS_WORKSPACE': str(tmp_path)}
    if image is not None:
        environment['IMAGE'] = image
    shown = subprocess.run(
        ['bash', '-c', script.replace('%i', 'front')],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    remapped = ['-r', f'image:={image}'] if image else []
    assert shown.stdout.splitlines() == [
        *('--ros-args', '-r', '__ns:=/front', *remapped),
        *('--params-file', '/etc/stseg/front.yaml'),
    ]


@pytest.mark.skipif(shutil.which('systemd-analyze') is None, reason='needs systemd-analyze')
def test_systemd_takes_the_service() -> None:
    shown = subprocess.run(
        ['systemd-analyze', 'verify', str(SERVICE)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (shown.returncode, SERVICE.name in shown.stderr) == (0, False), shown.stderr
