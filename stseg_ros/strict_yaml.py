"""YAML files into typed records; an unknown key or a wrong type is an error naming its place."""

from __future__ import annotations

import difflib
import types
import typing
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
from typing import Any, TypeVar

import yaml

from stseg_ros.errors import ConfigError

Record = TypeVar('Record')

_LONGEST = 200


def read_mapping(path: Path) -> dict[str, Any]:
    """Read a YAML file that holds one mapping.

    Args:
        path: the file.

    Returns:
        The mapping; empty for an empty file.

    Raises:
        ConfigError: the file is missing, is not YAML or holds something else.
    """
    try:
        text = path.read_text(encoding='utf-8')
    except OSError as err:
        raise ConfigError(f'{path}: cannot be read ({err.strerror})') from err
    except UnicodeDecodeError as err:
        raise ConfigError(f'{path}: is not valid YAML: {err}') from err
    content = _load(path, text)
    if content is None:
        return {}
    if not isinstance(content, dict) or not all(isinstance(key, str) for key in content):
        raise ConfigError(f'{path}: expected a mapping of names to values')
    return content


def _load(path: Path, text: str) -> Any:
    try:
        _check_aliases(path, text)
        return yaml.safe_load(text)
    except RecursionError as err:
        raise ConfigError(f'{path}: is not valid YAML: it is nested too deep') from err
    except (yaml.YAMLError, ValueError, LookupError, AttributeError) as err:
        # The last three escape where a value does not fit its tag, such as the date 2001-99-99.
        reason = ' '.join(str(err).split())
        raise ConfigError(f'{path}: is not valid YAML: {_shortened(reason)}') from err


def _check_aliases(path: Path, text: str) -> None:
    """Refuse aliases of aliases, nine lines of which are more than any memory holds.

    Others are right, and what PyYAML writes where a value comes twice.
    """
    depth = 0
    for event in yaml.parse(text):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += bool(depth or event.anchor)
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= bool(depth)
        elif isinstance(event, yaml.AliasEvent) and depth:
            raise ConfigError(
                f'{path}: has an alias (*{event.anchor}) inside what another stands for; write '
                'the value out'
            )


def build_record(record_type: type[Record], mapping: Mapping[str, Any], where: str) -> Record:
    """Fill a dataclass from a mapping, checking every key and type.

    Args:
        record_type: a dataclass whose fields are bool, int, float, str, tuples of these, optional
            ones, mappings or further dataclasses.
        mapping: names to values, as YAML gives them.
        where: the place, for messages: a file, or a file and a section.

    Returns:
        The record.

    Raises:
        ConfigError: a key is unknown or missing, or a value has the wrong type.
    """
    assert is_dataclass(record_type)
    hints = typing.get_type_hints(record_type)
    known = {field.name: field for field in fields(record_type)}
    for key in mapping:
        if not isinstance(key, str):
            raise ConfigError(f'{where}: expected names as keys, got {shown(key)}')
        if key not in known:
            close = difflib.get_close_matches(key, known, n=1)
            advice = f'did you mean {close[0]!r}?' if close else f'known: {", ".join(known)}'
            raise ConfigError(f'{where}: unknown key {shown(key)}; {advice}')
    values = {}
    for name, field in known.items():
        if name in mapping:
            values[name] = _convert(mapping[name], hints[name], f'{where}: {name}')
        elif field.default is MISSING and field.default_factory is MISSING:
            raise ConfigError(f'{where}: key {name!r} is missing')
    return record_type(**values)


def _convert(value: Any, hint: Any, where: str) -> Any:
    """Check one value against a type hint, turning lists into tuples and mappings into records."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if hint is Any:
        return value
    if origin in (typing.Union, types.UnionType):
        if value is None and type(None) in arguments:
            return None
        (inner,) = [argument for argument in arguments if argument is not type(None)]
        return _convert(value, inner, where)
    if is_dataclass(hint) and isinstance(hint, type):
        if not isinstance(value, Mapping):
            raise ConfigError(f'{where}: expected a mapping, got {shown(value)}')
        return build_record(hint, value, where)
    if origin is dict:
        if not isinstance(value, Mapping):
            raise ConfigError(f'{where}: expected a mapping, got {shown(value)}')
        return {
            str(key): _convert(item, arguments[1], f'{where}.{_shortened(str(key))}')
            for key, item in value.items()
        }
    if origin is tuple:
        return _convert_tuple(value, arguments, where)
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        try:
            return float(value)
        except OverflowError as err:
            raise ConfigError(f'{where}: expected float, got {shown(value)}') from err
    if not isinstance(value, hint) or (isinstance(value, bool) and hint is not bool):
        raise ConfigError(f'{where}: expected {hint.__name__}, got {shown(value)}')
    return value


def _convert_tuple(value: Any, arguments: tuple[Any, ...], where: str) -> tuple[Any, ...]:
    """Check a list of fixed length, or of any length for ``tuple[X, ...]``."""
    if not isinstance(value, list | tuple):
        raise ConfigError(f'{where}: expected a list, got {shown(value)}')
    if len(arguments) == 2 and arguments[1] is Ellipsis:
        arguments = (arguments[0],) * len(value)
    if len(value) != len(arguments):
        raise ConfigError(f'{where}: expected {len(arguments)} values, got {shown(value)}')
    return tuple(
        _convert(item, hint, f'{where}[{index}]')
        for index, (item, hint) in enumerate(zip(value, arguments, strict=True))
    )


def shown(value: Any) -> str:
    """Show a value in a message, for a file may hold any amount of it.

    Args:
        value: what the file holds.

    Returns:
        How Python writes it, cut where that is long.
    """
    try:
        return _shortened(repr(value))
    except ValueError:
        return 'a number of thousands of digits'


def _shortened(text: str) -> str:
    return text if len(text) <= _LONGEST else f'{text[:_LONGEST]}...'
