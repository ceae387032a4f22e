"""What each version of the libraries is asked for, by the names that it has."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from support.fake_builder import run_fake_builder
from support.tensorrt_names import LACKS

from stseg_ros.engines.plan_build.request import BuildRequest
from stseg_ros.errors import EngineError

REQUEST = BuildRequest(network=Path('n.onnx'), workspace_bytes=99)


@pytest.mark.parametrize(('name', 'version'), LACKS)
def test_precision_is_asked_for_as_the_version_knows_it(name: str, version: str) -> None:
    lacks = LACKS[name, version]
    asked = run_fake_builder(REQUEST, name, version).asked
    flags = dict(words for words in asked if words[0] == 'network')['network']
    # Bit 0 asks for an explicit batch, bit 1 for the graph's own types.
    assert bool(flags & 1) == ('NetworkDefinitionCreationFlag.EXPLICIT_BATCH' not in lacks)
    is_strongly_typed = version != '8.6.0'
    assert bool(flags & 2) == is_strongly_typed
    # Where types are the graph's, a flag for FP16 is refused.
    assert (('set', 'FP16') in asked) == (not is_strongly_typed)
    assert (('preview', 'SHARING', True) in asked) == (not is_strongly_typed)
    assert ('clear', 'TF32') in asked
    assert ('limit', 'WORKSPACE', 99) in asked


def test_fp32_is_not_told_to_allow_fp16() -> None:
    request = replace(REQUEST, precision='fp32')
    assert ('set', 'FP16') not in run_fake_builder(request, 'tensorrt', '8.6.0').asked


@pytest.mark.parametrize(('name', 'version'), LACKS)
def test_builds_are_watched_and_aimed_where_that_can_be(name: str, version: str) -> None:
    module = run_fake_builder(REQUEST, name, version)
    assert module.watched == (version != '8.6.0')
    assert (('capability', 'SM89') in module.asked) == (name == 'tensorrt_rtx')


@pytest.mark.parametrize(
    ('present', 'tried'), [(None, [b'']), (b'old', [b'old']), (b'foreign', [b'foreign', b''])]
)
def test_times_of_kernels_are_kept(
    tmp_path: Path, present: bytes | None, tried: list[bytes]
) -> None:
    path = tmp_path / 'times' / 'orin.timing'
    if present is not None:
        path.parent.mkdir()
        path.write_bytes(present)
    module = run_fake_builder(replace(REQUEST, timing_cache=path), 'tensorrt', '10.3.0')
    assert [words[1] for words in module.asked if words[0] == 'times'] == tried
    assert path.read_bytes() == b'new times'
    assert list(path.parent.iterdir()) == [path]


def test_a_failed_build_says_why_in_one_line() -> None:
    with pytest.raises(
        EngineError, match=r'^tensorrt 8\.6\.0 cannot build n\.onnx: no kernel fits the memory$'
    ):
        run_fake_builder(REQUEST, 'tensorrt', '8.6.0', plan=None)
