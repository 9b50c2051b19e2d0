"""Cut the input into parts. The cuts depend on the input alone."""

from __future__ import annotations

import hashlib
import io
import os
import re
import select
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain, repeat, takewhile
from typing import IO, NamedTuple

from tagger.bulk.compression import decompressed
from tagger.bulk.inputs import Source
from tagger.bulk.record_readers import first_content, read_records
from tagger.bulk.records import BadRecord, InputFormat, ReadOptions, Record, Unit
from tagger.errors import UserError

PART_SIZE = 2 << 20  # bytes of input
_FIRST_SIZE = 1 << 16  # of an input's first part; each one is twice as large as the one before
_FILE_COST = 1 << 12  # bytes that could be read while a file is opened
_AT_ONCE = 1 << 16
_BLANK_LINE = re.compile(rb"\n\r?\n")


class Piece(NamedTuple):
    """A run of records of one input."""

    source: Source
    number: int  # of the input among the inputs
    begin: int  # bytes in the input; of what is inside a compressed one
    end: int
    is_last: bool  # nothing of the input follows
    amount: int  # bytes of the file that are read for it
    head: bytes = b""  # see `first_content`
    data: bytes | None = None  # its content, where it was read already
    row_groups: tuple[int, int] = (0, 0)  # of Parquet, the first one and the one behind the last
    rows_before: int = 0  # of Parquet

    def read(self) -> tuple[bytes, str]:
        """Return its content and the SHA-256 of it; of Parquet, which is read by columns, only the latter.

        Raises:
            UserError: it cannot be read, or has become shorter.
        """
        if self.data is not None:
            return self.data, hashlib.sha256(self.data).hexdigest()
        keep = self.source.input_format is not InputFormat.PARQUET
        chunks, digest, left = [], hashlib.sha256(), self.end - self.begin
        with self.source.open_raw() as stream, reading(self.source):
            stream.seek(self.begin)
            while left and (chunk := stream.read(left if keep else min(left, _AT_ONCE))):
                digest.update(chunk)
                left -= len(chunk)
                if keep:
                    chunks.append(chunk)
        if left:
            there = f"{self.end - left:,} of {self.end:,} bytes are left"
            raise UserError(f"{self.source.name}: became shorter while it was read ({there}); tag it again")
        return b"".join(chunks), digest.hexdigest()

    def records(self, data: bytes, options: ReadOptions) -> Iterator[Record | BadRecord]:
        """Read the records in its content.

        Raises:
            UserError: the input is compressed or of another kind, or damaged.
        """
        source = self.source
        if source.input_format is not InputFormat.PARQUET:
            head = self.head if self.begin else None
            yield from read_records(data, source.name, source.input_format, options, head=head)
            return
        from tagger.bulk.formats.parquet import parquet_records  # its library is an extra's

        with source.open_raw() as stream:
            groups = range(*self.row_groups)
            yield from parquet_records(stream, source.name, options, groups, self.rows_before)


class Part(NamedTuple):
    """Pieces that are read, tagged and written together: one piece, or several small inputs."""

    number: int  # from 0, in the order of the input
    pieces: list[Piece]


def plan_parts(
    sources: Sequence[Source],
    options: ReadOptions,
    standard_input: IO[bytes],
    *,
    part_size: int = PART_SIZE,
    prompt: bool = False,
) -> Iterator[Part | None]:
    """Cut inputs into parts, in order and lazily.

    Files are cut at bytes; they are read when a part is tagged. Compressed files and pipes are read here, and parts
    hold what was read.

    Args:
        sources: the inputs.
        options: how they are read.
        standard_input: the stream of the input without a path.
        part_size: bytes of a part, about.
        prompt: also cut pipes where they pause. None then stands for a pause.

    Raises:
        UserError: an input cannot be read.
    """
    number = size = 0
    bundle: list[Piece] = []
    for place, source in enumerate(sources):
        pieces = _pieces(source, place, options, standard_input, part_size, prompt)
        for piece in pieces:
            whole = piece is not None and piece.begin == 0 and piece.is_last
            if whole and piece is not None and piece.amount < part_size:
                bundle.append(piece)
                size += piece.amount + _FILE_COST
                if size < part_size:
                    continue
            if bundle:
                yield Part(number, bundle)
                number, size, bundle = number + 1, 0, []
            if piece is None:
                yield None
            elif not whole or piece.amount >= part_size:
                yield Part(number, [piece])
                number += 1
    if bundle:
        yield Part(number, bundle)


