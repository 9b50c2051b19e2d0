"""How far a run of `tag.py` is, on standard error: a line that changes on a terminal, lines now and then elsewhere."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TextIO

from tagger.bulk.job import Counts

_ON_TERMINAL, _ELSEWHERE = 0.2, 10.0  # seconds between what is said
_CLEARED = "\r\x1b[K"


class Progress:
    """Says what was tagged, how fast, and how long the rest will take. To be left as a context, which clears it."""

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
            stream: standard error; whether it is a terminal decides how things are said.
            program: begins each line.
            total: bytes of input; None: unknown.
            clock: seconds.
        """
        self._stream, self._program, self._total, self._clock = stream, program, total, clock
        self._terminal = stream.isatty()
        self._begin = clock()
        self._said: float | None = None
        self._first: tuple[float, int, int] | None = None  # when a block was done first, and what was

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        if self._terminal and self._said is not None:
            self._write(_CLEARED)

    def __call__(self, done: Counts, amount: int) -> None:
        """Tell what is done by now: what was tagged, and how many bytes of the input that took."""
        now = self._clock()
        if self._first is None:
            self._first = now, done.tokens, amount
        since = self._begin if self._said is None else self._said
        if now == self._first[0] or now - since < (_ON_TERMINAL if self._terminal else _ELSEWHERE):
            return
        self._said = now
        line = f"{self._program}: {self._told(done, amount, now)}"
        if self._terminal:
            columns = shutil.get_terminal_size().columns
            self._write(f"{_CLEARED}{line[: columns - 1]}")
        else:
            self._write(line + "\n")

    def _told(self, done: Counts, amount: int, now: float) -> str:
        assert self._first is not None
        then, tokens, begun = self._first
        speed = (done.tokens - tokens) / (now - then)
        said = [f"{done.records:,} records, {done.tokens:,} tokens ({speed:,.0f} tokens/s)"]
        if self._total:
            said.append(f"{min(1.0, amount / self._total):.0%}")
            if amount > begun:
                left = max(0, self._total - amount) * (now - then) / (amount - begun)
                said.append(f"{duration(left)} left")
        return ", ".join(said)

    def _write(self, text: str) -> None:
        with suppress(OSError, ValueError):  # nobody is there to read it
            self._stream.write(text)
            self._stream.flush()


def duration(seconds: float) -> str:
    """Seconds as people say them: `8 s`, `3 min 20 s`, `5 h 10 min`, `2 d 4 h`."""
    whole = round(seconds)
    for size, name, smaller, small in ((86_400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")):
        if whole >= size:
            return f"{whole // size:,} {name} {whole % size // smaller} {small}"
    return f"{whole} s"
