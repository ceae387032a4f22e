"""Whatever a manifest or a file of settings holds: a record or a StsegError of one line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.tiny_bundle import write_tiny_bundle

from stseg_ros.bundle import ModelBundle
from stseg_ros.errors import BundleError, ConfigError, StsegError
from stseg_ros.strict_yaml import read_mapping
from stseg_ros.verbs.config_file import ConfigFile, read_config_file

FUZZ = settings(
    derandomize=True,
    database=None,
    deadline=None,
    max_examples=200,
    # A function-scoped folder is written anew by every example.
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
NODE_FILE = Path(__file__).parents[1] / 'config' / 'segment.yaml'
# What YAML gives a meaning to, and words that the files know.
PIECES = st.sampled_from(
    [
        *('[', ']', '{', '}', ':', ': ', '- ', '\n', '\n  ', '\t', ',', '"', "'", '#', '|', '>'),
        *('&a ', '*a', '<<: ', '? ', '!!int ', '!!float ', '!!bool ', '!!timestamp ', '!!set '),
        *('!!binary ', '!!python/name:os.system ', '!x ', '%YAML 1.1\n', '---\n', '...\n', '~'),
        *('2001-99-99', '0x_', '0b_', '.inf', '.nan', '1e999', '9' * 5000, '1:99', '\0', '\x85'),
        *('regions', 'threshold', 'bundle', 'geometry', 'networks', 'coarse', 'file', 'schema'),
        *('working_hw', 'grid', 'classes', 'provenance', 'ros__parameters', 'segmenter', '/**'),
    ]
)
TEXTS = st.lists(st.one_of(PIECES, st.text(max_size=3)), max_size=25).map(''.join)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([10**400, -(10**400), 2**63, 0, 1, 2, 8]),
    st.floats(),
    st.text(max_size=6),
    st.sampled_from(['a' * 600, '..', '.', '/', 'a/b', 'a\0b', 'coarse.onnx']),
    st.dates(),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(SCALARS, inner, max_size=3)
    ),
    max_leaves=6,
)
# Where a value is put: each number takes a turn further down, the last one is replaced.
PLACES = st.lists(st.integers(0, 30), min_size=1, max_size=4)


def stseg_error_or(result: type, read: Callable[[], object]) -> None:
    """Fail on anything but a result or an error of one short line."""
    try:
        assert isinstance(read(), result)
    except StsegError as error:
        text = str(error)
        if not text or '\n' in text or len(text) > 3000:
            pytest.fail(f'{text[:2000]!r} is not one line')


def read_bundle(root: Path) -> None:
    stseg_error_or(ModelBundle, lambda: ModelBundle.read(root))


def read_config(path: Path) -> None:
    stseg_error_or(ConfigFile, lambda: read_config_file(path))


def put(content: Any, places: list[int], value: object) -> Any:
    """Return a copy of a tree of mappings and lists in which one value is another."""
    here, *below = places
    if isinstance(content, dict) and content:
        key = list(content)[here % len(content)]
        return {**content, key: put(content[key], below, value) if below else value}
    if isinstance(content, list) and content:
        index = here % len(content)
        inner = put(content[index], below, value) if below else value
        return [*content[:index], inner, *content[index + 1 :]]
    return value


@pytest.fixture(scope='module')
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_bundle(tmp_path_factory.mktemp('bundles') / 'tiny')


@pytest.fixture(scope='module')
def manifest(root: Path) -> Any:
    return yaml.safe_load((root / 'bundle.yaml').read_text())


@FUZZ
@given(PLACES, VALUES)
def test_manifests_with_another_value_somewhere(
    root: Path, manifest: Any, places: list[int], value: object
) -> None:
    text = yaml.dump(put(manifest, places, value), Dumper=yaml.SafeDumper, allow_unicode=True)
    (root / 'bundle.yaml').write_text(text, encoding='utf-8')
    read_bundle(root)


@FUZZ
@given(TEXTS)
def test_texts_for_a_manifest(root: Path, text: str) -> None:
    (root / 'bundle.yaml').write_text(text, encoding='utf-8', errors='surrogatepass')
    read_bundle(root)


@FUZZ
@given(st.binary(max_size=60))
def test_bytes_for_a_manifest(root: Path, data: bytes) -> None:
    (root / 'bundle.yaml').write_bytes(data)
    read_bundle(root)


@FUZZ
@given(st.integers(0, 4000), TEXTS)
def test_manifests_with_something_in_between(
    root: Path, manifest: Any, place: int, text: str
) -> None:
    whole = yaml.safe_dump(manifest)
    place %= len(whole)
    broken = whole[:place] + text + whole[place:]
    (root / 'bundle.yaml').write_text(broken, encoding='utf-8', errors='surrogatepass')
    read_bundle(root)


@FUZZ
@given(PLACES, VALUES)
def test_node_files_with_another_value_somewhere(
    tmp_path: Path, places: list[int], value: object
) -> None:
    content = put(yaml.safe_load(NODE_FILE.read_text()), places, value)
    (tmp_path / 'config.yaml').write_text(yaml.dump(content, Dumper=yaml.SafeDumper))
    read_config(tmp_path / 'config.yaml')


@FUZZ
@given(TEXTS)
def test_texts_for_settings(tmp_path: Path, text: str) -> None:
    path = tmp_path / 'config.yaml'
    path.write_text(text, encoding='utf-8', errors='surrogatepass')
    read_config(path)


@FUZZ
@given(st.dictionaries(st.sampled_from(['regions', 'threshold', 'fusion', 'threads']), VALUES))
def test_settings_of_any_value(tmp_path: Path, content: dict[str, object]) -> None:
    (tmp_path / 'config.yaml').write_text(yaml.dump(content, Dumper=yaml.SafeDumper))
    read_config(tmp_path / 'config.yaml')


@pytest.mark.parametrize(
    ('text', 'reason'),
    [
        ('regions: 2001-99-99', 'is not valid YAML: month must be in 1..12'),
        ('regions: !!int abc', "is not valid YAML: invalid literal for int() with base 10: 'abc'"),
        ('threshold: !!bool maybe', "is not valid YAML: 'maybe'"),
        ('regions: !!timestamp abc', 'is not valid YAML'),
        ('a: ' + '[' * 900 + ']' * 900, 'is not valid YAML: it is nested too deep'),
        ('threshold: 1' + '0' * 400, 'threshold: expected float, got 1000'),
        ('a: &a {b: *a}', 'has an alias (*a) inside what another stands for; write the value out'),
    ],
)
def test_what_yaml_itself_trips_over(tmp_path: Path, text: str, reason: str) -> None:
    path = tmp_path / 'config.yaml'
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        read_config_file(path)
    assert str(caught.value).startswith(f'{path}: {reason}')


def test_an_alias_of_plain_values_is_read(tmp_path: Path) -> None:
    path = tmp_path / 'recipe.yaml'
    path.write_text('one: &it [1, 2]\nother: *it\n')
    assert read_mapping(path) == {'one': [1, 2], 'other': [1, 2]}


def test_aliases_of_aliases_are_refused_before_they_grow(tmp_path: Path) -> None:
    lines = ['a0: &a0 [lol]']
    lines += [
        f'a{level}: &a{level} [{", ".join([f"*a{level - 1}"] * 9)}]' for level in range(1, 10)
    ]
    path = tmp_path / 'config.yaml'
    path.write_text('\n'.join(lines))
    with pytest.raises(ConfigError, match=r'has an alias \(\*a0\) inside'):
        read_config_file(path)


def test_keys_of_a_manifest_are_names(root: Path, manifest: Any) -> None:
    content = {**manifest, 'geometry': {1: 2}}
    (root / 'bundle.yaml').write_text(yaml.safe_dump(content))
    with pytest.raises(BundleError, match=r'geometry: expected names as keys, got 1$'):
        ModelBundle.read(root)


def test_a_file_name_too_long_for_the_system(root: Path, manifest: Any) -> None:
    (root / 'bundle.yaml').write_text(yaml.safe_dump(put(manifest, [5, 0, 0], 'a' * 5000)))
    with pytest.raises(BundleError, match='cannot be read'):
        ModelBundle.read(root)
