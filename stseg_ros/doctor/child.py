"""Runs one check and writes its finding to a file; see `isolation`."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from stseg_ros.doctor.catalogue import all_checks
from stseg_ros.doctor.finding import finding_of_error
from stseg_ros.errors import StsegError

_INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run the check. What it does not foresee ends this process, and the parent reports that.

    Args:
        argv: arguments without the program's name; None takes the process's own.

    Returns:
        0.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('name')
    parser.add_argument('--result', type=Path, required=True)
    parser.add_argument('--bundle')
    arguments = parser.parse_args(argv)
    check = all_checks(arguments.bundle)[arguments.name]
    try:
        finding = check.run()
    except StsegError as err:
        finding = finding_of_error(err)
    content = json.dumps(dataclasses.asdict(finding))
    arguments.result.write_text(content, encoding='utf-8')
    return 0


if __name__ == '__main__':
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)
