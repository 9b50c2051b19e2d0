"""Run the jobs of a multirun, each in a process of its own, so that the end of one does not affect the others."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from types import FrameType

from tagger.printable import in_a_line
from tagger.python_process import start_python

_SECONDS_TO_END = 60.0  # of a job after SIGTERM
# Windows has no SIGHUP and no SIGKILL
_SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
_KILL = getattr(signal, "SIGKILL", signal.SIGTERM)
_WRONG_USE = 2


class Sweep:
    """Jobs run one after another, and a summary of them.

    Ctrl-C stops the running job, and the sweep continues. Ctrl-C again, before that job has ended, stops the sweep.
    SIGTERM and SIGHUP stop both. A signal sent to a job's process affects that job alone.
    """

    def __init__(self, program: str, command: Sequence[str]) -> None:
        """Take the program's name in messages, and Python's arguments that start a job, before the job's own."""
        self._program, self._command = program, list(command)
        self._job: subprocess.Popen[bytes] | None = None
        self._starting, self._interrupted = False, False
        self._early: list[int] = []  # signals received while a job was started
        self._handlers: dict[signal.Signals, object] = {}
        self._count, self._skipped = 0, 0
        self._failed: list[tuple[str, int]] = []

    def skip(self, name: str) -> None:
        """Count a job that finished earlier."""
        self._count += 1
        self._skipped += 1
        self._say(f"{name}: finished earlier; skipped")

    def run(self, name: str, arguments: Sequence[str]) -> None:
        """Run a job to its end, successful or not.

        Args:
            name: of the job.
            arguments: its own.

        Raises:
            KeyboardInterrupt, SystemExit: the sweep was stopped; the job has ended.
        """
        self._listen()
        self._count += 1
        self._say(f"job {self._count}: {name}")
        sys.stdout.flush()
        try:
            code = self._start([*self._command, *arguments]).wait()
        except BaseException as stopped:
            self._end(kill=isinstance(stopped, KeyboardInterrupt))
            self._failed.append((name, self._job.returncode if self._job else 1))
            raise
        finally:
            self._job = None
        if code:
            self._failed.append((name, code))

    def close(self) -> int:
        """Print a summary of the jobs; returns 0, 1 if one failed, 2 if one was wrong use."""
        for number, handler in self._handlers.items():
            signal.signal(number, handler)  # type: ignore[arg-type]
        if not self._count:
            return 0
        if not self._failed:
            before = f", {self._skipped} of them earlier" if self._skipped else ""
            self._say(f"{self._count} job{'s' if self._count > 1 else ''} finished{before}")
            return 0
        failed = ", ".join(f"{name} ({_ending(code)})" for name, code in self._failed)
        advice = "the same command with resume=true and the same run_dir continues"
        self._say(f"{len(self._failed)} of {self._count} jobs failed: {failed}; {advice}")
        return _WRONG_USE if any(code == _WRONG_USE for _, code in self._failed) else 1

    def _start(self, command: Sequence[str]) -> subprocess.Popen[bytes]:
        """Start a job in a session of its own, so that signals from the terminal arrive through `_on_signal` only."""
        self._interrupted, self._starting = False, True
        self._job = start_python(command, stdin=subprocess.DEVNULL, start_new_session=True)
        self._starting = False
        for number in self._early:
            self._on_signal(number, None)
        return self._job

    def _listen(self) -> None:
        if not self._handlers:
            for number in _SIGNALS:
                if signal.getsignal(number) is not signal.SIG_IGN:  # as nohup has it
                    self._handlers[number] = signal.signal(number, self._on_signal)

    def _on_signal(self, number: int, _: FrameType | None) -> None:
        if self._starting:
            self._early.append(number)
        elif number != signal.SIGINT:
            raise SystemExit(128 + number)
        elif self._interrupted or self._job is None:
            raise KeyboardInterrupt
        else:
            self._interrupted = True
            self._say("stopping this job; Ctrl-C again stops all")
            self._send(signal.SIGINT)

    def _end(self, *, kill: bool) -> None:
        """Let the job save and end; kill it if it does not end, or at once."""
        if self._job is None:
            return
        if not kill and self._job.poll() is None:
            self._job.send_signal(signal.SIGTERM)  # the job passes it on to its own processes
            with contextlib.suppress(subprocess.TimeoutExpired, KeyboardInterrupt, SystemExit):
                self._job.wait(_SECONDS_TO_END)
        self._send(_KILL)
        self._job.wait()

    def _send(self, number: signal.Signals) -> None:
        """Send a signal to all processes of the job, as a terminal would; without process groups, end the job."""
        if self._job is None:
            return
        with contextlib.suppress(ProcessLookupError):
            if hasattr(os, "killpg"):
                os.killpg(self._job.pid, number)
            else:
                self._job.terminate()

    def _say(self, line: str) -> None:
        print(in_a_line(f"{self._program}: {line}"), file=sys.stderr, flush=True)


def _ending(code: int) -> str:
    """Describe a job's exit code."""
    if code == 128 + signal.SIGINT:
        return "stopped by Ctrl-C"
    if code == 128 + signal.SIGTERM:
        return "stopped by SIGTERM"
    return f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
