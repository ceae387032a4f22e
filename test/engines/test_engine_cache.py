"""The cache of plans: what it gives back, and what it does with a bad file or a bad disk."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import fields, replace
from pathlib import Path

import pytest
from support.rtx import CAPABILITY, require_rtx
from support.tiny_networks import write_conv_network

from stseg_ros.engines.engine_cache import EngineCache, PlanKey
from stseg_ros.engines.tensorrt_build import BuildRequest, build_plan, plan_key

PATIENCE_S = 60.0
# Of nobody, as far as tests are concerned; only root can become it.
OTHER_USER = 65534

KEY = PlanKey(
    onnx_sha256='ab' * 32,
    library='tensorrt',
    version='10.3.0',
    gpu='Orin',
    compute_capability='8.7',
    multiprocessors=16,
    driver_cuda_major=12,
    precision='fp16',
    profiles='image:1x8/2x8/4x8',
    flags='order=rgb',
)


@pytest.fixture
def warnings() -> list[str]:
    return []


@pytest.fixture
def cache(tmp_path: Path, warnings: list[str]) -> EngineCache:
    return EngineCache(tmp_path / 'engines', warn=warnings.append)


@pytest.fixture(scope='module')
def real(tmp_path_factory: pytest.TempPathFactory) -> tuple[PlanKey, bytes]:
    """Build a plan once."""
    library = require_rtx()
    path = write_conv_network(tmp_path_factory.mktemp('real') / 'n.onnx', (8, 16), batch=1)
    request = BuildRequest(onnx_path=path, compute_capability=CAPABILITY)
    return plan_key(library, request), build_plan(library, request)


@pytest.fixture
def shared_folder() -> Iterator[Path]:
    """Make a folder that other users can reach; pytest's own they cannot."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """Take the right to write to a folder away, also where tests run as root."""
    folder.chmod(0o555)
    is_root = os.geteuid() == 0
    if is_root:
        os.seteuid(OTHER_USER)
    try:
        yield
    finally:
        if is_root:
            os.seteuid(0)
        folder.chmod(0o755)


def only_file(cache: EngineCache, suffix: str) -> Path:
    (path,) = cache.root.glob(f'*{suffix}')
    return path


def other(key: PlanKey, name: str) -> PlanKey:
    value = getattr(key, name)
    return replace(key, **{name: value + 1 if isinstance(value, int) else f'{value}x'})


def test_every_field_makes_another_plan() -> None:
    digests = {other(KEY, field.name).digest() for field in fields(PlanKey)}
    assert len(digests) == len(fields(PlanKey))
    assert KEY.digest() not in digests
    assert replace(KEY).digest() == KEY.digest()


def test_a_real_plan_comes_back(
    cache: EngineCache, warnings: list[str], real: tuple[PlanKey, bytes]
) -> None:
    key, plan = real
    assert cache.get(key) is None
    assert not cache.root.exists()
    path = cache.put(key, plan, network='n.onnx')
    assert path == only_file(cache, '.plan')
    assert EngineCache(cache.root).get(key) == plan
    assert cache.get(other(key, 'precision')) is None
    (entry,) = cache.entries()
    assert (entry.path, entry.header.key, entry.header.plan_bytes) == (path, key, len(plan))
    assert entry.header.facts == {'network': 'n.onnx'}
    assert not warnings
    assert [file.name for file in cache.root.iterdir()] == [path.name]


def test_the_default_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path))
    assert EngineCache().root == tmp_path / 'stseg_ros' / 'engines'
    monkeypatch.delenv('XDG_CACHE_HOME')
    monkeypatch.setenv('HOME', str(tmp_path / 'home'))
    assert EngineCache().root == tmp_path / 'home' / '.cache' / 'stseg_ros' / 'engines'


def cut_short(content: bytes) -> bytes:
    return content[: len(content) - 100]


def cut_in_the_header(content: bytes) -> bytes:
    return content[:60]


