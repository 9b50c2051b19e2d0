"""What is told is a line, whatever it tells of."""

from __future__ import annotations

import pytest

from tagger.errors import UserError


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("a.conll:1: no tag\n", "a.conll:1: no tag"),
        ("two\nlines", "two lines"),
        ("\x1b[2Jx\x7f\x08", "␛[2Jx␡␈"),
        ("\x9b2Jx", "\ufffd2Jx"),
        ("é 北京 \udcff", "é 北京 \udcff"),
    ],
)
def test_a_message_is_one_line_that_steers_no_terminal(message: str, expected: str) -> None:
    assert str(UserError(message)) == expected


def test_a_long_message_keeps_its_ends() -> None:
    told = str(UserError(f"a.jsonl:1: {'x' * 100_000}; write one object a line"))
    assert len(told) < 2100
    assert told.startswith("a.jsonl:1: xxx")
    assert told.endswith("; write one object a line")
