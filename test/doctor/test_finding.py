"""Tests that errors for users become findings with advice."""

from __future__ import annotations

import pytest

from stseg_ros.doctor.finding import Finding, Status, finding_of_error
from stseg_ros.errors import BundleError


@pytest.mark.parametrize(
    ('message', 'summary', 'advice'),
    [
        ('a is b; do c', 'a is b', 'do c'),
        ('a; b; do c', 'a; b', 'do c'),
        ('a is b', 'a is b', 'otherwise'),
    ],
)
def test_what_follows_the_last_semicolon_is_the_advice(
    message: str, summary: str, advice: str
) -> None:
    found = finding_of_error(BundleError(message), 'otherwise')
    assert found == Finding(status=Status.ERROR, summary=summary, advice=advice)
