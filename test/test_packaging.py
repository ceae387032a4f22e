"""The package as ROS and pip see it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parent.parent
SHIPPED = (
    'config/segment.yaml',
    'launch/segment.launch.py',
    'launch/multi_camera.launch.py',
    'package.xml',
)


@pytest.fixture(scope='module')
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Copy what git would ship, so that no build leaves anything in the checkout."""
    target = tmp_path_factory.mktemp('workspace') / 'src' / 'stseg_ros'
    target.mkdir(parents=True)
    for name in ('package.xml', 'pyproject.toml', 'setup.py', 'setup.cfg', 'README.md', 'LICENSE'):
        shutil.copy(CHECKOUT / name, target)
    for name in ('resource', 'launch', 'config', 'models', 'stseg_ros'):
        ignore = shutil.ignore_patterns('__pycache__')
        shutil.copytree(CHECKOUT / name, target / name, ignore=ignore)
    return target


def tool(name: str) -> str:
    found = shutil.which(name, path=str(Path(sys.executable).parent))
    assert found, f'{name} is not beside {sys.executable}; make test installs it'
    return found


def python_environment() -> dict[str, str]:
    """Put this environment's Python first, as a build inside it would see it."""
    return {**os.environ, 'PATH': f'{Path(sys.executable).parent}{os.pathsep}{os.environ["PATH"]}'}


@pytest.mark.slow
def test_colcon_builds_an_ament_python_package(source: Path) -> None:
    workspace = source.parent.parent
    listed = subprocess.run(
        [tool('colcon'), 'list', '--base-paths', 'src'],
        cwd=workspace,
        env=python_environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert listed.stdout.split() == ['stseg_ros', 'src/stseg_ros', '(ros.ament_python)']
    built = subprocess.run(
        [tool('colcon'), 'build', '--event-handlers', 'console_direct+'],
        cwd=workspace,
        env=python_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stdout + built.stderr
    prefix = workspace / 'install' / 'stseg_ros'
    share = prefix / 'share' / 'stseg_ros'
    assert (prefix / 'share/ament_index/resource_index/packages/stseg_ros').is_file()
    for name in SHIPPED:
        assert (share / name).read_bytes() == (CHECKOUT / name).read_bytes()
    for bundle in (CHECKOUT / 'models').iterdir():
        for file in bundle.iterdir():
            assert (share / 'models' / bundle.name / file.name).read_bytes() == file.read_bytes()
    for executable in ('segmenter_node', 'multi_segmenter_node', 'stseg'):
        assert os.access(prefix / 'lib' / 'stseg_ros' / executable, os.X_OK)


@pytest.mark.slow
def test_pip_installs_the_command_and_the_models(source: Path, tmp_path: Path) -> None:
    subprocess.run([sys.executable, '-m', 'venv', tmp_path / 'venv'], check=True)
    python = tmp_path / 'venv' / 'bin' / 'python'
    pip = [python, '-m', 'pip', '--disable-pip-version-check', '--quiet']
    subprocess.run([*pip, 'install', '--no-deps', str(source)], check=True)
    # The libraries of this environment serve; only our own package is under test.
    ours = next(path for path in sys.path if path.endswith('site-packages'))
    theirs = next((tmp_path / 'venv' / 'lib').glob('python*')) / 'site-packages'
    (theirs / 'libraries.pth').write_text(ours)
    shown = subprocess.run(
        [tmp_path / 'venv' / 'bin' / 'stseg', 'segment', 'absent.png', '--output', 'out'],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (shown.returncode, shown.stderr) == (
        2,
        'stseg segment: absent.png: no such file or folder\n',
    )
    code = (
        'import stseg_ros, stseg_ros.bundle as b; print(stseg_ros.__file__); '
        "print(b.ModelBundle.read(b.find_bundle('driving_small')).root)"
    )
    shown = subprocess.run(
        [python, '-c', code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    module, bundle = shown.stdout.split()
    assert Path(module).is_relative_to(tmp_path / 'venv')
    assert Path(bundle) == tmp_path / 'venv' / 'share' / 'stseg_ros' / 'models' / 'driving_small'


def test_package_xml_is_complete() -> None:
    root = ElementTree.parse(CHECKOUT / 'package.xml').getroot()
    assert root.get('format') == '3'
    depends = {element.text for element in root.findall('exec_depend')}
    imported = {'rclpy', 'sensor_msgs', 'diagnostic_msgs', 'cv_bridge', 'launch_ros'}
    assert imported | {'python3-numpy', 'python3-opencv'} <= depends
    assert root.findtext('license') == 'Apache-2.0'
    assert root.findtext('export/build_type') == 'ament_python'


def test_models_stay_small() -> None:
    total = sum(path.stat().st_size for path in (CHECKOUT / 'models').rglob('*'))
    assert total < 60 * 1024 * 1024
