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
    assert all(f'\n    {verb}' in shown for verb in VERBS)


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


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['fly'], f"stseg: unknown verb 'fly'; expected one of {', '.join(VERBS)}; see stseg"),
        (['segmnet', 'a.png'], "stseg: unknown verb 'segmnet'; did you mean segment? see stseg"),
        (['--speed'], 'stseg: unknown option --speed; see stseg'),
        (
            ['segment'],
            (
                'stseg segment: the following arguments are required: IMAGE, --output; '
                'see stseg segment'
            ),
        ),
        # The mistyped option counts before the one that is missing because of it.
        (
            ['segment', 'a.png', '--ouput=out'],
            'stseg segment: unknown option --ouput; did you mean --output? see stseg segment',
        ),
        (
            ['segment', 'a.png', '-o', 'out'],
            'stseg segment: unknown option -o; did you mean --output? see stseg segment',
        ),
        (
            ['replay', 'bag', '--output', 'out', '--quick'],
            'stseg replay: unknown option --quick; see stseg replay',
        ),
        (
            ['replay', 'bag', 'more', '--output', 'out'],
            "stseg replay: unexpected argument 'more'; see stseg replay",
        ),
        (
            ['bag', 'plya', 'drive'],
            "stseg bag: unknown action 'plya'; did you mean play? see stseg bag",
        ),
        (
            ['bag', 'play', 'drive', '--lopo'],
            'stseg bag play: unknown option --lopo; did you mean --loop? see stseg bag play',
        ),
    ],
)
def test_wrong_use_is_one_line_and_exits_2(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert capsys.readouterr().err == f'{message} --help\n'


@pytest.mark.parametrize(
    'arguments',
    [
        ['scenes', '--out', 'x', '--seed', '-1'],
        ['scenes', '--output=x', '--seed=-1'],
    ],
)
def test_negative_numbers_and_shortened_names_are_no_mistakes(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    assert capsys.readouterr().err == 'stseg scenes: --seed is -1; give 0 or more\n'


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
