"""Report progress on standard error: in a line that changes on a terminal, in further lines elsewhere."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TextIO

from tagger.bulk.job import Counts

_ON_TERMINAL, _ELSEWHERE = 0.2, 10.0  # seconds between reports
_CLEARED = "\r\x1b[K"


class Progress:
    """Reports what was tagged, how fast, and the time left. To be used as a context, which clears the line."""

    def __init__(
        self, stream: TextIO, program: str, total: int | None = None, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """
        Args:
            stream: standard error, a terminal or not.
            program: begins each line.
            total: bytes of input; None: unknown.
            clock: seconds.
        """
        self._stream, self._program, self._total, self._clock = stream, program, total, clock
        self._terminal = stream.isatty()
        self._begin = clock()
        self._written: float | None = None

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        if self._terminal and self._written is not None:
            self._write(_CLEARED)

    def __call__(self, done: Counts, amount: int, kept: int = 0) -> None:
        """Report what is done by now.

        Args:
            done: what was tagged.
            amount: bytes of input that were read for it.
            kept: bytes of input that an earlier run had tagged.
        """
        now = self._clock()
        since = self._begin if self._written is None else self._written
        if now == self._begin or now - since < (_ON_TERMINAL if self._terminal else _ELSEWHERE):
            return
        self._written = now
        parts = [
            f"{done.records:,} records, {done.tokens:,} tokens ({done.tokens / (now - self._begin):,.0f} tokens/s)"
        ]
        if self._total:
            parts.append(f"{min(1.0, (kept + amount) / self._total):.0%}")
            if amount:
                left = max(0, self._total - kept - amount) * (now - self._begin) / amount
                parts.append(f"{duration(left)} left")
        line = f"{self._program}: {', '.join(parts)}"
        if self._terminal:
            self._write(f"{_CLEARED}{line[: shutil.get_terminal_size().columns - 1]}")
        else:
            self._write(line + "\n")

    def _write(self, text: str) -> None:
        with suppress(OSError, ValueError):  # nobody reads it
            self._stream.write(text)
            self._stream.flush()


def duration(seconds: float) -> str:
    """Format seconds: `8 s`, `3 min 20 s`, `5 h 10 min`, `2 d 4 h`."""
    whole = round(seconds)
    for size, name, smaller, small in ((86_400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")):
        if whole >= size:
            return f"{whole // size:,} {name} {whole % size // smaller} {small}"
    return f"{whole} s"
