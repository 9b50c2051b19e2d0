"""What is told of bad input: one line that a terminal and a reader can take."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager

from tagger.errors import UserError

_LONGEST = 2100
_CONTROL = frozenset({"Cc", "Cs", "Zl", "Zp"})


@contextmanager
def told_in_a_line() -> Iterator[None]:
    """A UserError is as good as an answer, if it is one line of printable characters and not endless."""
    try:
        yield
    except UserError as error:
        check_line(str(error))


def check_line(message: str) -> None:
    assert message, "nothing is told"
    assert len(message) <= _LONGEST, f"{len(message)} characters are told: {message[:200]!r}"
    check_no_control(message)


def check_no_control(line: str) -> None:
    """Nothing that moves a terminal's cursor, ends a line, or cannot be written."""
    found = [character for character in line if unicodedata.category(character) in _CONTROL]
    assert not found, f"control characters {found[:5]!r} in {line[:200]!r}"


def choices(data: bytes, *counts: int) -> tuple[list[int], bytes]:
    """Numbers below each count, from the first bytes, and what follows these."""
    head = data[: len(counts)].ljust(len(counts), b"\0")
    return [byte % count for byte, count in zip(head, counts, strict=True)], data[len(counts) :]
