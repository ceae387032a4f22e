"""Tests of NumPy, OpenCV and a cv_bridge, each broken in turn."""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from stseg_ros.doctor.finding import Finding, Status
from stseg_ros.doctor.numpy_check import NumpyCheck, judge
from stseg_ros.doctor.probe import Probe

CV_BRIDGE = """
import numpy as np
class CvBridge:
    def imgmsg_to_cv2(self, message, desired_encoding):
        {body}
"""


@pytest.fixture
def fakes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder whose modules come before all others in the probe."""
    path = os.pathsep.join(filter(None, [str(tmp_path), os.environ.get('PYTHONPATH')]))
    monkeypatch.setenv('PYTHONPATH', path)
    return tmp_path


def check(fakes: Path, **modules: str) -> Finding:
    for name, code in modules.items():
        (fakes / f'{name}.py').write_text(code)
    return NumpyCheck().run()


def test_what_works_is_named_with_its_version(fakes: Path) -> None:
    body = 'return np.ndarray((4, 6, 3), np.uint8, message.data)'
    found = check(fakes, cv_bridge=CV_BRIDGE.format(body=body))
    assert found.status is Status.OK
    assert found.summary == f'numpy {np.__version__}, cv2 {cv2.__version__}, cv_bridge'


def test_cv_bridge_is_not_needed(fakes: Path) -> None:
    pytest.importorskip('numpy')
    found = check(fakes, cv_bridge='raise ModuleNotFoundError("No module", name="cv_bridge")')
    assert found.status is Status.OK
    assert 'no cv_bridge' in found.summary


@pytest.mark.parametrize(
    ('code', 'reason'),
    [
        ('import os; os.abort()', 'crashed with SIGABRT'),
        ('raise AttributeError("_ARRAY_API not found")', '_ARRAY_API not found'),
        ('import a_module_that_it_needs', 'a_module_that_it_needs'),
        (CV_BRIDGE.format(body='import os, signal; os.kill(os.getpid(), signal.SIGSEGV)'), 'SEGV'),
        (CV_BRIDGE.format(body='return np.zeros((1, 1, 3))'), 'cv_bridge made (1, 1, 3)'),
    ],
)
def test_a_cv_bridge_that_does_not_work(fakes: Path, code: str, reason: str) -> None:
    found = check(fakes, cv_bridge=code)
    assert found.status is Status.WARNING
    assert f'cv_bridge does not work with NumPy {np.__version__}' in found.summary
    assert reason in found.summary


def test_an_opencv_that_does_not_work(fakes: Path) -> None:
    found = check(fakes, cv2='raise ImportError("numpy.core.multiarray failed to import")')
    assert found.status is Status.ERROR
    assert 'OpenCV does not work' in found.summary
    assert 'numpy.core.multiarray failed to import' in found.summary


def test_a_numpy_that_does_not_work(fakes: Path) -> None:
    found = check(fakes, numpy='raise ImportError("broken")')
    assert found.status is Status.ERROR
    assert 'NumPy does not work' in found.summary


@pytest.mark.parametrize(('version', 'goes_back'), [('2.2.6', True), ('1.26.4', False)])
def test_to_go_back_is_advised_from_numpy_2_only(version: str, goes_back: bool) -> None:
    probe = Probe(
        reports=(f'numpy {version}', 'cv2 4.5.4'), failure='crashed with SIGABRT', output=()
    )
    advice = judge(probe).advice
    assert ("pip install 'numpy<2'" in advice) == goes_back
    assert 'build cv_bridge from source' in advice
