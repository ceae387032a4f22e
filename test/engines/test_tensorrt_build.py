"""Real plans, built by TensorRT-RTX, which needs no GPU for it."""

from __future__ import annotations

import _thread
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx
import pytest
from support.rtx import CAPABILITY, require_rtx
from support.tiny_networks import conv_weights, write_conv_network

from stseg_ros.engines import tensorrt_build
from stseg_ros.engines.build_target import find_target
from stseg_ros.engines.build_watch import BuildWatch
from stseg_ros.engines.engine_cache import EngineCache
from stseg_ros.engines.network_steps import prepare_network
from stseg_ros.engines.tensorrt_build import (
    BuildRequest,
    BuildStoppedError,
    InputProfile,
    build_plan,
    cached_plan,
    find_or_build,
    network_request,
    plan_key,
)
from stseg_ros.engines.tensorrt_builder import run_builder
from stseg_ros.engines.tensorrt_library import TensorRtLibrary, make_logger
from stseg_ros.errors import EngineError
from stseg_ros.records import ChannelOrder

# How a plan of TensorRT-RTX begins.
RTX_MAGIC = b'vtrt'


@pytest.fixture
def library() -> TensorRtLibrary:
    return require_rtx()


@pytest.fixture
def network(tmp_path: Path) -> Path:
    return write_conv_network(tmp_path / 'network.onnx', (8, 16), batch=1, stored_half=True)


@pytest.fixture
def request_(network: Path) -> BuildRequest:
    return network_request(network, compute_capability=CAPABILITY)


@pytest.fixture
def warnings() -> list[str]:
    return []


@pytest.fixture
def cache(tmp_path: Path, warnings: list[str]) -> EngineCache:
    return EngineCache(tmp_path / 'engines', warn=warnings.append)


def parsed_types(library: TensorRtLibrary, network: bytes) -> dict[str, list[str]]:
    """Parse a strongly typed network and list the types of its layers' outputs by kind."""
    trt = library.module
    logger = make_logger(library)
    builder = trt.Builder(logger.handle)
    strongly_typed = 1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED)
    definition = builder.create_network(strongly_typed)
    parser = trt.OnnxParser(definition, logger.handle)
    assert parser.parse(network), logger.errors
    found: dict[str, list[str]] = {}
    for index in range(definition.num_layers):
        layer = definition.get_layer(index)
        found.setdefault(layer.type.name, []).append(layer.get_output(0).dtype.name)
    found['out'] = [definition.get_output(i).dtype.name for i in range(definition.num_outputs)]
    return found


def shipped_network(stage: str) -> Path:
    return Path(__file__).parents[2] / 'models' / 'driving_small' / f'{stage}.onnx'


def test_a_plan_is_built(library: TensorRtLibrary, request_: BuildRequest) -> None:
    plan = build_plan(library, request_)
    assert isinstance(plan, bytes)
    assert plan.startswith(RTX_MAGIC)


@pytest.mark.parametrize('stage', ['coarse', 'refine'])
def test_convolutions_of_the_shipped_networks_are_half_for_the_builder(
    library: TensorRtLibrary, stage: str
) -> None:
    def prepared(*, half: bool, logits: str) -> dict[str, list[str]]:
        path = shipped_network(stage)
        content = prepare_network(path, half=half, order=ChannelOrder.RGB, logits=logits)
        return parsed_types(library, content)

    half, real = (prepared(half=flag, logits='bytes') for flag in (True, False))
    assert len(half['CONVOLUTION']) == len(real['CONVOLUTION']) == 28
    assert set(half['CONVOLUTION']) == set(half['RESIZE']) == {'HALF'}
    assert set(real['CONVOLUTION']) == set(real['RESIZE']) == {'FLOAT'}
    assert half['out'] == real['out'] == ['UINT8']
    assert prepared(half=True, logits='float32')['out'] == ['FLOAT']


@pytest.mark.parametrize('order', list(ChannelOrder))
@pytest.mark.parametrize('logits', ['bytes', 'float32'])
@pytest.mark.parametrize('precision', ['fp16', 'fp32'])
def test_every_form_is_taken(
    library: TensorRtLibrary,
    request_: BuildRequest,
    order: ChannelOrder,
    logits: str,
    precision: str,
) -> None:
    request = replace(request_, order=order, logits=logits, precision=precision)
    assert build_plan(library, request).startswith(RTX_MAGIC)