def changed(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


def plan_alone(content: bytes) -> bytes:
    return content.split(b'\n', 2)[2]


def header_of_another(content: bytes) -> bytes:
    return content.replace(b'"precision": "fp16"', b'"precision": "fp32"')


def field_more(content: bytes) -> bytes:
    return content.replace(b'"precision":', b'"new": 1, "precision":')


def no_json_object(content: bytes) -> bytes:
    first, _, plan = content.split(b'\n', 2)
    return b'\n'.join([first, b'[1, 2]', plan])


@pytest.mark.parametrize(
    ('spoil', 'reason'),
    [
        (cut_short, 'bytes of plan'),
        (cut_in_the_header, 'header that is cut short'),
        (changed, 'was altered'),
        (plan_alone, 'is not a plan file'),
        (lambda _: b'', 'is not a plan file'),
        (header_of_another, 'another network or machine'),
        (field_more, 'header that is cut short or altered'),
        (no_json_object, 'header that is cut short or altered'),
    ],
    ids=['truncated', 'torn', 'bit', 'foreign', 'empty', 'stale', 'newer', 'no header'],
)
def test_a_bad_plan_is_set_aside(
    cache: EngineCache,
    warnings: list[str],
    real: tuple[PlanKey, bytes],
    spoil: Callable[[bytes], bytes],
    reason: str,
) -> None:
    key, plan = real
    path = cache.put(key, plan)
    assert path is not None
    spoilt = spoil(path.read_bytes())
    assert spoilt != path.read_bytes()
    path.write_bytes(spoilt)
    assert cache.get(key) is None
    (warning,) = warnings
    assert reason in warning
    assert 'built again' in warning
    assert '\n' not in warning
    assert only_file(cache, '.bad').read_bytes() == spoilt
    assert not path.exists()
    assert cache.get(key) is None
    assert len(warnings) == 1
    cache.put(key, plan)
    assert cache.get(key) == plan


def test_a_plan_that_does_not_load_is_set_aside(cache: EngineCache, warnings: list[str]) -> None:
    cache.put(KEY, b'plan')
    cache.set_aside(KEY, 'the library does not load it')
    assert cache.get(KEY) is None
    assert 'the library does not load it' in warnings[0]
    assert not list(cache.root.glob('*.plan'))


def test_a_read_only_cache_takes_nothing(
    shared_folder: Path, warnings: list[str], real: tuple[PlanKey, bytes]
) -> None:
    key, plan = real
    cache = EngineCache(shared_folder, warn=warnings.append)
    with read_only(shared_folder), cache.lock(key):
        assert cache.put(key, plan) is None
    (warning,) = warnings
    assert str(shared_folder) in warning
    assert 'Permission denied' in warning
    assert 'from memory' in warning
    assert not list(shared_folder.iterdir())


def test_a_read_only_cache_gives_but_not_what_does_not_load(
    shared_folder: Path, warnings: list[str], real: tuple[PlanKey, bytes]
) -> None:
    key, plan = real
    path = EngineCache(shared_folder).put(key, plan)
    assert path is not None
    cache = EngineCache(shared_folder, warn=warnings.append)
    with read_only(shared_folder):
        assert cache.get(key) == plan
        assert not warnings
        cache.set_aside(key, 'the library does not load it')
        assert cache.get(key) is None
        assert path.exists()
    assert 'not used, but stays there' in warnings[0]


def test_a_full_disk_leaves_nothing_behind(
    cache: EngineCache, warnings: list[str], real: tuple[PlanKey, bytes]
) -> None:
    key, plan = real
    kept = resource.getrlimit(resource.RLIMIT_FSIZE)
    # The system refuses to write beyond this size, as it refuses when the disk is full.
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(plan) // 2, kept[1]))
    try:
        assert cache.put(key, plan) is None
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, kept)
    assert 'cannot be written (File too large)' in warnings[0]
    assert not list(cache.root.iterdir())
    assert cache.get(key) is None


def test_a_file_where_the_folder_should_be(tmp_path: Path, warnings: list[str]) -> None:
    (tmp_path / 'engines').write_text('a file')
    cache = EngineCache(tmp_path / 'engines', warn=warnings.append)
    with cache.lock(KEY):
        assert cache.get(KEY) is None
        assert cache.put(KEY, b'plan') is None
    assert len(warnings) == 1
    assert cache.entries() == []
    assert cache.clean() == 0


def used_at(cache: EngineCache, key: PlanKey, seconds: int) -> None:
    path = cache.root / f'{key.digest()}.plan'
    os.utime(path, (seconds, seconds))


def test_the_least_recently_used_goes_first(tmp_path: Path) -> None:
    # Two plans of 1000 bytes fit, with their headers of some 500 bytes; three do not.
    cache = EngineCache(tmp_path, limit_bytes=4000)
    keys = [replace(KEY, driver_cuda_major=number) for number in range(4)]
    plan = b'p' * 1000
    cache.put(keys[0], plan)
    used_at(cache, keys[0], 100)
    cache.put(keys[1], plan)
    used_at(cache, keys[1], 200)
    # Used again, so that the second is the older now.
    assert cache.get(keys[0]) == plan
    cache.put(keys[2], plan)
    assert [cache.get(key) is not None for key in keys] == [True, False, True, False]


def test_plans_that_were_set_aside_go_before_those_of_use(tmp_path: Path) -> None:
    cache = EngineCache(tmp_path, limit_bytes=4000, warn=lambda _: None)
    keys = [replace(KEY, driver_cuda_major=number) for number in range(3)]
    cache.put(keys[0], b'p' * 1000)
    used_at(cache, keys[0], 100)
    cache.put(keys[1], b'p' * 1000)
    cache.set_aside(keys[1], 'does not load')
    cache.put(keys[2], b'p' * 1000)
    assert not list(tmp_path.glob('*.bad'))
    assert [cache.get(key) is not None for key in keys] == [True, False, True]


def test_a_plan_beyond_the_limit_is_not_kept(tmp_path: Path, warnings: list[str]) -> None:
    cache = EngineCache(tmp_path, limit_bytes=4000, warn=warnings.append)
    small = replace(KEY, driver_cuda_major=0)
    cache.put(small, b'p' * 10)
    assert cache.put(KEY, b'p' * 4001) is None
    assert 'limited to 4000' in warnings[0]
    assert cache.get(small) is not None


