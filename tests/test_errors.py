"""Messages of errors are one line, whatever they are about."""

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
    message = str(UserError(f"a.jsonl:1: {'x' * 100_000}; write one object a line"))
    assert len(message) < 2100
    assert message.startswith("a.jsonl:1: xxx")
    assert message.endswith("; write one object a line")
