"""Runs one command and tells what it took. `measuring.py` starts it with `python -I -S`, on Python's library alone.

It stands between because a process counts what its parent held when it was forked among its own peak memory: started
by something small, a command is measured alone.

Standard input: a JSON object with `command`, `environment`, `folder` to run in, and `limit`, the seconds until Ctrl-C;
the last two may be null.
Standard output: one with `code`, `seconds`, `peak_bytes`, `cut` (whether the limit was reached) and `lines`, what the
command wrote on either of its outputs, each line with the seconds from the start until it came.
"""

import json
import os
import signal
import subprocess
import sys
import threading
import time

GRACE = 60.0  # seconds that a command has to end after Ctrl-C


class Launch:
    """A command under way."""

    def __init__(
        self, command: list[str], environment: dict[str, str], folder: str | None, limit: float | None
    ) -> None:
        self.cut = False
        self.began = time.perf_counter()
        self.child = subprocess.Popen(
            command,
            env=environment,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
        self.timers = [] if limit is None else [self._timer(limit, self._interrupt)]

    def _timer(self, seconds, act) -> threading.Timer:
        timer = threading.Timer(seconds, act)
        timer.daemon = True
        timer.start()
        return timer

    def _interrupt(self) -> None:
        self.cut = True
        self.child.send_signal(signal.SIGINT)
        self.timers.append(self._timer(GRACE, self.child.kill))

    def finish(self) -> dict[str, object]:
        """Read to the end and wait."""
        assert self.child.stdout is not None
        lines = [(time.perf_counter() - self.began, line.rstrip("\n")) for line in self.child.stdout]
        _, status, usage = os.wait4(self.child.pid, 0)
        seconds = time.perf_counter() - self.began
        for timer in self.timers:
            timer.cancel()
        self.child.returncode = os.waitstatus_to_exitcode(status)
        unit = 1 if sys.platform == "darwin" else 1024
        told = {"code": self.child.returncode, "seconds": seconds, "peak_bytes": usage.ru_maxrss * unit}
        return {**told, "cut": self.cut, "lines": lines}


def main() -> None:
    request = json.load(sys.stdin)
    signal.signal(signal.SIGINT, lambda *_: None)  # the terminal sends Ctrl-C to the command, too, which then ends
    launch = Launch(**request)
    signal.signal(signal.SIGTERM, lambda *_: launch.child.kill())
    json.dump(launch.finish(), sys.stdout)


if __name__ == "__main__":
    main()
