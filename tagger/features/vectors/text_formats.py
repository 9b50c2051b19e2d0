"""Read word vectors from a stream in one pass: GloVe and word2vec text, word2vec binary."""

from __future__ import annotations

import codecs
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, NoReturn

import numpy as np

from tagger.errors import UserError
from tagger.features.vectors.table import ABSENT, Floats, VectorTable, notes_of_repeated

_MAX_LINE = 1 << 20  # bytes
_MAX_WORD = 4096  # bytes
_MAX_WIDTH = 1 << 16
_CHUNK = 1 << 18
_SAMPLE = 100  # lines that determine the width of a file without a header
_FIRST_ROWS = 16
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_HEADER = re.compile(rb"([0-9]{1,18})[ \t]+([0-9]{1,18})\s*")
_NUMBER = re.compile(rb"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)(e[+-]?[0-9]+)?|[+-]?(nan|inf(inity)?)", re.IGNORECASE)
_CONTROL = re.compile(rb"[^\t\n\r -~\x80-\xff]")


@dataclass(frozen=True)
class _Layout:
    """Layout of a file, determined from its beginning."""

    width: int  # E
    count: int | None  # V of the header; None: no header
    binary: bool  # word2vec's binary format
    begin: int  # bytes before the first word
    reason: str  # evidence for the width, for messages