def test_fp16_halves_the_weights_in_the_plan(library: TensorRtLibrary, tmp_path: Path) -> None:
    weights = conv_weights(hidden=4096)
    path = write_conv_network(tmp_path / 'n.onnx', (8, 16), batch=1, weights=weights)
    request = network_request(path, compute_capability=CAPABILITY)
    half = build_plan(library, request)
    real = build_plan(library, replace(request, precision='fp32'))
    # Not all of the two bytes saved per weight: kernels pad the channels, each kind its own way.
    assert len(real) - len(half) > weights.first.size


def test_profiles_are_built_in(library: TensorRtLibrary, tmp_path: Path) -> None:
    path = write_conv_network(tmp_path / 'n.onnx', (8, 16))
    request = network_request(path, max_batch=4, usual_batch=2, compute_capability=CAPABILITY)
    assert build_plan(library, request).startswith(RTX_MAGIC)
    with pytest.raises(EngineError, match='given for none, inputs with a free axis are image'):
        build_plan(library, replace(request, profiles=()))
    stranger = InputProfile(
        name='frame', minimum=(1, 8, 16, 3), usual=(1, 8, 16, 3), maximum=(1, 8, 16, 3)
    )
    with pytest.raises(EngineError, match='given for frame, inputs'):
        build_plan(library, replace(request, profiles=(stranger,)))
    wrong = replace(
        request.profiles[0], minimum=(1, 9, 16, 3), usual=(1, 9, 16, 3), maximum=(1, 9, 16, 3)
    )
    with pytest.raises(EngineError, match=r'cannot build .*n\.onnx: .*image') as caught:
        build_plan(library, replace(request, profiles=(wrong,)))
    assert '\n' not in str(caught.value)


def test_what_the_parser_does_not_know_is_one_line(
    library: TensorRtLibrary, network: Path, request_: BuildRequest
) -> None:
    model = onnx.load(network)
    relu = next(node for node in model.graph.node if node.op_type == 'Relu')
    relu.op_type, relu.name = 'Bernoulli', 'strange'
    onnx.save(model, network)
    expected = r'tensorrt_rtx .* cannot build .*network\.onnx: node \d+ \(Bernoulli\): UNSUPPORTED'
    with pytest.raises(EngineError, match=expected) as caught:
        build_plan(library, request_)
    assert '\n' not in str(caught.value)


def test_progress_is_told_in_this_thread(library: TensorRtLibrary, request_: BuildRequest) -> None:
    told: list[tuple[float, str]] = []

    def progress(share: float, phase: str) -> None:
        assert threading.current_thread() is threading.main_thread()
        told.append((share, phase))

    build_plan(library, request_, progress=progress)
    shares = [share for share, _ in told]
    assert shares == sorted(shares)
    assert shares[0] == 0.0
    assert 0.5 < shares[-1] <= 1.0
    assert len({phase for _, phase in told}) > 3


def test_the_builder_itself_ends_when_cancelled(
    library: TensorRtLibrary, request_: BuildRequest
) -> None:
    target = find_target(library, CAPABILITY)
    content = prepare_network(
        request_.onnx_path, half=True, order=ChannelOrder.RGB, logits='float32'
    )
    watch = BuildWatch()
    watch.cancelled.set()
    with pytest.raises(BuildStoppedError):
        run_builder(library, request_, target, content, watch)
    steps = 0
    while not watch.progress.empty():
        watch.progress.get()
        steps += 1
    # A build of this network that goes on to its end tells of some ninety.
    assert steps < 20


def test_stop_leaves_nothing_behind(
    library: TensorRtLibrary, request_: BuildRequest, cache: EngineCache
) -> None:
    with pytest.raises(BuildStoppedError, match=r'network\.onnx: the build was stopped'):
        cached_plan(library, request_, cache, stop=lambda: True)
    assert cache.entries() == []
    assert not list(cache.root.glob('*.p*'))
    assert not find_or_build(library, request_, cache).was_cached


def told_of(
    library: TensorRtLibrary, request: BuildRequest, cache: EngineCache
) -> list[tuple[float, str]]:
    told: list[tuple[float, str]] = []
    find_or_build(library, request, cache, progress=lambda *news: told.append(news))
    return told


