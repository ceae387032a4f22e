"""Stands in for the process of one check, and ends as the check's name says."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

GRANDCHILD = 'DOCTOR_TEST_GRANDCHILD'


def crash(result: Path) -> None:
    """Die as a faulty library does."""
    print('about to crash', flush=True)
    os.kill(os.getpid(), signal.SIGSEGV)


def leave(result: Path) -> None:
    """End early with a word on stderr."""
    print('first\n\n  the reason is this  ', file=sys.stderr, flush=True)
    os._exit(3)


def hang(result: Path) -> None:
    """Wait for ever, with a grandchild that does so too and does not mind Ctrl-C."""
    code = 'import signal; signal.signal(signal.SIGINT, signal.SIG_IGN); signal.pause()'
    grandchild = subprocess.Popen([sys.executable, '-c', code])
    Path(os.environ[GRANDCHILD]).write_text(str(grandchild.pid))
    signal.pause()


def chatter(result: Path) -> None:
    """Find something, and print things that are none of it."""
    print('{"status": "error"}')
    found = {'status': 'warning', 'summary': 's', 'advice': 'a', 'details': {'n': [1]}}
    result.write_text(json.dumps(found))


if __name__ == '__main__':
    globals()[sys.argv[1]](Path(sys.argv[sys.argv.index('--result') + 1]))