class VectorStream:
    """Reader of one file of text or word2vec binary."""

    def __init__(self, path: Path, stream: IO[bytes]) -> None:
        """Take the name of a file and its content, unpacked."""
        self._path = path
        self._stream = stream
        self._rows: dict[str, int] = {}
        self._repeated: list[str] = []
        self._notes: list[str] = []
        self._vectors: Floats = np.empty((0, 0), np.float32)

    def read(self) -> VectorTable:
        """Read the table. See `read_vectors`. Call this only once."""
        layout = self._layout()
        self._stream.seek(layout.begin)
        self._vectors = np.empty((_FIRST_ROWS, layout.width), np.float32)
        if layout.binary:
            self._read_binary(layout)
        else:
            self._read_text(layout)
        self._vectors.resize((len(self._rows), layout.width), refcheck=False)
        notes = [*self._notes, *notes_of_repeated(str(self._path), self._repeated)]
        return VectorTable(list(self._rows), self._vectors, notes)

    def _layout(self) -> _Layout:
        first = self._stream.readline(_MAX_LINE)
        mark = len(_BYTE_ORDER_MARK) if first.startswith(_BYTE_ORDER_MARK) else 0
        if header := _HEADER.fullmatch(first[mark:]):
            count, width = map(int, header.groups())
            if not 1 <= width <= _MAX_WIDTH or not count:
                self._refuse(1, f"the header announces {count:,} words of {width:,} numbers; correct it, or remove it")
            binary = _is_binary(self._stream.read(_CHUNK), width)
            return _Layout(width, count, binary, len(first), "as line 1 announces")
        lines = [first[mark:], *(self._stream.readline(_MAX_LINE) for _ in range(_SAMPLE - 1))]
        widths = Counter(len(line.split()) - 1 for line in lines if line.strip())
        width = widths.most_common(1)[0][0] if widths else 0
        if not 1 <= width <= _MAX_WIDTH:
            self._refuse(1, "not a file of word vectors: expected a word and its numbers in each line; check the path")
        return _Layout(width, None, False, mark, "as in most lines" if widths.total() > 1 else "as in line 1")

    def _place(self, word: bytes) -> int:
        """Return the row for a word's vector, or `ABSENT` if the word is repeated. Add rows, an eighth, if needed."""
        row, text = len(self._rows), word.decode()
        if self._rows.setdefault(text, row) != row:
            self._repeated.append(text)
            return ABSENT
        rows, width = self._vectors.shape
        if row == rows:
            self._vectors.resize((rows + rows // 8, width), refcheck=False)
        return row

    def _read_text(self, layout: _Layout) -> None:
        found = 0
        with np.errstate(over="ignore"):  # overflow gives infinity, which is refused
            for number, line in self._lines(layout):
                bare = line.rstrip()
                if not bare:
                    continue
                found += 1
                try:
                    end = bare.index(b" ") if bare.count(b" ") == layout.width else _word_end(bare, layout)
                    row = self._place(bare[:end].lstrip())
                    if row != ABSENT:
                        _parse(bare[end:], self._vectors[row], layout)
                except UnicodeDecodeError as error:
                    self._refuse(number, f"{_not_utf8(error)}; save the file as UTF-8, or remove the line")
                except ValueError as error:
                    self._refuse(number, f"{error}; {self._remedy()}")
        self._check_count(layout, found)
        if layout.count is None and not line.endswith(b"\n"):
            self._notes.append(
                f"{self._path}:{number}: no line end; if the file is cut off here, its last number is wrong"
            )

    def _lines(self, layout: _Layout) -> Iterator[tuple[int, bytes]]:
        number = 0 if layout.count is None else 1
        while line := self._stream.readline(_MAX_LINE):
            number += 1
            if len(line) == _MAX_LINE and not line.endswith(b"\n"):
                self._refuse(number, f"longer than {_MAX_LINE:,} bytes; not a file of word vectors; check the path")
            yield number, line

    def _remedy(self) -> str:
        if self._stream.read(1):
            return "correct or remove the line"
        return "it is the last line: copy the file again if it is cut off here, else correct or remove the line"

    def _read_binary(self, layout: _Layout) -> None:
        size = f"the header ({layout.count:,} words of {layout.width:,} numbers)"
        found = 0
        for offset, word, vector in self._binary_words(layout):
            found += 1
            try:
                row = self._place(word)
            except UnicodeDecodeError as error:
                self._refuse_byte(offset, f"{_not_utf8(error)}; copy the file again, or correct {size}")
            if row != ABSENT:
                self._vectors[row] = vector
                if not np.isfinite(vector).all():
                    where = f"number {int(np.isfinite(vector).argmin()) + 1} of word {found:,} ({word.decode()!r})"
                    self._refuse_byte(offset, f"{where} is not finite; copy the file again, or correct {size}")
        self._check_count(layout, found)

    def _binary_words(self, layout: _Layout) -> Iterator[tuple[int, bytes, Floats]]:
        """Yield offset, word and vector (E,), up to the count of the header or the end of the file."""
        assert layout.count is not None
        length, done = 4 * layout.width, 0
        buffer, begin, base = b"", 0, layout.begin
        while done < layout.count:
            space = buffer.find(b" ", begin, begin + _MAX_WORD)
            if space >= 0 and space + 1 + length <= len(buffer):
                word = buffer[begin:space].lstrip(b"\n")
                yield base + space - len(word), word, np.frombuffer(buffer, "<f4", layout.width, space + 1)
                begin, done = space + 1 + length, done + 1
            elif space < 0 and len(buffer) - begin >= _MAX_WORD:
                remedy = "copy the file again, or correct the numbers in its header"
                self._refuse_byte(base + begin, f"no word within {_MAX_WORD:,} bytes; {remedy}")
            else:
                base, buffer = base + begin, buffer[begin:]
                begin, size = 0, len(buffer)
                buffer += self._stream.read(max(_CHUNK, length))
                if len(buffer) == size:
                    break
        rest = buffer[begin:].lstrip(b"\n")
        if done < layout.count and rest:
            here = f"the file ends inside word {done + 1:,} of {layout.count:,} or its vector"
            self._refuse_byte(base + len(buffer), f"{here}; it is cut off: copy it again, or correct its header")
        if rest or self._stream.read(_CHUNK).lstrip(b"\n"):
            more = f"more follows than the {layout.count:,} words of {layout.width:,} numbers that line 1 announces"
            self._refuse_byte(base + len(buffer) - len(rest), f"{more}; correct line 1")

    def _check_count(self, layout: _Layout, found: int) -> None:
        if layout.count is not None and found != layout.count:
            announced = f"the header announces {layout.count:,} words, but {found:,} are there"
            self._refuse(1, f"{announced}; copy the file again if it may be cut off, else correct the header")

    def _refuse(self, line: int, problem: str) -> NoReturn:
        raise UserError(f"{self._path}:{line}: {problem}") from None

    def _refuse_byte(self, offset: int, problem: str) -> NoReturn:
        raise UserError(f"{self._path}: byte {offset:,}: {problem}") from None


def _is_binary(beginning: bytes, width: int) -> bool:
    """Return whether the content after a header is binary: not a line of numbers, but bytes that no text has."""
    rest = beginning.partition(b" ")[2]
    fields = rest.partition(b"\n")[0].split()
    if len(fields) > 1 and all(map(_NUMBER.fullmatch, fields)):
        return False
    window = rest[: 4 * width]
    try:
        codecs.getincrementaldecoder("utf-8")().decode(window)  # a character may be cut at its end
    except UnicodeDecodeError:
        return True
    return _CONTROL.search(window) is not None


def _word_end(line: bytes, layout: _Layout) -> int:
    """Return where the word ends in a line that is not just a word and E numbers between single spaces.

    Raises:
        ValueError: the line does not have E numbers.
    """
    fields = line.rsplit(None, layout.width)
    if len(fields) <= layout.width:
        raise ValueError(_wrong_count(len(fields) - 1, layout))
    if any(map(_NUMBER.fullmatch, fields[0].split()[1:])):
        raise ValueError(_wrong_count(len(line.split()) - 1, layout))
    return len(fields[0])


def _parse(text: bytes, row: Floats, layout: _Layout) -> None:
    """Read the numbers of a line into `row` (E,).

    Raises:
        ValueError: there are not E fields, or one is not a finite number.
    """
    fields = text.split()
    if len(fields) != len(row):
        raise ValueError(_wrong_count(len(fields), layout))
    try:
        row[:] = fields  # NumPy parses bytes
        sound = b"_" not in text and bool(np.isfinite(row).all())  # Python accepts 1_0 as a number
    except ValueError:
        sound = False
    if not sound:
        for number, field in enumerate(fields, start=1):
            if not _NUMBER.fullmatch(field):
                raise ValueError(f"expected a number, number {number:,} is {_shown(field)}")
            if not np.isfinite(np.float32(field)):
                raise ValueError(f"number {number:,} is {_shown(field)}, which is not finite in float32")


def _wrong_count(found: int, layout: _Layout) -> str:
    return f"expected {layout.width:,} numbers ({layout.reason}) after the word, found {found:,}"


def _shown(field: bytes) -> str:
    text = field.decode(errors="replace")
    return repr(text if len(text) <= 20 else f"{text[:20]}…")


def _not_utf8(error: UnicodeDecodeError) -> str:
    return f"the word is not UTF-8 (byte 0x{error.object[error.start]:02x} at position {error.start + 1})"
