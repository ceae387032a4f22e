"""Tests of the demonstration's processes."""

from __future__ import annotations

from pathlib import Path

import pytest

from stseg_ros.demo.processes import LoggedProcess, run_beside
from stseg_ros.errors import StsegError


def test_an_early_end_is_told_with_the_last_line(tmp_path: Path) -> None:
    process = LoggedProcess('helper', 'this_module_does_not_exist', [], tmp_path / 'log')
    with pytest.raises(
        StsegError, match=r'the helper ended with status 1; .*log ends with: .*No mod'
    ):
        process.wait(30.0)
    with pytest.raises(StsegError, match='ended early with status 1'):
        process.check_alive()


def test_a_good_end_is_quiet(tmp_path: Path) -> None:
    process = LoggedProcess('helper', 'this', [], tmp_path / 'log')
    process.wait(30.0)
    assert 'The Zen of Python' in (tmp_path / 'log').read_text()


def test_the_process_ends_with_the_block(tmp_path: Path) -> None:
    arguments = ['0', '--bind', '127.0.0.1']
    with run_beside('server', 'http.server', arguments, tmp_path / 'log') as process:
        process.check_alive()
        with pytest.raises(StsegError, match='did not end in 0 s'):
            process.wait(0.2)
    assert process.ended
