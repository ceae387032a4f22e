"""Plans from the cache or from the builder: when which, and what is a plan of its own."""

from __future__ import annotations

import inspect
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from support.rtx import CAPABILITY, RTX_MAGIC
from support.tiny_networks import conv_weights, write_conv_network

from stseg_ros.engines.plan_build import plans as tensorrt_build
from stseg_ros.engines.plan_build.plans import (
    BuildRequest,
    build_plan,
    find_or_build,
    network_request,
    plan_key,
)
from stseg_ros.engines.plan_build.target import find_target
from stseg_ros.engines.plan_cache.cache import EngineCache, PlanKey
from stseg_ros.engines.tensorrt.library import TensorRtLibrary
from stseg_ros.errors import EngineError
from stseg_ros.records import ChannelOrder


def key_of(library: TensorRtLibrary, request: BuildRequest) -> PlanKey:
    return plan_key(library, request, find_target(library, request.compute_capability))


def refuse_to_build(*_: Any, **__: Any) -> bytes:
    raise AssertionError('the plan is in the cache')


def test_the_second_call_does_not_build(
    library: TensorRtLibrary,
    request_: BuildRequest,
    cache: EngineCache,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first = find_or_build(library, request_, cache)
    assert (first.was_cached, first.is_kept) == (False, True)
    monkeypatch.setattr(tensorrt_build, 'run_builder', refuse_to_build)
    again = find_or_build(library, request_, EngineCache(cache.root))
    assert again.was_cached
    assert again.plan == first.plan


def test_one_weight_changed_misses(
    library: TensorRtLibrary, request_: BuildRequest, cache: EngineCache
) -> None:
    find_or_build(library, request_, cache)
    weights = conv_weights()
    weights.first[3, 1, 2, 0] += np.float32(2.0**-6)
    write_conv_network(request_.network, (8, 16), batch=1, stored_half=True, weights=weights)
    assert not find_or_build(library, request_, cache).was_cached
    assert len(cache.entries()) == 2


def test_another_shape_misses(
    library: TensorRtLibrary, request_: BuildRequest, cache: EngineCache
) -> None:
    find_or_build(library, request_, cache)
    write_conv_network(request_.network, (8, 24), batch=1, stored_half=True)
    assert not find_or_build(library, request_, cache).was_cached


@pytest.mark.parametrize(
    'change',
    [
        {'precision': 'fp32'},
        {'order': ChannelOrder.BGR},
        {'logits': 'float32'},
        {'compute_capability': '12.0'},
        {'workspace_bytes': 1 << 28},
    ],
    ids=lambda change: next(iter(change)),
)
def test_another_request_misses(
    library: TensorRtLibrary, request_: BuildRequest, cache: EngineCache, change: dict[str, Any]
) -> None:
    find_or_build(library, request_, cache)
    changed = replace(request_, **change)
    assert not find_or_build(library, changed, cache).was_cached
    assert find_or_build(library, changed, cache).was_cached
    assert find_or_build(library, request_, cache).was_cached


@pytest.mark.parametrize('batches', [(4, 3), (5, 2)], ids=['usual', 'largest'])
def test_another_profile_misses(
    library: TensorRtLibrary, tmp_path: Path, cache: EngineCache, batches: tuple[int, int]
) -> None:
    path = write_conv_network(tmp_path / 'n.onnx', (8, 16))
    for largest, usual in ((4, 2), batches):
        request = network_request(
            path, max_batch=largest, usual_batch=usual, compute_capability=CAPABILITY
        )
        assert not find_or_build(library, request, cache).was_cached


def test_another_version_misses(library: TensorRtLibrary, request_: BuildRequest) -> None:
    keys = [key_of(replace(library, version=version), request_) for version in ('1.7', '1.8')]
    assert keys[0].digest() != keys[1].digest()
    assert keys[0] == replace(keys[1], version='1.7')


def test_other_rewriting_code_misses(
    library: TensorRtLibrary, request_: BuildRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = key_of(library, request_)
    monkeypatch.setattr(
        'stseg_ros.engines.network_rewrite.network_steps.steps_version', lambda: 'other'
    )
    assert key_of(library, request_).digest() != before.digest()


def test_another_configuration_of_the_builder_misses(
    library: TensorRtLibrary, request_: BuildRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = key_of(library, request_)
    real = inspect.getsource
    monkeypatch.setattr(
        inspect,
        'getsource',
        lambda module: real(module) + '#' * module.__name__.endswith('.builder'),
    )
    assert key_of(library, request_).digest() != before.digest()


def test_a_file_that_changes_before_it_is_built_does_not_matter(
    library: TensorRtLibrary,
    request_: BuildRequest,
    cache: EngineCache,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    old = request_.network.read_bytes()
    real, built = tensorrt_build.run_builder, []

    def note(*arguments: Any) -> bytes:
        built.append(arguments[3])
        return real(*arguments)

    @contextmanager
    def wait_for_another(*_: Any, **__: Any) -> Iterator[None]:
        write_conv_network(
            request_.network, (8, 16), batch=1, stored_half=True, weights=conv_weights(seed=1)
        )
        yield

    monkeypatch.setattr(tensorrt_build, 'run_builder', note)
    monkeypatch.setattr(cache, 'lock', wait_for_another)
    find_or_build(library, request_, cache)
    request_.network.write_bytes(old)
    assert find_or_build(library, request_, cache).was_cached
    (prepared,) = built
    weights = [
        numpy_helper.to_array(each) for each in onnx.load_from_string(prepared).graph.initializer
    ]
    # The key names the old file, so that the plan has to be its plan, too.
    assert any(np.array_equal(each, conv_weights().first) for each in weights)


def test_the_name_of_the_file_does_not_matter(
    library: TensorRtLibrary, request_: BuildRequest, tmp_path: Path
) -> None:
    moved = tmp_path / 'moved.onnx'
    moved.write_bytes(request_.network.read_bytes())
    assert key_of(library, replace(request_, network=moved)) == key_of(library, request_)


def test_a_truncated_plan_is_built_again(
    library: TensorRtLibrary, request_: BuildRequest, cache: EngineCache, warnings: list[str]
) -> None:
    find_or_build(library, request_, cache)
    (entry,) = cache.entries()
    entry.path.write_bytes(entry.path.read_bytes()[:-1000])
    again = find_or_build(library, request_, cache)
    assert not again.was_cached
    assert again.plan.startswith(RTX_MAGIC)
    assert len(warnings) == 1
    assert find_or_build(library, request_, cache).was_cached


def test_without_a_writable_cache_the_plan_is_still_built(
    library: TensorRtLibrary, request_: BuildRequest, tmp_path: Path, warnings: list[str]
) -> None:
    (tmp_path / 'file').touch()
    cache = EngineCache(tmp_path / 'file' / 'engines', warn=warnings.append)
    found = find_or_build(library, request_, cache)
    assert found.plan.startswith(RTX_MAGIC)
    assert (found.was_cached, found.is_kept) == (False, False)
    assert len(warnings) == 1


def test_two_processes_build_one_plan_once(
    library: TensorRtLibrary, request_: BuildRequest, cache: EngineCache
) -> None:
    code = (
        'import sys\n'
        'from pathlib import Path\n'
        'from stseg_ros.engines.plan_cache.cache import EngineCache\n'
        'from stseg_ros.engines.plan_build.plans import find_or_build, network_request\n'
        'from stseg_ros.engines.tensorrt.library import load_library\n'
        "library = load_library('tensorrt_rtx')\n"
        f'request = network_request(Path(sys.argv[1]), compute_capability={CAPABILITY!r})\n'
        'found = find_or_build(library, request, EngineCache(Path(sys.argv[2])))\n'
        'print(found.was_cached)\n'
    )
    command = [sys.executable, '-c', code, str(request_.network), str(cache.root)]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    answers = sorted(process.communicate()[0].strip() for process in processes)
    assert answers == ['False', 'True']
    assert len(cache.entries()) == 1


def test_a_missing_network_is_one_line(library: TensorRtLibrary, tmp_path: Path) -> None:
    request = BuildRequest(network=tmp_path / 'gone.onnx', compute_capability=CAPABILITY)
    with pytest.raises(EngineError, match=r'gone\.onnx cannot be read'):
        build_plan(library, request)
    with pytest.raises(EngineError, match=r'gone\.onnx cannot be read'):
        key_of(library, request)
