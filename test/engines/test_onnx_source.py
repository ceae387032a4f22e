"""Networks in files and in memory are the same where their bytes are."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from stseg_ros.engines.onnx_source import NamedModel, read_source, source_sha256
from stseg_ros.errors import EngineError

CONTENT = b'any bytes'


def test_a_file_and_a_model_of_the_same_bytes_are_one(tmp_path: Path) -> None:
    path = tmp_path / 'network.onnx'
    path.write_bytes(CONTENT)
    model = NamedModel(name='one graph of 4x3', content=CONTENT)
    assert source_sha256(path) == source_sha256(model) == hashlib.sha256(CONTENT).hexdigest()
    assert source_sha256(NamedModel(name=model.name, content=b'other')) != source_sha256(model)


def test_what_was_read_does_not_change_with_the_file(tmp_path: Path) -> None:
    path = tmp_path / 'network.onnx'
    path.write_bytes(CONTENT)
    model = read_source(path)
    path.write_bytes(b'other')
    assert model == NamedModel(name=str(path), content=CONTENT)
    assert read_source(model) is model


def test_messages_call_a_model_by_its_name() -> None:
    assert f'{NamedModel(name="one graph of 4x3", content=CONTENT)}' == 'one graph of 4x3'


def test_a_missing_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match=r'gone\.onnx cannot be read \(No such file') as missing:
        source_sha256(tmp_path / 'gone.onnx')
    assert '\n' not in str(missing.value)
