"""`stseg soak`: its arguments, what it prints and writes, and its status."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from support.soak_outcome import GOOD, STORY, balance

from stseg_ros.cli import main
from stseg_ros.errors import StsegError
from stseg_ros.soak import run_soak as soak_module
from stseg_ros.soak.course import Progress, SoakOptions
from stseg_ros.soak.ledger import Ledger
from stseg_ros.soak.promises import Outcome, judge
from stseg_ros.soak.report import make_document

Pretend = Callable[..., list[SoakOptions]]


@pytest.fixture
def pretend(monkeypatch: pytest.MonkeyPatch) -> Pretend:
    """Have no soak run, and an outcome come of it; return what was asked for."""

    def prepare(outcome: Outcome = GOOD, *, interrupted: bool = False) -> list[SoakOptions]:
        asked: list[SoakOptions] = []
        story = dataclasses.replace(STORY, interrupted=interrupted)

        def run(options: SoakOptions, progress: Progress) -> dict[str, object]:
            asked.append(options)
            (options.output / 'node.log').write_text('a log')
            progress.say('soaking')
            for at_s in (1.0, 9.9, 10.1, 10.2, 19.9, 20.5):
                progress.on_time(at_s, Ledger())
            return make_document(story, outcome, judge(outcome))

        monkeypatch.setattr(soak_module, 'run_soak', run)
        return asked

    return prepare


def test_a_good_soak(pretend: Pretend, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = pretend()
    output = tmp_path / 'out'
    output.mkdir()
    (output / 'soak.json').write_text('of an earlier soak')
    (output / 'notes.txt').write_text('of the user')
    also = tmp_path / 'also.json'
    arguments = ['--seconds', '30', '--rate', '12.5', '--seed', '7', '--json', str(also)]
    assert main(['soak', *arguments, '--output', str(output)]) == 0
    (options,) = asked
    assert (options.seconds, options.rate_hz, options.seed) == (30.0, 12.5, 7)
    assert (options.transport, options.backend, options.bundle) == ('raw', 'auto', 'driving_small')
    names = {path.name for path in output.iterdir()}
    assert names == {'soak.json', 'soak.png', 'node.log', 'notes.txt'}
    report = json.loads((output / 'soak.json').read_text())
    assert report['schema'] == 1
    assert also.read_text() == (output / 'soak.json').read_text()
    shown = capsys.readouterr().out
    assert 'soaking ...\n' in shown
    assert 'kept     every image is a mask or counted: 0 of 100 are neither' in shown
    assert 'BROKEN' not in shown


def test_a_line_every_ten_seconds(pretend: Pretend, capsys: pytest.CaptureFixture[str]) -> None:
    pretend()
    assert main(['soak', '--seconds', '30']) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if ' s: ' in line]
    assert [line.split(' s: ')[0].strip() for line in lines] == ['10', '20']
    assert lines[0].endswith('0 sent, 0 masks, 0 dropped, 0 bad, 0 failed, 0 lost')


def test_logs_are_kept_only_where_a_promise_is_broken(
    pretend: Pretend,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr('tempfile.tempdir', str(tmp_path))
    asked = pretend()
    assert main(['soak']) == 0
    assert not asked[0].output.exists()
    asked = pretend(dataclasses.replace(GOOD, balance=balance(frames_dropped=20)))
    assert main(['soak']) == 1
    shown = capsys.readouterr().out
    assert 'BROKEN   every image is a mask or counted: 5 of 100 are neither' in shown
    assert f'the logs of node and camera are in {asked[0].output}' in shown
    assert (asked[0].output / 'node.log').read_text() == 'a log'


def test_what_ended_early_says_so(pretend: Pretend, capsys: pytest.CaptureFixture[str]) -> None:
    pretend(interrupted=True)
    assert main(['soak']) == 0
    assert 'soak, ended early\n' in capsys.readouterr().out


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['--seconds', '5'], '--seconds is 5; expected 10 to 604800 (a week)'),
        (['--seconds', 'nan'], '--seconds is nan; expected 10'),
        (['--rate', '0'], '--rate is 0; expected above 0 and at most 1000'),
        (['--rate', 'inf'], '--rate is inf; expected'),
        (['--backend', 'magic'], "--backend is 'magic'; expected one of auto, "),
        (['--bundle', 'no_such'], "'no_such' is neither a bundle folder nor a shipped bundle"),
        (['--json', 'no/such/file.json'], 'no/such/file.json: cannot be written'),
    ],
)
def test_wrong_arguments_are_one_line(
    arguments: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(['soak', *arguments]) == 2
    shown = capsys.readouterr()
    assert shown.err.startswith(f'stseg soak: {message}')
    assert shown.err.count('\n') == 1
    assert shown.out == ''


@pytest.mark.parametrize('error', [KeyboardInterrupt, StsegError])
def test_nothing_empty_stays_behind(
    error: type[BaseException], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise error('no luck')

    monkeypatch.setattr('tempfile.tempdir', str(tmp_path))
    monkeypatch.setattr(soak_module, 'run_soak', fail)
    assert main(['soak']) == (130 if error is KeyboardInterrupt else 2)
    assert list(tmp_path.iterdir()) == []