def all_records(
    sources: Sequence[Source],
    options: ReadOptions | None = None,
    *,
    read: Callable[[int], object] = lambda size: None,
) -> Iterator[tuple[Source, Record]]:
    """Yield the records of inputs in order, each with its input, in constant memory.

    A blank line of text is an empty record.

    Args:
        sources: the inputs.
        options: of reading.
        read: called with the number of bytes of the inputs that were read since the last call.

    Raises:
        UserError: a record is malformed, or an input cannot be read.
    """
    options = options or ReadOptions()
    lines: Counter[int] = Counter()  # of each input, in the pieces before
    for part in plan_parts(sources, options, sys.stdin.buffer):
        for piece in part.pieces if part is not None else ():
            data, _ = piece.read()
            for record in piece.records(data, options):
                if isinstance(record, BadRecord):
                    place = lines[piece.number] + record.place
                    raise UserError(f"{piece.source.name}:{place}: {record.reason}")
                yield piece.source, record
            lines[piece.number] += data.count(b"\n")
            read(piece.amount)


def _pieces(
    source: Source, number: int, options: ReadOptions, standard_input: IO[bytes], part_size: int, prompt: bool
) -> Iterator[Piece | None]:
    sizes = chain(takewhile(lambda size: size < part_size, (_FIRST_SIZE << n for n in range(64))), repeat(part_size))
    blank = source.input_format in (InputFormat.CONLL, InputFormat.CONLLU) or options.unit is Unit.PARAGRAPH
    blank = blank and source.input_format not in (InputFormat.JSONL, InputFormat.CSV)
    whole = source.input_format is InputFormat.TEXT and options.unit is Unit.FILE
    if source.input_format is InputFormat.PARQUET:
        return _row_groups(source, number, options, part_size)
    if source.rereadable and not source.compression and source.input_format is not InputFormat.CSV:
        return _of_file(source, number, options, sizes, blank, whole)
    return _of_stream(source, number, options, standard_input, sizes, blank, whole, prompt)


def _of_file(
    source: Source, number: int, options: ReadOptions, sizes: Iterator[int], blank: bool, whole: bool
) -> Iterator[Piece]:
    with source.open_raw() as stream, reading(source):
        size = os.fstat(stream.fileno()).st_size
        head = None
        begin = 0
        for goal in sizes:
            whole = whole or begin + goal >= size
            end = size if whole else min(size, _cut_behind(stream, begin + goal, blank))
            if begin and head is None and source.input_format is InputFormat.CONLL:
                stream.seek(0)
                head = first_content(stream, options)
            yield Piece(source, number, begin, end, end == size, end - begin, head or b"")
            if end == size:
                return
            begin = end


def _cut_behind(stream: IO[bytes], position: int, blank: bool) -> int:
    """Find the first end of a line, or of a blank line, at or behind a position."""
    stream.seek(position - 1)
    at_start = False
    while line := stream.readline(_AT_ONCE):
        if (at_start and line in (b"\n", b"\r\n")) if blank else line.endswith(b"\n"):
            break
        at_start = line.endswith(b"\n")
    return stream.tell()


