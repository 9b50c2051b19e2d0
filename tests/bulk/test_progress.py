"""Progress: how fast and how long, on a line that changes or on lines of their own, and nothing of it left behind."""

from __future__ import annotations

import io
import os
import pty
from collections.abc import Iterator
from pathlib import Path

import pytest

from tagger.bulk.job import Counts
from tagger.bulk.progress import Progress, duration
from tagger.commands.tag import main
from tests.helpers.capitals_tagger import CapitalsTagger


class Stream(io.StringIO):
    def __init__(self, terminal: bool) -> None:
        super().__init__()
        self.terminal = terminal

    def isatty(self) -> bool:
        return self.terminal


def clock(*times: float) -> Iterator[float]:
    return iter(times)


def told(terminal: bool, total: int | None, *at: tuple[float, int]) -> str:
    """Return the report on parts that are done at a time and an amount, 10 tokens for each byte."""
    stream = Stream(terminal)
    times = clock(0.0, *(time for time, _ in at))
    with Progress(stream, "tag.py", total, clock=lambda: next(times)) as progress:
        for _, amount in at:
            progress(Counts(amount, tokens=10 * amount), amount)
    return stream.getvalue()


def test_lines_come_now_and_then_with_the_time_left() -> None:
    said = told(False, 1000, (1, 100), (9.9, 200), (20, 500), (25, 600), (30.5, 900))
    assert said == (
        "tag.py: 500 records, 5,000 tokens (250 tokens/s), 50%, 20 s left\n"
        "tag.py: 900 records, 9,000 tokens (295 tokens/s), 90%, 3 s left\n"
    )


def test_where_the_size_is_unknown_nothing_is_said_of_the_rest() -> None:
    assert told(False, None, (8, 100), (20, 500)) == "tag.py: 500 records, 5,000 tokens (250 tokens/s)\n"


def test_on_a_terminal_one_line_changes_and_is_cleared() -> None:
    said = told(True, 1000, (0.1, 100), (0.3, 200), (0.6, 300))
    first, second, cleared = said.split("\r\x1b[K")[1:]
    assert first.startswith("tag.py: 200 records")
    assert second.startswith("tag.py: 300 records")
    assert cleared == ""
    assert "\n" not in said


def test_what_an_earlier_run_tagged_does_not_count_as_speed() -> None:
    stream = Stream(False)
    times = clock(0.0, 10.0)
    with Progress(stream, "tag.py", 1000, clock=lambda: next(times)) as progress:
        progress(Counts(100, tokens=1000), 100, kept=800)
    assert stream.getvalue() == "tag.py: 100 records, 1,000 tokens (100 tokens/s), 90%, 10 s left\n"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0 s"), (61, "1 min 1 s"), (3600, "1 h 0 min"), (90_000, "1 d 1 h"), (9e8, "10,416 d 16 h")],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.fixture
def tag(monkeypatch: pytest.MonkeyPatch, in_tmp_path: Path) -> None:
    monkeypatch.setattr("tagger.predict.load", lambda path, **_: CapitalsTagger())
    monkeypatch.setattr("tagger.bulk.progress._ON_TERMINAL", 0.0)
    monkeypatch.setattr("tagger.bulk.progress._ELSEWHERE", 0.0)
    Path("a.txt").write_text("Ada\n" * 1000)


@pytest.mark.usefixtures("tag")
def test_it_is_asked_for_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--model", "m", "a.txt", "--output", "quiet"]) == 0
    assert capsys.readouterr().err.count("\n") == 1
    assert main(["--model", "m", "a.txt", "--output", "out", "--part-size", "1K", "--progress"]) == 0
    *lines, last, summary = capsys.readouterr().err.splitlines()
    assert lines
    assert ", 100%, " in last
    assert ", written to out" in summary


@pytest.mark.usefixtures("tag")
@pytest.mark.parametrize(("options", "shown"), [([], True), (["--quiet"], False)])
def test_on_a_terminal_it_is_there_unless_quiet(
    monkeypatch: pytest.MonkeyPatch, options: list[str], shown: bool
) -> None:
    reading_end, terminal = pty.openpty()
    with os.fdopen(terminal, "w") as stream, os.fdopen(reading_end, "rb", buffering=0) as screen:
        monkeypatch.setattr("sys.stderr", stream)
        assert main(["--model", "m", "a.txt", "--output", "out", "--part-size", "1K", *options]) == 0
        print("end", file=stream, flush=True)
        seen = b""
        while b"end" not in seen:
            seen += screen.read(4096)
    assert (b"\r\x1b[Ktag.py: " in seen) == shown
