"""The backends that --help names are those that there are."""

from __future__ import annotations

import pytest

from stseg_ros.cli import main
from stseg_ros.engines.backends import AUTO, BACKENDS
from stseg_ros.verbs.backend_argument import NAMES


def test_the_names_are_those_of_the_engines() -> None:
    assert (AUTO, *BACKENDS) == NAMES


@pytest.mark.parametrize('verb', ['segment', 'replay', 'evaluate', 'demo', 'soak', 'benchmark'])
def test_each_verb_that_takes_one_names_all(
    verb: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv('COLUMNS', '200')
    with pytest.raises(SystemExit):
        main([verb, '--help'])
    shown = ' '.join(capsys.readouterr().out.split())
    assert (
        '--backend NAME inference backend: auto, tensorrt, tensorrt_rtx, openvino or onnxruntime '
        '(default: auto, the best that opens)' in shown
    )
