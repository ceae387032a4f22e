"""The file behind `--config`: plain settings, or the node's own parameter file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from stseg_ros.config import PipelineConfig
from stseg_ros.errors import ConfigError
from stseg_ros.strict_yaml import build_record, read_mapping

_ROS_PARAMETERS = 'ros__parameters'
_NODE = 'segmenter'
_EVERY_NODE = '**'
_BUNDLE = 'bundle'
# What the node's parameters say for 'as the bundle recommends'.
_FROM_BUNDLE = {'regions': -1, 'threshold': -1, 'fusion': '', 'selector': ''}


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigFile:
    """What a file says.

    Attributes:
        config: the pipeline's settings.
        bundle: name or folder of the bundle; None where the file names none.
        passed_over: the node's parameters that mean nothing to the pipeline.
    """

    config: PipelineConfig
    bundle: str | None = None
    passed_over: tuple[str, ...] = ()


def read_config_file(path: Path) -> ConfigFile:
    """Read a YAML file of settings.

    Args:
        path: maps `bundle` and the fields of `PipelineConfig` to values; or is a ROS parameter
            file, of which the parameters of all nodes (`/**`) and of `segmenter` are taken.

    Returns:
        What it says; what it leaves out keeps its default.

    Raises:
        ConfigError: the file is unreadable, has an unknown key or a wrong value, or parameters of
            several nodes.
    """
    content = read_mapping(path)
    nodes = list(_nodes(content))
    passed_over: list[str] = []
    if nodes:
        content = _of_segmenter(path, nodes)
        known = {_BUNDLE, *(field.name for field in fields(PipelineConfig))}
        passed_over = [name for name in content if name not in known]
        content = {
            name: value
            for name, value in content.items()
            if name in known and _FROM_BUNDLE.get(name) != value
        }
    bundle = content.pop(_BUNDLE, None)
    if bundle is not None and not isinstance(bundle, str):
        raise ConfigError(f'{path}: bundle: expected a name or a folder, got {bundle!r}')
    try:
        config = build_record(PipelineConfig, content, str(path))
    except ConfigError as err:
        message = str(err)
        if str(path) in message:
            raise
        raise ConfigError(f'{path}: {message}') from err
    return ConfigFile(config=config, bundle=bundle, passed_over=tuple(passed_over))


def _nodes(content: Mapping[str, Any], above: str = '') -> Iterator[tuple[str, dict[str, Any]]]:
    """Find the nodes of a parameter file, whose namespaces may be mappings too."""
    for name, inner in content.items():
        full = f'{above}/{name}'.replace('//', '/')
        if name == _ROS_PARAMETERS and isinstance(inner, dict):
            yield above, inner
        elif isinstance(inner, dict):
            yield from _nodes(inner, full)


def _of_segmenter(path: Path, nodes: list[tuple[str, dict[str, Any]]]) -> dict[str, Any]:
    """Merge the parameters that reach the segmenter, as ROS does: in the file's order."""
    names = [name for name, _ in nodes if not name.endswith(_EVERY_NODE)]
    segmenters = [name for name in names if name.rpartition('/')[2] == _NODE]
    chosen = names if len(names) == 1 else segmenters
    if len(chosen) > 1 or (names and not chosen):
        raise ConfigError(
            f'{path}: has parameters of {", ".join(names)}; expected those of one node, {_NODE}'
        )
    merged: dict[str, Any] = {}
    for name, parameters in nodes:
        if name in chosen or name.endswith(_EVERY_NODE):
            merged |= parameters
    return merged
