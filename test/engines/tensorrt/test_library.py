"""Finding TensorRT and TensorRT-RTX, and what they report."""

from __future__ import annotations

import importlib.util
import sys
from types import ModuleType, SimpleNamespace

import pytest
from support.rtx import require_rtx

from stseg_ros.engines.tensorrt.library import (
    LIBRARIES,
    BuilderLogger,
    TensorRtLibrary,
    is_installed,
    load_library,
    make_logger,
    one_line,
)
from stseg_ros.errors import EngineError


def pretend(monkeypatch: pytest.MonkeyPatch, name: str, **content: object) -> None:
    """Install a module of that name."""
    module = ModuleType(name)
    module.__spec__ = importlib.util.spec_from_loader(name, loader=None)
    for key, value in content.items():
        setattr(module, key, value)
    monkeypatch.setitem(sys.modules, name, module)


@pytest.mark.parametrize('name', LIBRARIES)
def test_one_line_names_what_to_install(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(importlib.util, 'find_spec', lambda _: None)
    assert not is_installed(name)
    with pytest.raises(EngineError, match=rf'^{name} is not installed; pip install .*tensorrt'):
        load_library(name)


def test_an_old_tensorrt_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, 'tensorrt', __version__='8.5.3.1')
    with pytest.raises(EngineError, match=r'tensorrt is 8\.5\.3\.1; 8\.6 or later is needed'):
        load_library('tensorrt')


@pytest.mark.parametrize('version', ['8.6.0', '10.3.0', '11.4.1.2', '10.13.3.9.post1'])
def test_later_ones_are_taken(monkeypatch: pytest.MonkeyPatch, version: str) -> None:
    flags = SimpleNamespace(EXPLICIT_BATCH=0)
    pretend(monkeypatch, 'tensorrt', __version__=version, NetworkDefinitionCreationFlag=flags)
    library = load_library('tensorrt')
    assert (library.name, library.version, library.is_rtx) == ('tensorrt', version, False)
    assert not library.is_strongly_typed
    assert not library.has_progress_monitor


@pytest.mark.parametrize(
    ('name', 'version', 'is_older'),
    [
        ('tensorrt', '8.6.0', True),
        ('tensorrt', '9.3.0.post12.dev1', True),
        ('tensorrt', '10.0.1', False),
        ('tensorrt', '11.4.1.2', False),
        ('tensorrt_rtx', '1.7.1.116', False),
    ],
)
def test_parsers_of_opset_17(name: str, version: str, is_older: bool) -> None:
    library = TensorRtLibrary(name=name, version=version, module=None)
    assert library.has_older_parser is is_older


def test_an_incomplete_installation_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, 'tensorrt')
    with pytest.raises(EngineError, match='tensorrt is installed but does not load') as caught:
        load_library('tensorrt')
    assert '\n' not in str(caught.value)


def test_the_reason_is_the_first_error_in_one_line() -> None:
    logger = BuilderLogger()
    assert logger.reason() == 'no reason given'
    logger.warnings.extend(['slow', 'slower\n  still'])
    assert logger.reason() == 'slower still'
    logger.errors.extend(['out of\nmemory', 'and so it failed'])
    assert logger.reason() == 'out of memory'
    assert len(one_line('word ' * 1000)) < 400
    logger.clear()
    assert logger.reason() == 'no reason given'
    logger.warnings.append('new')
    assert logger.reason() == 'new'


def test_a_real_library_logs_what_is_wrong() -> None:
    library: TensorRtLibrary = require_rtx()
    assert library.is_rtx
    assert library.is_strongly_typed
    assert library.has_progress_monitor
    logger = make_logger(library)
    builder = library.module.Builder(logger.handle)
    assert not logger.errors
    # The parser writes to the network, but does not keep it.
    network = builder.create_network(0)
    parser = library.module.OnnxParser(network, logger.handle)
    assert not parser.parse(b'no network')
    assert logger.errors
    assert logger.reason() != 'no reason given'
