"""Tests of the bar that shows how an engine is built."""

from __future__ import annotations

import io

import pytest

from stseg_ros.verbs.build_progress import build_progress


class Terminal(io.StringIO):
    """Says that it is one."""

    def isatty(self) -> bool:
        return True


def test_each_network_has_its_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr('sys.stderr', terminal)
    with build_progress('building engines') as progress:
        progress(0.25, 'parsing')
        progress(0.75, 'timing')
        progress(0.0, 'parsing')
    assert terminal.getvalue().count('building engines:   0%') == 2


@pytest.mark.parametrize('builds', [True, False])
def test_nothing_is_shown_without_a_terminal_or_a_build(
    builds: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = io.StringIO() if builds else Terminal()
    monkeypatch.setattr('sys.stderr', stream)
    with build_progress('building engines') as progress:
        if builds:
            progress(0.5, 'timing')
    assert stream.getvalue() == ''
