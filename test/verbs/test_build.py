"""`stseg build` with the real builder of TensorRT-RTX, which needs no GPU."""

from __future__ import annotations

import _thread
import importlib.util
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.rtx import require_rtx
from support.tiny_bundle import read_tiny_bundle, write_redness_network, write_tiny_bundle

from stseg_ros.bundle import NetworkFile, file_sha256, write_manifest
from stseg_ros.cli import main
from stseg_ros.engines.cuda import nvidia_gpu
from stseg_ros.engines.cuda.nvidia_gpu import NvidiaGpu
from stseg_ros.engines.plan_build import plans as tensorrt_build
from stseg_ros.engines.plan_build import target as build_target
from stseg_ros.engines.tensorrt import library as tensorrt_library
from stseg_ros.engines.tensorrt.library import TensorRtLibrary
from stseg_ros.errors import EngineError
from stseg_ros.verbs import build_requests


@pytest.fixture(autouse=True)
def engines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give each test a cache of its own."""
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'cache'))
    return tmp_path / 'cache' / 'stseg_ros' / 'engines'


@pytest.fixture
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build_target, 'find_gpu', lambda: None)


@pytest.fixture
def bundle(tmp_path: Path) -> str:
    return str(write_tiny_bundle(tmp_path / 'tiny'))


def build_rtx(*arguments: str) -> int:
    require_rtx()
    return main(['build', '--backend', 'tensorrt_rtx', *arguments])


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob('*.plan'))


def forms(shown: str) -> list[str]:
    """List how each engine came about."""
    return re.findall(r'^\w+, [\d.]+: (built|from the cache)', shown, re.MULTILINE)


def test_the_shipped_bundle_is_built_once(
    engines: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert build_rtx('--compute-capability', '8.9') == 0
    shown = capsys.readouterr().out
    assert forms(shown) == ['built', 'built']
    assert 'bundle driving_small, fp16' in shown
    plans = names(engines)
    assert len(plans) == 2
    # A million weights in FP16 are 2 MB.
    assert all((engines / plan).stat().st_size > 2e6 for plan in plans)

    def refuse(*_: Any) -> bytes:
        raise AssertionError('both engines are in the cache')

    monkeypatch.setattr(tensorrt_build, 'run_builder', refuse)
    assert build_rtx('--compute-capability', '8.9') == 0
    assert forms(capsys.readouterr().out) == ['from the cache', 'from the cache']
    assert names(engines) == plans


def test_another_weight_precision_or_shape_misses(
    tmp_path: Path, bundle: str, engines: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def built(*arguments: str) -> list[str]:
        assert build_rtx('--bundle', bundle, '--compute-capability', '8.9', *arguments) == 0
        return forms(capsys.readouterr().out)

    def rewrite_refine(height: int, gain: float) -> None:
        write_redness_network(
            tmp_path / 'tiny' / 'refine.onnx', (height, 64), batch=None, gain=gain
        )
        digest = file_sha256(tmp_path / 'tiny' / 'refine.onnx')
        networks = replace(
            manifest.networks, refine=NetworkFile(file='refine.onnx', sha256=digest)
        )
        write_manifest(tmp_path / 'tiny', replace(manifest, networks=networks))

    manifest = read_tiny_bundle(tmp_path / 'tiny').manifest
    assert built() == ['built', 'built']
    assert built('--precision', 'fp32') == ['built', 'built']
    rewrite_refine(32, gain=8.5)
    assert built() == ['from the cache', 'built']
    rewrite_refine(48, gain=8.5)
    assert built() == ['from the cache', 'built']
    # What recommends another number of regions is tuned to it.
    manifest = replace(manifest, recommended=replace(manifest.recommended, regions=7))
    rewrite_refine(48, gain=8.5)
    assert built() == ['from the cache', 'built']
    assert built() == ['from the cache', 'from the cache']
    assert len(names(engines)) == 7


def test_several_gpus_and_a_folder(
    tmp_path: Path, bundle: str, engines: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / 'factory'
    arguments = ['--bundle', bundle, '--output', str(output)]
    assert build_rtx(*arguments, '--compute-capability', '8.6', '12.0') == 0
    assert forms(capsys.readouterr().out) == ['built'] * 4
    assert len(names(output)) == 4
    assert not engines.exists()
    assert main(['build', '--list', '--output', str(output)]) == 0
    shown = capsys.readouterr().out
    assert len(re.findall(r'compute capability (?:8\.6|12\.0), fp16', shown)) == 4
    assert re.search(
        r'^refine\.onnx \w+: tensorrt_rtx .*, image:1x32x64x3/4x32x64x3/16x', shown, re.MULTILINE
    )
    assert f'4 engines, {sum_of(output)} MB, in {output}' in shown


def sum_of(folder: Path) -> str:
    """Write what the plans themselves take, without their headers of two lines."""
    plans = [(folder / name).read_bytes().split(b'\n', 2)[2] for name in names(folder)]
    return f'{sum(map(len, plans)) / 1e6:.1f}'


def test_list_and_clean(bundle: str, engines: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(['build', '--list']) == 0
    assert capsys.readouterr().out == f'0 engines, 0.0 MB, in {engines}\n'
    assert build_rtx('--bundle', bundle, '--compute-capability', '8.9') == 0
    capsys.readouterr()
    assert main(['build', '--clean']) == 0
    assert re.fullmatch(rf'\d+\.\d MB freed in {engines}\n', capsys.readouterr().out)
    assert list(engines.iterdir()) == []


@pytest.mark.usefixtures('no_gpu')
def test_without_a_gpu_the_capability_is_asked_for(
    bundle: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert build_rtx('--bundle', bundle) == 2
    error = capsys.readouterr().err
    assert error.count('\n') == 1
    assert 'no NVIDIA GPU found' in error
    assert '--compute-capability 8.9' in error


@pytest.mark.usefixtures('no_gpu')
@pytest.mark.parametrize(
    ('arguments', 'expected'),
    [
        (['--backend', 'tensorrt'], 'stseg build: tensorrt is not installed; pip install'),
        (['--backend', 'tensorrt_rtx'], 'stseg build: tensorrt_rtx is not installed; pip install'),
        ([], 'stseg build: neither tensorrt nor tensorrt_rtx is installed'),
    ],
)
def test_without_a_library_one_line_names_what_to_install(
    bundle: str,
    arguments: list[str],
    expected: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util,
        'find_spec',
        lambda name, *rest: None if 'tensorrt' in name else real(name, *rest),
    )
    assert main(['build', '--bundle', bundle, *arguments]) == 2
    error = capsys.readouterr().err
    assert error.startswith(expected)
    assert error.count('\n') == 1


@pytest.mark.parametrize('has_gpu', [False, True])
@pytest.mark.parametrize('names_capability', [False, True])
@pytest.mark.parametrize('has_rtx', [False, True])
def test_without_a_gpu_the_library_that_needs_none_is_taken(
    bundle: str,
    has_gpu: bool,
    names_capability: bool,
    has_rtx: bool,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gpu = NvidiaGpu(name='T', compute_capability='8.9', multiprocessors=4, driver_cuda_major=13)
    monkeypatch.setattr(nvidia_gpu, 'find_gpu', lambda: gpu if has_gpu else None)
    monkeypatch.setattr(
        tensorrt_library, 'is_installed', lambda name: has_rtx or name == 'tensorrt'
    )

    def load(name: str) -> TensorRtLibrary:
        raise EngineError(f'{name} was taken')

    monkeypatch.setattr(tensorrt_library, 'load_library', load)
    arguments = ['--compute-capability', '8.9'] if names_capability else []
    assert main(['build', '--bundle', bundle, *arguments]) == 2
    takes_rtx = has_rtx and names_capability and not has_gpu
    expected = 'tensorrt_rtx' if takes_rtx else 'tensorrt'
    assert capsys.readouterr().err == f'stseg build: {expected} was taken\n'


@pytest.mark.parametrize(
    ('file', 'arguments', 'expected'),
    [
        ('tensorrt_rtx', [], 'tensorrt_rtx was taken'),
        ('auto', [], 'tensorrt was taken'),
        ('tensorrt_rtx', ['--backend', 'tensorrt'], 'tensorrt was taken'),
        ('openvino', ['--backend', 'tensorrt'], 'tensorrt was taken'),
        ('openvino', [], "node.yaml: backend is 'openvino', which builds no engines"),
    ],
)
def test_the_library_is_the_one_that_the_node_will_run(
    tmp_path: Path,
    bundle: str,
    file: str,
    arguments: list[str],
    expected: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def load(name: str) -> TensorRtLibrary:
        raise EngineError(f'{name} was taken')

    monkeypatch.setattr(tensorrt_library, 'is_installed', lambda _: True)
    monkeypatch.setattr(tensorrt_library, 'load_library', load)
    config = tmp_path / 'node.yaml'
    config.write_text(f'segmenter: {{ros__parameters: {{backend: {file}}}}}\n')
    assert main(['build', '--bundle', bundle, '--config', str(config), *arguments]) == 2
    error = capsys.readouterr().err
    assert expected in error
    assert error.count('\n') == 1


def test_ctrl_c_ends_it_with_nothing_half_written(
    bundle: str, engines: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = tensorrt_build.run_watched

    def interrupted(work: Any, *, progress: Any, stop: Any) -> Any:
        def press(share: float, phase: str) -> None:
            # Not the signal itself, see test_builder_watched.
            _thread.interrupt_main()
            progress(share, phase)

        return real(work, progress=press, stop=stop)

    monkeypatch.setattr(tensorrt_build, 'run_watched', interrupted)
    assert build_rtx('--bundle', bundle, '--compute-capability', '8.9') == 130
    assert 'stseg build: interrupted' in capsys.readouterr().err
    assert [path.suffix for path in engines.iterdir()] == ['.lock']


def test_an_engine_that_cannot_be_kept_is_told(
    bundle: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / 'file').touch()
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'file'))
    assert build_rtx('--bundle', bundle, '--compute-capability', '8.9') == 1
    assert 'not every engine could be kept' in capsys.readouterr().out


def test_the_choices_are_the_libraries() -> None:
    from stseg_ros.engines.backends import AUTO
    from stseg_ros.engines.plan_build.request import PRECISIONS
    from stseg_ros.engines.tensorrt.library import LIBRARIES

    assert build_requests.AUTO == AUTO
    assert build_requests.BACKENDS == LIBRARIES
    assert build_requests.PRECISIONS == PRECISIONS