def _of_stream(
    source: Source,
    number: int,
    options: ReadOptions,
    standard_input: IO[bytes],
    sizes: Iterator[int],
    blank: bool,
    whole: bool,
    prompt: bool,
) -> Iterator[Piece | None]:
    head = b""
    begin = read_before = 0
    rows = source.input_format is InputFormat.CSV
    raw = standard_input if source.path is None else source.open_raw()
    try:
        with reading(source):
            stream = decompressed(raw, source.compression)
            held = bytearray()
            for goal in sizes:
                ended = False
                cut = 0
                while not cut and not ended:
                    if prompt and not whole and not _has_input(raw):
                        if (cut := _last_row(held) if rows else _last_cut(held, blank)) > 0:
                            break
                        yield None
                    data = stream.read1(_AT_ONCE) if hasattr(stream, "read1") else stream.read(_AT_ONCE)
                    ended = not data
                    searched = len(held)
                    held += data
                    position = max(goal, searched - 1)
                    cut = 0 if whole else _first_row(held, position) if rows else _first_cut(held, position, blank)
                data = bytes(held if ended else held[:cut])
                del held[: len(data)]
                amount = raw.tell() if source.rereadable else begin + len(data)
                yield Piece(source, number, begin, begin + len(data), ended, amount - read_before, head, data)
                begin, read_before = begin + len(data), amount
                if not head and source.input_format is InputFormat.CONLL:
                    head = first_content(io.BytesIO(data), options)
                elif not head and rows:
                    head = _csv_head(data, source.name, options)
                if ended:
                    return
    finally:
        if source.path is not None:
            raw.close()


def _first_cut(held: bytearray, position: int, blank: bool) -> int:
    """Find the first end of a line, or of a blank line, at or behind a position; 0 where there is none yet."""
    if not blank:
        return held.find(b"\n", position - 1) + 1
    match = _BLANK_LINE.search(held, position - 1)
    return match.end() if match else 0


def _last_cut(held: bytearray, blank: bool) -> int:
    if not blank:
        return held.rfind(b"\n") + 1
    return max((held.rfind(end) + len(end) for end in (b"\n\n", b"\n\r\n") if end in held), default=0)


def _first_row(held: bytearray, position: int) -> int:
    """Find the first end of a row of CSV at or behind a position; 0 where there is none yet. `held` begins a row."""
    end = held.find(b"\n", position - 1)
    quotes = held.count(b'"', 0, max(end, 0))
    while end >= 0 and quotes % 2:  # inside a quoted cell
        begin, end = end, held.find(b"\n", end + 1)
        quotes += held.count(b'"', begin, max(end, begin))
    return end + 1


def _last_row(held: bytearray) -> int:
    end = held.rfind(b"\n")
    while end >= 0 and held.count(b'"', 0, end) % 2:
        end = held.rfind(b"\n", 0, end)
    return end + 1


def _csv_head(data: bytes, source: str, options: ReadOptions) -> bytes:
    """Return the header of CSV for pieces that are not the first one; nothing if it is wrong, which reading reports."""
    from tagger.bulk.formats.csv_rows import header_of

    try:
        rows = header_of(data, source, options.separator)
    except UserError:
        return b""
    return f"sep={rows.separator}\n{rows.header}\n".encode() if rows.names else b""


def _has_input(stream: IO[bytes]) -> bool:
    """True if reading would not wait, or where that is not known."""
    try:
        return bool(select.select([stream], [], [], 0)[0])
    except (OSError, ValueError):  # in memory, or a system that cannot say
        return True


def _row_groups(source: Source, number: int, options: ReadOptions, part_size: int) -> Iterator[Piece]:
    from tagger.bulk.formats.parquet import row_groups  # its library is an extra's

    with source.open_raw() as stream:
        groups = row_groups(stream, source.name, options)
        size = os.fstat(stream.fileno()).st_size
    begin = first = rows = rows_before = loaded = 0
    for group, (group_rows, group_size, group_end) in enumerate(groups):
        rows, loaded = rows + group_rows, loaded + group_size
        if loaded >= part_size and group + 1 < len(groups):
            span = (first, group + 1)
            yield Piece(source, number, begin, group_end, False, group_end - begin, b"", None, span, rows_before)
            begin, first, rows_before, loaded = group_end, group + 1, rows, 0
    yield Piece(source, number, begin, size, True, size - begin, b"", None, (first, len(groups)), rows_before)


@contextmanager
def reading(source: Source) -> Iterator[None]:
    """Report failures to read an input.

    Raises:
        UserError: it cannot be read.
    """
    try:
        yield
    except OSError as error:
        raise UserError(f"{source.name}: cannot read: {error.strerror or error}; check the input") from error