def test_leftovers_of_a_killed_writer_go(cache: EngineCache) -> None:
    cache.put(KEY, b'plan')
    digest = 'ab' * 32
    left = [
        cache.root / name for name in (f'{digest}.12.140.part', 'tensorrt-10.3.0-Orin.34.part')
    ]
    being_written, foreign = cache.root / f'{digest}.56.78.part', cache.root / 'film.part'
    for path in (*left, being_written, foreign):
        path.write_bytes(b'half a plan')
    for path in (*left, foreign):
        os.utime(path, (0, 0))
    cache.put(KEY, b'plan')
    assert not any(path.exists() for path in left)
    assert being_written.exists()
    assert foreign.exists()


# What a user may have in a folder that --output names.
FOREIGN = (
    'poetry.lock',
    'film.part',
    'film.12.part',
    'my.plan',
    'race.timing',
    'tensorrt.timing',
    'worse.bad',
    f'{"ab" * 32}.txt',
    f'{"ab" * 31}.plan',
    f'{"AB" * 32}.plan',
    f'x{"ab" * 32}.plan',
    f'{"ab" * 32}.plan.part',
)


def test_what_is_foreign_stays(tmp_path: Path) -> None:
    for name in FOREIGN:
        (tmp_path / name).write_bytes(b'f' * 5000)
        os.utime(tmp_path / name, (0, 0))
    cache = EngineCache(tmp_path, limit_bytes=4000)
    kept = cache.put(KEY, b'plan')
    assert kept is not None
    assert [entry.path for entry in cache.entries()] == [kept]
    with cache.lock(KEY):
        pass
    size_bytes = kept.stat().st_size
    assert cache.clean() == size_bytes
    assert {path.name for path in tmp_path.iterdir()} == set(FOREIGN)
    assert all((tmp_path / name).stat().st_size == 5000 for name in FOREIGN)


def test_a_plan_that_cannot_be_read_is_told_once(cache: EngineCache, warnings: list[str]) -> None:
    path = cache.put(KEY, b'plan')
    assert path is not None
    path.unlink()
    path.mkdir()
    assert cache.get(KEY) is None
    assert cache.get(KEY) is None
    (warning,) = warnings
    assert 'cannot be read (Is a directory)' in warning
    path.rmdir()
    cache.put(KEY, b'plan')
    assert cache.get(KEY) == b'plan'


def test_clean_deletes_everything_and_counts(cache: EngineCache) -> None:
    cache.put(KEY, b'plan')
    cache.put(replace(KEY, driver_cuda_major=0), b'bad')
    cache.set_aside(replace(KEY, driver_cuda_major=0), 'test')
    timing = cache.timing_cache('tensorrt', '10.3', 'NVIDIA RTX/4090 (x)')
    timing.write_bytes(b'times')
    with cache.lock(KEY):
        pass
    stranger = cache.root / 'notes.txt'
    stranger.write_text('of the user')
    total = sum(path.stat().st_size for path in cache.root.iterdir() if path != stranger)
    assert cache.clean() == total
    assert list(cache.root.iterdir()) == [stranger]
    assert timing.parent == cache.root


def test_another_thread_waits_for_the_lock(cache: EngineCache) -> None:
    waiting, entered = threading.Event(), threading.Event()

    def wait() -> None:
        with cache.lock(KEY, on_wait=waiting.set):
            entered.set()

    thread = threading.Thread(target=wait)
    with cache.lock(KEY):
        thread.start()
        assert waiting.wait(PATIENCE_S)
        # Another plan's lock is free.
        with cache.lock(replace(KEY, driver_cuda_major=0), on_wait=pytest.fail):
            pass
        assert not entered.is_set()
    assert entered.wait(PATIENCE_S)
    thread.join()


def test_waiting_can_be_stopped(cache: EngineCache) -> None:
    asked = []

    def stop() -> bool:
        asked.append(None)
        return len(asked) == 2

    with cache.lock(KEY), cache.lock(KEY, stop=stop):
        assert len(asked) == 2


def test_the_lock_of_a_killed_process_is_free(cache: EngineCache) -> None:
    cache.root.mkdir()
    code = (
        'import sys\n'
        'from pathlib import Path\n'
        'from stseg_ros.engines.engine_cache import EngineCache, PlanKey\n'
        f'key = {KEY!r}\n'
        f'with EngineCache(Path({str(cache.root)!r})).lock(key):\n'
        "    print('held', flush=True)\n"
        '    sys.stdin.read()\n'
    )
    process = subprocess.Popen(
        [sys.executable, '-c', code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == 'held\n'
        told: list[bool] = []
        with cache.lock(KEY, on_wait=lambda: (told.append(True), process.kill())):
            assert told == [True]


def test_a_folder_that_vanishes_is_made_again(cache: EngineCache) -> None:
    cache.put(KEY, b'plan')
    shutil.rmtree(cache.root)
    assert cache.get(KEY) is None
    assert cache.put(KEY, b'plan') is not None
    assert cache.get(KEY) == b'plan'
