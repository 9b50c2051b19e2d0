"""What every reader shares: lines of a file, and the account of what became of them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import IO

from tagger.errors import UserError

_PLACES_SHOWN = 3
_MARK = b"\xef\xbb\xbf"  # of byte order
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")  # also TAB and all that ends a line somewhere
_FIELD = re.compile(r"[^ \t]+")
_PACKED = {  # what files begin with that people take for what is inside
    b"\x1f\x8b": ("compressed with gzip", "decompress it first: gunzip -k FILE"),
    b"\x28\xb5\x2f\xfd": ("compressed with Zstandard", "decompress it first: unzstd FILE"),
    b"PK\x03\x04": ("a ZIP archive", "unpack it first"),
    b"PAR1\x15": ("a Parquet file", "read it as such: data=huggingface, or tag.py --input-format parquet"),
}


class MalformedError(ValueError):
    """A line or record is malformed; the message says what is wrong and what to do, for `ReadReport.reject`."""


class OnError(StrEnum):
    """What a reader does at a malformed line: stop the run, or drop the whole sentence and count it."""

    STOP = "stop"
    SKIP = "skip"


@dataclass
class Tally:
    """How many of the units read were kept as they were, repaired and then kept, or rejected."""

    kept: int = 0
    repaired: int = 0
    rejected: int = 0

    @property
    def read(self) -> int:
        return self.kept + self.repaired + self.rejected

    def __str__(self) -> str:
        return f"{self.read:,} read = {self.kept:,} kept + {self.repaired:,} repaired + {self.rejected:,} rejected"


@dataclass
class ReadReport:
    """The account of one read. Whatever was met is kept, repaired or rejected, and the three sum to what was read.

    A reader opens a sentence with its first line, reports each line with `line()`, each mended oddity with
    `repair()` and each fault with `reject()`, and closes the sentence with `close_sentence()`, which tells whether to
    keep it. Lines between sentences (blank, comments, document marks) are closed with `close_lines()`. A record that
    gives several sentences is one line, closed with the first of them.

    Attributes:
        source: the file or data set, for messages.
        on_error: STOP raises at the first fault; SKIP drops the sentence it stands in.
        sentences, lines: the tallies. For sources without lines (data sets), a record counts as a line.
        places: the first few repairs and rejections, a line each.
    """

    source: str
    on_error: OnError = OnError.STOP
    sentences: Tally = field(default_factory=Tally)
    lines: Tally = field(default_factory=Tally)
    places: list[str] = field(default_factory=list)
    _pending: int = 0
    _pending_repaired: int = 0
    _mended: bool = False
    _faulty: bool = False

    def line(self, repaired: str = "") -> None:
        """Count one line of the open sentence; `repaired` says what was mended in it, if anything."""
        self._pending += 1
        if repaired:
            self._pending_repaired += 1
            self._mended = True
            self._note(repaired)

    def repair(self, what: str) -> None:
        """Note a repair (`file:line: what was wrong, what was done`); the sentence and its line count as repaired."""
        self._mended = True
        self._pending_repaired = max(self._pending_repaired, min(1, self._pending))
        self._note(what)

    def reject(self, place: str, problem: str) -> None:
        """Report a fault in the open sentence.

        Raises:
            UserError: with `on_error=stop`.
        """
        if self.on_error is OnError.STOP:
            raise UserError(f"{place}: {problem} (data.on_error=skip drops such sentences)")
        self.leave_out(place, problem)

    def leave_out(self, place: str, reason: str) -> None:
        """Drop the open sentence for a reason that is no fault (its annotators skipped it), whatever `on_error` is."""
        self._faulty = True
        self._note(f"{place}: {reason}")

    def close_sentence(self) -> bool:
        """End the open sentence and count it with its lines. Returns whether it is to be kept."""
        keep = not self._faulty
        if not keep:
            self.sentences.rejected += 1
        elif self._mended:
            self.sentences.repaired += 1
        else:
            self.sentences.kept += 1
        self.close_lines()
        return keep

    def close_lines(self) -> None:
        """Count the lines since the last close; they belong to no sentence or to the one being closed."""
        if self._faulty:
            self.lines.rejected += self._pending
        else:
            self.lines.repaired += self._pending_repaired
            self.lines.kept += self._pending - self._pending_repaired
        self._pending = self._pending_repaired = 0
        self._mended = self._faulty = False

    def summary(self) -> str:
        """The account in a line or a few, for people."""
        text = f"{self.source}: sentences {self.sentences}; lines {self.lines}"
        return "\n".join([text, *(f"  {place}" for place in self.places)])

    def _note(self, message: str) -> None:
        if len(self.places) < _PLACES_SHOWN:
            self.places.append(message)
        elif len(self.places) == _PLACES_SHOWN:
            self.places.append("further places are not listed")


def fields(line: str) -> list[str]:
    """What blanks and TABs part. Unlike with `str.split`, a no-break space is part of a field."""
    return _FIELD.findall(line)


def check_tag(tag: str) -> None:
    """Check that a tag or label can be written to a file of lines and columns.

    Raises:
        MalformedError: it holds a TAB, a line end or another control character.
    """
    if found := _CONTROL.search(tag):
        raise MalformedError(f"tag or label {tag!r} holds a control character (U+{ord(found[0]):04X}); rename it")


def counted(amount: int, noun: str) -> str:
    """`1 column`, `2 columns`."""
    return f"{amount} {noun}{'' if amount == 1 else 's'}"


def open_bytes(path: Path) -> IO[bytes]:
    """Open a file for reading.

    Raises:
        UserError: it is missing, a folder, or unreadable.
    """
    try:
        return path.open("rb")
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; check the path") from None
    except IsADirectoryError:
        raise UserError(f"{path}: a folder; check the path, a file is needed") from None
    except OSError as error:
        raise UserError(f"{path}: cannot read: {error.strerror or error}; check its permissions") from error


def read_lines(stream: IO[bytes], report: ReadReport, source: str | None = None) -> Iterator[tuple[int, str]]:
    """Lines of a UTF-8 stream as (number from 1, text without its line end), one by one.

    Lines end at LF or CRLF alone: other characters that Python's `splitlines` would break at belong to the text. A
    byte-order mark at the start is removed and counted as a repair, and a file of nothing else has no lines; invalid
    UTF-8 and NUL characters reject the sentence they stand in, with the line's bad bytes replaced by U+FFFD. Each line
    is counted in `report`.

    Args:
        stream: the bytes.
        report: the account that the lines go into.
        source: the stream's name in messages, where it is not the report's own.

    Raises:
        UserError: the stream is compressed; with `on_error=stop`, at the first line that is no UTF-8 text.
    """
    source = source or report.source
    for number, raw in enumerate(stream, start=1):
        repaired = ""
        if number == 1:
            _refuse_packed(raw, source)
            if raw == _MARK:
                return
        raw = raw.removesuffix(b"\n").removesuffix(b"\r")
        if number == 1 and raw.startswith(_MARK):
            raw = raw.removeprefix(_MARK)
            repaired = f"{source}:1: byte-order mark removed"
        report.line(repaired)
        try:
            text = raw.decode("utf-8")
        except UnicodeDecodeError as error:
            byte = f"byte 0x{raw[error.start]:02x} at column {error.start + 1}"
            problem = f"invalid UTF-8 ({byte}); save the file as UTF-8"
            report.reject(f"{source}:{number}", problem)
            text = raw.decode("utf-8", errors="replace")
        if "\0" in text:
            report.reject(f"{source}:{number}", "a NUL character; is this a text file? remove it")
        yield number, text


def _refuse_packed(first: bytes, source: str) -> None:
    """Raise UserError where a stream's first line shows that it is no text but has some packed inside."""
    kind, remedy = next((told for magic, told in _PACKED.items() if first.startswith(magic)), ("", ""))
    if kind:
        raise UserError(f"{source}: {kind}, not text; {remedy}")