def test_the_end_of_a_build_is_told(
    library: TensorRtLibrary,
    request_: BuildRequest,
    cache: EngineCache,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told = told_of(library, request_, cache)
    assert told[-1] == (1.0, '')
    assert len(told) > 10
    assert all(phase for _, phase in told[:-1])
    assert told_of(library, request_, cache) == []

    def fail(*_: Any) -> bytes:
        raise EngineError('no memory')

    cache.clean()
    monkeypatch.setattr(tensorrt_build, 'run_builder', fail)
    failed: list[tuple[float, str]] = []
    with pytest.raises(EngineError, match='no memory'):
        find_or_build(library, request_, cache, progress=lambda *news: failed.append(news))
    assert failed == [(1.0, '')]


def test_ctrl_c_leaves_nothing_behind(
    library: TensorRtLibrary, request_: BuildRequest, cache: EngineCache
) -> None:
    def progress(share: float, phase: str) -> None:
        # As Ctrl-C does, but for the signal itself: once a network has used AMX, its frame does
        # not fit the stack that pytest sets aside for signals.
        _thread.interrupt_main()

    with pytest.raises(KeyboardInterrupt):
        cached_plan(library, request_, cache, progress=progress)
    assert 'build' not in {thread.name for thread in threading.enumerate()}
    assert not list(cache.root.glob('*.p*'))


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
    assert again.plan == first.plan == cached_plan(library, request_, cache)


def test_one_weight_changed_misses(
    library: TensorRtLibrary, request_: BuildRequest, cache: EngineCache
) -> None:
    find_or_build(library, request_, cache)
    weights = conv_weights()
    weights.first[3, 1, 2, 0] += np.float32(2.0**-6)
    write_conv_network(request_.onnx_path, (8, 16), batch=1, stored_half=True, weights=weights)
    assert not find_or_build(library, request_, cache).was_cached
    assert len(cache.entries()) == 2


def test_another_shape_misses(
    library: TensorRtLibrary, request_: BuildRequest, cache: EngineCache
) -> None:
    find_or_build(library, request_, cache)
    write_conv_network(request_.onnx_path, (8, 24), batch=1, stored_half=True)
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
    keys = [plan_key(replace(library, version=version), request_) for version in ('1.7', '1.8')]
    assert keys[0].digest() != keys[1].digest()
    assert keys[0] == replace(keys[1], version='1.7')


def test_other_rewriting_code_misses(
    library: TensorRtLibrary, request_: BuildRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = plan_key(library, request_)
    monkeypatch.setattr('stseg_ros.engines.network_steps.steps_version', lambda: 'other')
    assert plan_key(library, request_).digest() != before.digest()


def test_the_name_of_the_file_does_not_matter(
    library: TensorRtLibrary, request_: BuildRequest, tmp_path: Path
) -> None:
    moved = tmp_path / 'moved.onnx'
    moved.write_bytes(request_.onnx_path.read_bytes())
    assert plan_key(library, replace(request_, onnx_path=moved)) == plan_key(library, request_)


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
        'from stseg_ros.engines.engine_cache import EngineCache\n'
        'from stseg_ros.engines.tensorrt_build import find_or_build, network_request\n'
        'from stseg_ros.engines.tensorrt_library import load_library\n'
        "library = load_library('tensorrt_rtx')\n"
        f'request = network_request(Path(sys.argv[1]), compute_capability={CAPABILITY!r})\n'
        'found = find_or_build(library, request, EngineCache(Path(sys.argv[2])))\n'
        'print(found.was_cached)\n'
    )
    command = [sys.executable, '-c', code, str(request_.onnx_path), str(cache.root)]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    answers = sorted(process.communicate()[0].strip() for process in processes)
    assert answers == ['False', 'True']
    assert len(cache.entries()) == 1


def test_a_missing_network_is_one_line(library: TensorRtLibrary, tmp_path: Path) -> None:
    request = BuildRequest(onnx_path=tmp_path / 'gone.onnx', compute_capability=CAPABILITY)
    with pytest.raises(EngineError, match=r'gone\.onnx cannot be read'):
        build_plan(library, request)
    with pytest.raises(EngineError, match=r'gone\.onnx cannot be read'):
        plan_key(library, request)


class OldLibrary:
    """The names of TensorRT 8.6, of which `run_builder` makes a network, a config and a plan.

    It builds nothing: it notes what is asked of it, for the paths that no library here takes.
    """

    def __init__(self, plan: bytes | None, *, shares_profiles: bool = False) -> None:
        self.asked: list[Any] = []
        self.plan = plan
        self.NetworkDefinitionCreationFlag = SimpleNamespace(__members__={'EXPLICIT_BATCH': 0})
        self.BuilderFlag = SimpleNamespace(FP16='FP16', TF32='TF32')
        self.MemoryPoolType = SimpleNamespace(WORKSPACE='WORKSPACE')
        base = type('ILogger', (), {'ERROR': 1, 'INTERNAL_ERROR': 0, 'WARNING': 2})
        self.ILogger = base
        if shares_profiles:
            self.PreviewFeature = SimpleNamespace(PROFILE_SHARING_0806='SHARING')

    def Builder(self, logger: Any) -> Any:  # noqa: N802
        self.logger = logger
        return SimpleNamespace(
            create_network=lambda flags: self.note('network', flags),
            create_builder_config=self.config,
            build_serialized_network=lambda *_: self.built(),
        )

    def OnnxParser(self, *_: Any) -> Any:  # noqa: N802
        self.logger.log(1, 'an error of the parser that it got over')
        return SimpleNamespace(parse=bool)

    def note(self, *words: Any) -> Any:
        self.asked.append(words)
        return SimpleNamespace(num_inputs=0)

    def built(self) -> bytes | None:
        if self.plan is None:
            self.logger.log(1, 'no kernel fits\nthe memory')
        return self.plan

    def config(self) -> Any:
        return SimpleNamespace(
            set_memory_pool_limit=lambda *words: self.note('limit', *words),
            clear_flag=lambda flag: self.note('clear', flag),
            set_flag=lambda flag: self.note('set', flag),
            set_preview_feature=lambda *words: self.note('preview', *words),
            create_timing_cache=lambda content: self.note('times', content),
            set_timing_cache=self.set_times,
            get_timing_cache=lambda: SimpleNamespace(serialize=lambda: b'new times'),
        )

    def set_times(self, cache: Any, ignore_mismatch: bool) -> bool:
        """Refuse the times of another GPU."""
        assert cache is not None
        assert not ignore_mismatch
        return self.asked[-1] != ('times', b'foreign')


def run_old_builder(library: OldLibrary, request: BuildRequest) -> bytes:
    old: Any = TensorRtLibrary(name='tensorrt', version='8.6.0', module=library)
    target: Any = None
    return run_builder(old, request, target, b'network', BuildWatch())


def test_an_old_library_is_told_to_allow_fp16(tmp_path: Path) -> None:
    # The flags' numbers are those of TensorRT 8.6: explicit batch is bit 0.
    request = BuildRequest(onnx_path=tmp_path / 'n.onnx', workspace_bytes=99)
    library = OldLibrary(b'plan')
    assert run_old_builder(library, request) == b'plan'
    assert library.asked == [
        ('network', 1),
        ('limit', 'WORKSPACE', 99),
        ('clear', 'TF32'),
        ('set', 'FP16'),
    ]
    library = OldLibrary(b'plan')
    run_old_builder(library, replace(request, precision='fp32'))
    assert ('set', 'FP16') not in library.asked


@pytest.mark.parametrize('is_strongly_typed', [False, True])
def test_an_old_library_is_told_to_share_profiles(tmp_path: Path, is_strongly_typed: bool) -> None:
    library = OldLibrary(b'plan', shares_profiles=True)
    if is_strongly_typed:
        library.NetworkDefinitionCreationFlag = SimpleNamespace(
            __members__={'STRONGLY_TYPED': 1}, STRONGLY_TYPED=1
        )
    run_old_builder(library, BuildRequest(onnx_path=tmp_path / 'n.onnx'))
    asked = [words for words in library.asked if words[0] == 'preview']
    assert asked == ([] if is_strongly_typed else [('preview', 'SHARING', True)])


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
    library = OldLibrary(b'plan')
    run_old_builder(library, BuildRequest(onnx_path=tmp_path / 'n.onnx', timing_cache=path))
    assert [words[1] for words in library.asked if words[0] == 'times'] == tried
    assert path.read_bytes() == b'new times'
    assert list(path.parent.iterdir()) == [path]


def test_a_failed_build_says_why_in_one_line(tmp_path: Path) -> None:
    request = BuildRequest(onnx_path=tmp_path / 'n.onnx')
    with pytest.raises(
        EngineError, match=r'^tensorrt 8\.6\.0 cannot build .*n\.onnx: no kernel fits the memory$'
    ):
        run_old_builder(OldLibrary(None), request)
