"""Read lines of a file, and count what was kept, repaired and rejected. All readers use this."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import IO

from tagger.errors import UserError

_PLACES_SHOWN = 3
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")  # also TAB and unusual line ends
_FIELD = re.compile(r"[^ \t]+")
_AS_CSV = "save the sheet as CSV and read that: data=csv, or tag.py --input-format csv"
_PACKED = {  # first bytes of packed files that users may pass as text
    b"\x1f\x8b": ("compressed with gzip", "decompress it first: gunzip -k FILE"),
    b"\x28\xb5\x2f\xfd": ("compressed with Zstandard", "decompress it first: unzstd FILE"),
    b"PK\x03\x04": ("a ZIP archive", "unpack it first"),
    b"PAR1\x15": ("a Parquet file", "read it as such: data=huggingface, or tag.py --input-format parquet"),
    b"\xd0\xcf\x11\xe0": ("an Excel file", _AS_CSV),
}
_SHEETS = (".xlsx", ".xlsm", ".ods")
_PARTS_OF_SHEETS = (b"[Content_Types].xml", b"xl/", b"opendocument.spreadsheet")  # names inside the archive


class MalformedError(ValueError):
    """A line or record is malformed. The message says what is wrong and what to do; pass it to `ReadReport.reject`."""


class OnError(StrEnum):
    """Reaction to a malformed line: stop the run, or drop and count its sentence."""

    STOP = "stop"
    SKIP = "skip"


@dataclass
class Tally:
    """Numbers of units that were kept unchanged, repaired and kept, or rejected."""

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
    """Report of reading one source. Everything read is counted as kept, repaired or rejected.

    A reader uses it in this order:

    1. Call `line()` for each line. The first line opens a sentence.
    2. Call `repair()` for each repair, and `reject()` for each fault.
    3. Call `close_sentence()` at the end. It returns whether to keep the sentence.

    Call `close_lines()` for lines between sentences, such as blank lines, comments and document marks. A record with
    several sentences is one line, closed with the first of them.

    Attributes:
        source: the file or data set, for messages.
        on_error: STOP raises at the first fault; SKIP drops the sentence with the fault.
        sentences, lines: the counts. In sources without lines (data sets), a record counts as a line.
        places: the first few repairs and rejections, one line each.
        skipped: the rejected sentences by reason, where a reader gives reasons.
        ignored: by kind, what was not read of the rest, such as relations or spans that overlap.
    """

    source: str
    on_error: OnError = OnError.STOP
    sentences: Tally = field(default_factory=Tally)
    lines: Tally = field(default_factory=Tally)
    places: list[str] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)
    ignored: Counter[str] = field(default_factory=Counter)
    _pending: int = 0
    _pending_repaired: int = 0
    _was_repaired: bool = False
    _faulty: bool = False

    def line(self, repaired: str = "") -> None:
        """Count one line of the open sentence. `repaired` describes what was repaired in it, if anything."""
        self._pending += 1
        if repaired:
            self._pending_repaired += 1
            self._was_repaired = True
            self._note(repaired)

    def repair(self, what: str) -> None:
        """Note a repair (`file:line: problem, remedy`). The sentence and its line count as repaired."""
        self._was_repaired = True
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

    def leave_out(self, place: str, reason: str, kind: str = "") -> None:
        """Drop the open sentence without a fault, for example because annotators skipped it. Ignores `on_error`.

        Sentences of a `kind` are counted in `skipped`.
        """
        self._faulty = True
        if kind:
            self.skipped[kind] += 1
        self._note(f"{place}: {reason}")

    def ignore(self, place: str, kind: str, amount: int = 1) -> None:
        """Count parts that are not read. The sentence and its lines count as if these were not there."""
        if amount and kind not in self.ignored:
            self._note(f"{place}: {kind}: not read")
        if amount:
            self.ignored[kind] += amount

    def close_sentence(self) -> bool:
        """Close the open sentence and count it with its lines. Returns whether to keep it."""
        keep = not self._faulty
        if not keep:
            self.sentences.rejected += 1
        elif self._was_repaired:
            self.sentences.repaired += 1
        else:
            self.sentences.kept += 1
        self.close_lines()
        return keep

    def close_lines(self) -> None:
        """Count the lines since the last close. Call this for lines that belong to no sentence."""
        if self._faulty:
            self.lines.rejected += self._pending
        else:
            self.lines.repaired += self._pending_repaired
            self.lines.kept += self._pending - self._pending_repaired
        self._pending = self._pending_repaired = 0
        self._was_repaired = self._faulty = False

    def summary(self) -> str:
        """Return the report as a few lines for people."""
        text = f"{self.source}: sentences {self.sentences}; lines {self.lines}"
        counts = [("rejected sentences", self.skipped), ("not read of the others", self.ignored)]
        reasons = [f"  {what}: {_listed(found)}" for what, found in counts if found]
        return "\n".join([text, *reasons, *(f"  {place}" for place in self.places)])

    def _note(self, message: str) -> None:
        if len(self.places) < _PLACES_SHOWN:
            self.places.append(message)
        elif len(self.places) == _PLACES_SHOWN:
            self.places.append("further places are not listed")


def _listed(counts: Counter[str]) -> str:
    return ", ".join(f"{amount:,} {kind}" for kind, amount in counts.most_common())


def fields(line: str) -> list[str]:
    """Split a line at spaces and TABs. Unlike `str.split`, keep other white space, such as no-break spaces."""
    return _FIELD.findall(line)


def check_tag(tag: str) -> None:
    """Check that a tag or label can be written to a column file.

    Raises:
        MalformedError: it contains a TAB, a line end or another control character.
    """
    if found := _CONTROL.search(tag):
        raise MalformedError(f"tag or label {tag!r} holds a control character (U+{ord(found[0]):04X}); rename it")


def counted(amount: int, noun: str) -> str:
    """Return an amount with its noun: `1 column`, `2 columns`."""
    return f"{amount} {noun}{'' if amount == 1 else 's'}"


def open_bytes(path: Path) -> IO[bytes]:
    """Open a file for reading.

    Raises:
        UserError: it is missing, unreadable, or a folder.
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
    """Yield the lines of a UTF-8 stream, as (number from 1, text without line end).

    Lines end at LF or CRLF only. Other characters at which Python's `splitlines` breaks belong to the text. A
    byte-order mark at the start is removed and counted as a repair. A file with nothing else has no lines. Invalid
    UTF-8 and NUL characters reject their sentence; invalid bytes become U+FFFD. Each line is counted in `report`.

    Args:
        stream: the bytes.
        report: counts the lines.
        source: name of the stream in messages, if it differs from the report's.

    Raises:
        UserError: the stream is compressed. With `on_error=stop`: a line is not UTF-8 text.
    """
    source = source or report.source
    for number, raw in enumerate(stream, start=1):
        repaired = ""
        if number == 1:
            refuse_packed(raw, source)
            if raw == _BYTE_ORDER_MARK:
                return
        raw = raw.removesuffix(b"\n").removesuffix(b"\r")
        if number == 1 and raw.startswith(_BYTE_ORDER_MARK):
            raw = raw.removeprefix(_BYTE_ORDER_MARK)
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


def refuse_packed(first: bytes, source: str) -> None:
    """Raise UserError if the first line of a stream shows that it is compressed or packed."""
    kind, remedy = next((entry for magic, entry in _PACKED.items() if first.startswith(magic)), ("", ""))
    if kind == "a ZIP archive" and (source.lower().endswith(_SHEETS) or any(one in first for one in _PARTS_OF_SHEETS)):
        kind, remedy = "a spreadsheet", _AS_CSV
    if kind:
        raise UserError(f"{source}: {kind}, not text; {remedy}")
