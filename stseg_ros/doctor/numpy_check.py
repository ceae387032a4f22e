"""Whether NumPy, OpenCV and cv_bridge, which are often built for each other's old ones, fit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from stseg_ros.doctor.finding import Finding, Status
from stseg_ros.doctor.probe import Probe, run_probe

_TIMEOUT_S = 40.0


@dataclass(frozen=True, slots=True, kw_only=True)
class NumpyCheck:
    """Uses them in another process, for what does not fit may crash."""

    name: ClassVar[str] = 'numpy'
    title: ClassVar[str] = 'NumPy, OpenCV and cv_bridge together'
    limit_s: ClassVar[float] = 60.0
    needs: ClassVar[tuple[str, ...]] = ()

    def run(self) -> Finding:
        """Use them.

        Returns:
            An error where NumPy or OpenCV does not work; a warning where only cv_bridge does not,
            which the node needs for unusual encodings alone.
        """
        return judge(run_probe(['-m', 'stseg_ros.doctor.numpy_probe'], timeout_s=_TIMEOUT_S))


def judge(probe: Probe) -> Finding:
    """Tell from how far the probe came what does not work.

    Args:
        probe: how it ended.

    Returns:
        The finding.
    """
    reached = dict(text.split(' ', 1) for text in probe.reports if not text.endswith('cv_bridge'))
    versions = ', '.join(f'{name} {version}' for name, version in reached.items())
    details = {'versions': reached, 'output': list(probe.output)}
    reason = f'{probe.failure}: {probe.output[-1]}' if probe.output else probe.failure
    if 'numpy' not in reached:
        return Finding(
            status=Status.ERROR,
            summary=f'NumPy does not work ({reason})',
            advice='pip install numpy into the Python that runs stseg',
            details=details,
        )
    if 'cv2' not in reached:
        return Finding(
            status=Status.ERROR,
            summary=f'OpenCV does not work with NumPy {reached["numpy"]} ({reason})',
            advice=_mend_numpy(reached['numpy'], 'or pip install opencv-python-headless'),
            details=details,
        )
    if probe.failure:
        return Finding(
            status=Status.WARNING,
            summary=f'cv_bridge does not work with NumPy {reached["numpy"]} ({reason})',
            advice='the node needs it only for unusual encodings; for other nodes of this Python '
            + _mend_numpy(reached['numpy'], 'or build cv_bridge from source'),
            details=details,
        )
    if 'no cv_bridge' in probe.reports:
        bridge = 'no cv_bridge, which is needed for unusual encodings only'
        return Finding(status=Status.OK, summary=f'{versions}; {bridge}', details=details)
    return Finding(status=Status.OK, summary=f'{versions}, cv_bridge', details=details)


def _mend_numpy(version: str, otherwise: str) -> str:
    """Advise to go back before NumPy 2, where that can be the cause."""
    if version.startswith(('0.', '1.')):
        return otherwise.removeprefix('or ')
    return f"pip install 'numpy<2', {otherwise}"
