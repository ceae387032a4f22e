"""Tests of the kernel's limits, on a /proc/sys made for the purpose."""

from __future__ import annotations

from pathlib import Path

import pytest

from stseg_ros.doctor.finding import Status
from stseg_ros.doctor.kernel import KernelCheck


def proc_sys(root: Path, rmem: str | None, fragments: str | None) -> Path:
    """Write the two files, as the kernel shows them, with a newline."""
    for relative, text in (
        ('net/core/rmem_max', rmem),
        ('net/ipv4/ipfrag_high_thresh', fragments),
    ):
        if text is not None:
            (root / relative).parent.mkdir(parents=True, exist_ok=True)
            (root / relative).write_text(f'{text}\n')
    return root


def test_limits_that_are_high_enough(tmp_path: Path) -> None:
    found = KernelCheck(proc_sys=proc_sys(tmp_path, '2147483647', '134217728')).run()
    assert (found.status, found.advice) == (Status.OK, '')
    assert found.details['net.core.rmem_max'] == 2_147_483_647


@pytest.mark.parametrize(
    ('rmem', 'fragments', 'settings'),
    [
        ('212992', '134217728', 'net.core.rmem_max=12582912'),
        ('33554432', '4194304', 'net.ipv4.ipfrag_high_thresh=134217728'),
        (
            '212992',
            '4194304',
            'net.core.rmem_max=12582912 net.ipv4.ipfrag_high_thresh=134217728',
        ),
        ('212992', None, 'net.core.rmem_max=12582912'),
    ],
)
def test_low_limits_are_told_with_the_command_that_raises_them(
    tmp_path: Path, rmem: str, fragments: str | None, settings: str
) -> None:
    found = KernelCheck(proc_sys=proc_sys(tmp_path, rmem, fragments)).run()
    assert found.status is Status.WARNING
    assert f'sudo sysctl -w {settings} (' in found.advice


@pytest.mark.parametrize('text', [None, 'many'])
def test_limits_that_are_not_shown(tmp_path: Path, text: str | None) -> None:
    found = KernelCheck(proc_sys=proc_sys(tmp_path, text, text)).run()
    assert found.status is Status.SKIPPED
    assert found.details == {'net.core.rmem_max': None, 'net.ipv4.ipfrag_high_thresh': None}
