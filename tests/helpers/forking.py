"""Run a check in a forked child, which may hang."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress

import pytest

_LONGEST = 60  # seconds


def succeeds_in_a_fork(check: Callable[[], bool]) -> bool:
    """Return whether a check is true in a forked child. A child that hangs is killed."""
    if not hasattr(os, "fork"):
        pytest.skip("this system has no forks")
    child = os.fork()
    if not child:
        code = 1
        with suppress(BaseException):
            code = 0 if check() else 1
        os._exit(code)
    until = time.monotonic() + _LONGEST
    while time.monotonic() < until:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status) == 0
        time.sleep(0.01)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return False
