"""Tests of the list of checks."""

from __future__ import annotations

import subprocess
import sys

import pytest

from stseg_ros.doctor.catalogue import all_checks, choose
from stseg_ros.errors import ConfigError


def names(*words: str) -> list[str]:
    return [check.name for check in choose(all_checks(), words)]


def test_every_check_can_be_named_and_ends() -> None:
    checks = all_checks()
    assert names() == list(checks)
    for name, check in checks.items():
        assert check.name == name
        assert 0 < check.limit_s <= 900
        assert check.title
        assert set(check.needs) < set(checks)


def test_what_is_needed_comes_first() -> None:
    order = list(all_checks())
    for check in all_checks().values():
        assert all(order.index(needed) < order.index(check.name) for needed in check.needs)


def test_checks_are_chosen_by_name_or_group() -> None:
    assert names('kernel', 'ros') == ['ros', 'kernel']
    assert names('backend') == [
        'backend_auto',
        'backend_tensorrt',
        'backend_tensorrt_rtx',
        'backend_openvino',
        'backend_onnxruntime',
    ]


@pytest.mark.parametrize(
    ('word', 'advice'), [('trnsport', 'did you mean transport?'), ('xyz', 'known are ros, ')]
)
def test_an_unknown_name(word: str, advice: str) -> None:
    with pytest.raises(ConfigError, match=f'no check {word!r}; {advice.rstrip("?")}'):
        names(word)


def test_the_list_needs_nothing_that_may_be_broken() -> None:
    code = (
        'import sys, stseg_ros.doctor.catalogue\n'
        'stseg_ros.doctor.catalogue.all_checks()\n'
        "print(sorted({'rclpy', 'numpy', 'cv2', 'yaml', 'onnx', 'openvino'} & set(sys.modules)))"
    )
    shown = subprocess.run(
        [sys.executable, '-c', code], capture_output=True, text=True, check=True
    )
    assert shown.stdout.strip() == '[]'
