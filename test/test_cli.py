"""Tests of the command line's manners."""

from __future__ import annotations

import importlib
import subprocess
import sys

import pytest

from stseg_ros.cli import VERBS, main
from stseg_ros.errors import ConfigError


def test_help_lists_every_verb(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(['--help'])
    assert caught.value.code == 0
    shown = capsys.readouterr().out
    assert all(f'    {verb} ' in shown for verb in VERBS)


def test_no_verb_shows_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    assert 'verbs' in capsys.readouterr().out


@pytest.mark.parametrize('verb', VERBS)
def test_every_verb_has_help_with_an_example(
    verb: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main([verb, '--help'])
    assert caught.value.code == 0
    shown = capsys.readouterr().out
    assert 'examples:' in shown
    assert f'stseg {verb} ' in shown.split('examples:')[1]


@pytest.mark.parametrize('arguments', [['fly'], ['--speed'], ['segment']])
def test_wrong_use_exits_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert 'usage: stseg' in capsys.readouterr().err


def test_errors_for_users_are_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    module = importlib.import_module('stseg_ros.verbs.scenes')

    def fail(_: object) -> int:
        raise ConfigError('the cause; the mend')

    monkeypatch.setattr(module, 'run', fail)
    assert main(['scenes', '--output', 'x']) == 2
    assert capsys.readouterr().err == 'stseg scenes: the cause; the mend\n'


def test_interruption_exits_130(monkeypatch: pytest.MonkeyPatch) -> None:
    module = importlib.import_module('stseg_ros.verbs.scenes')

    def interrupt(_: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(module, 'run', interrupt)
    assert main(['scenes', '--output', 'x']) == 130


def test_runs_as_a_module() -> None:
    shown = subprocess.run(
        [sys.executable, '-m', 'stseg_ros.cli', '--version'],
        capture_output=True,
        text=True,
        check=True,
    )
    assert shown.stdout.startswith('stseg ')
