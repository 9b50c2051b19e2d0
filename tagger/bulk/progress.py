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
        self,
        stream: TextIO,
        program: str,
        total: int | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
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
        self._first: tuple[float, int, int] | None = None  # time, tokens and bytes after the first part

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
        if self._first is None and amount:
            self._first = now, done.tokens, amount
        since = self._begin if self._written is None else self._written
        if (
            self._first is None
            or now == self._first[0]
            or now - since < (_ON_TERMINAL if self._terminal else _ELSEWHERE)
        ):
            return
        self._written = now
        line = f"{self._program}: {self._line(done, amount, kept, now, self._first)}"
        if self._terminal:
            columns = shutil.get_terminal_size().columns
            self._write(f"{_CLEARED}{line[: columns - 1]}")
        else:
            self._write(line + "\n")

    def _line(self, done: Counts, amount: int, kept: int, now: float, first: tuple[float, int, int]) -> str:
        then, tokens, begun = first
        speed = (done.tokens - tokens) / (now - then)
        parts = [f"{done.records:,} records, {done.tokens:,} tokens ({speed:,.0f} tokens/s)"]
        if self._total:
            parts.append(f"{min(1.0, (kept + amount) / self._total):.0%}")
            if amount > begun:
                left = max(0, self._total - kept - amount) * (now - then) / (amount - begun)
                parts.append(f"{duration(left)} left")
        return ", ".join(parts)

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
