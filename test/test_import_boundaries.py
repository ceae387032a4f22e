"""The house's one-way dependencies, read from the imports themselves."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / 'stseg_ros'

# What each room may import of the package, besides itself and `errors`.
ALLOWED = {
    'errors': set(),
    'logit_bytes': set(),
    'records': {'logit_bytes'},
    'locations': set(),
    'machine': set(),
    'strict_yaml': set(),
    'config': {'strict_yaml'},
    'bundle': {'config', 'locations', 'strict_yaml'},
    'engines': {'bundle', 'locations', 'logit_bytes', 'records'},
    'pipeline': {'logit_bytes', 'records', 'config', 'engines', 'bundle', 'strict_yaml'},
    'frame_graph': {'bundle', 'config', 'engines', 'logit_bytes', 'pipeline'},
    'assembly': {'bundle', 'config', 'engines', 'frame_graph', 'pipeline'},
    'sources': {'records', 'pipeline', 'locations'},
    'datasets': {'records'},
    'networks': {'logit_bytes', 'records'},
    'training': {
        'bundle',
        'config',
        'datasets',
        'engines',
        'logit_bytes',
        'machine',
        'measure',
        'networks',
        'pipeline',
        'records',
        'strict_yaml',
    },
    'measure': {
        'assembly',
        'bundle',
        'config',
        'datasets',
        'engines',
        'logit_bytes',
        'machine',
        # For the published procedure in PyTorch, imported when that is opened.
        'networks',
        'pipeline',
        'records',
        'sources',
    },
    # Each check in a process of its own, and those of ROS in `ros_node`.
    'doctor': {
        'assembly',
        'bundle',
        'config',
        'engines',
        'locations',
        'pipeline',
        'records',
        'ros_node',
    },
    'soak': {'bundle', 'machine', 'records', 'ros_node'},
    'cli': set(),
}
ANYTHING = {'demo', 'ros_node', 'verbs'}
ONLY_IN = {
    'rclpy': {'ros_node'},
    'torch': {'networks', 'training'},
    'openvino': {'engines', 'training'},
    'onnxruntime': {'engines', 'training'},
    'tensorrt': {'engines'},
    'tensorrt_rtx': {'engines'},
    'tensorrt_rtx_bindings': {'engines'},
    'cuda': {'engines'},
    'rosbags': {'sources', 'ros_node'},
}


def room_of(path: Path) -> str:
    relative = path.relative_to(PACKAGE)
    return relative.parts[0] if len(relative.parts) > 1 else relative.stem


def imported_modules(path: Path) -> set[str]:
    modules = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f'{path} imports relatively'
            modules.add(node.module or '')
    return modules


FILES = sorted(path for path in PACKAGE.rglob('*.py') if path.name != '__init__.py')


@pytest.mark.parametrize('path', FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_dependencies_point_one_way(path: Path) -> None:
    room = room_of(path)
    for module in imported_modules(path):
        top, _, rest = module.partition('.')
        if top == 'stseg_ros' and rest and room not in ANYTHING:
            other = rest.split('.')[0]
            assert other in ALLOWED[room] | {room, 'errors'}, f'{room} imports {module}'
        if top in ONLY_IN:
            assert room in ONLY_IN[top], f'{room} imports {module}'


def test_run_time_loads_no_heavy_library() -> None:
    code = (
        'import sys, stseg_ros.assembly, stseg_ros.sources.image_codec\n'
        "heavy = {'cuda', 'onnx', 'onnxruntime', 'openvino', 'rclpy', 'rosbags', 'tensorrt', "
        "'tensorrt_rtx', 'tensorrt_rtx_bindings', 'torch'}\n"
        'print(sorted(heavy & set(sys.modules)))'
    )
    shown = subprocess.run(
        [sys.executable, '-c', code], capture_output=True, text=True, check=True
    )
    assert shown.stdout.strip() == '[]'
