"""Parts: cut by the input alone, read apart from each other, and together what one pass reads."""

from __future__ import annotations

import gzip
import io
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from tagger.bulk.inputs import Source
from tagger.bulk.parts import Part, Piece, plan_parts
from tagger.bulk.record_readers import read_records
from tagger.bulk.records import BadRecord, InputFormat, ReadOptions, Record, Unit
from tagger.errors import UserError

Found = list[tuple[str, Any, Any]]

_LINES = st.lists(st.sampled_from([b"a O", b"b\tO", b"c", b"", b"\r", b" ", b"\xff", b"# text = a", b"-DOCSTART- O",
    b'{"text": "a"}', b'{"x": 1}', b"{", b"1\ta" + b"\t_" * 8, "\ufeffd O".encode(), b"PK\x03\x04",
    b"e" * 40]))  # fmt: skip
_CONTENT = st.builds(lambda lines, end: b"\n".join(lines) + end, _LINES, st.sampled_from([b"", b"\n"]))
_PACKERS = {"": bytes, ".gz": gzip.compress, ".zst": zstandard.ZstdCompressor().compress}


def parts_of(sources: list[Source], part_size: int, **options: Any) -> list[Part]:
    planned = plan_parts(sources, ReadOptions(**options), io.BytesIO(), part_size=part_size)
    return [part for part in planned if part is not None]


def read(pieces: list[Piece], **options: Any) -> Found:
    """Read pieces apart from each other, with the places of bad records in the whole input."""
    found: Found = []
    lines = 0
    for piece in pieces:
        data, _ = piece.read()
        found += [_shown(record, lines) for record in piece.records(data, ReadOptions(**options))]
        lines += data.count(b"\n")
    return found


def _shown(record: Record | BadRecord, lines: int = 0) -> tuple[str, Any, Any]:
    if isinstance(record, BadRecord):
        return "bad", record.place + lines, record.reason
    return "good", record.text, record.sentence and record.sentence.tokens


@pytest.mark.parametrize("packing", list(_PACKERS))
@pytest.mark.parametrize("input_format", [kind for kind in InputFormat if kind is not InputFormat.PARQUET])
@given(content=_CONTENT, part_size=st.integers(1, 60), unit=st.sampled_from(Unit), comments=st.booleans())
def test_parts_together_are_what_one_pass_reads(
    tmp_path_factory: pytest.TempPathFactory, input_format: InputFormat, packing: str, content: bytes, part_size: int,
    unit: Unit, comments: bool,
) -> None:  # fmt: skip
    options: dict[str, Any] = {"unit": unit, "comment_prefix": "#" if comments else None}
    if input_format is InputFormat.CSV and comments:
        content = b'a,text\r\n"x\n",y\n' + content.replace(b"\t", b",").replace(b"#", b'"')
    path = tmp_path_factory.getbasetemp() / f"in{packing}"
    path.write_bytes(_PACKERS[packing](content))
    source = Source(str(path), input_format)
    try:
        expected: Found | None = [
            _shown(one) for one in read_records(content, "in", input_format, ReadOptions(**options))
        ]
    except UserError:  # it looks packed
        expected = None
    pieces = [piece for part in parts_of([source], part_size, **options) for piece in part.pieces]
    assert [piece.begin for piece in pieces] == [0, *(piece.end for piece in pieces[:-1])]
    assert [piece.is_last for piece in pieces] == [False] * (len(pieces) - 1) + [True]
    assert pieces[-1].end == len(content)
    if expected is None:
        with pytest.raises(UserError, match=r"ZIP archive|no column|two columns|the header|invalid UTF-8|NUL"):
            read(pieces, **options)
    else:
        assert read(pieces, **options) == expected


@given(groups=st.lists(st.integers(1, 5), min_size=1, max_size=6), part_size=st.integers(1, 300))
def test_row_groups_together_are_the_table(
    tmp_path_factory: pytest.TempPathFactory, groups: list[int], part_size: int
) -> None:
    path = tmp_path_factory.getbasetemp() / "in.parquet"
    texts = [f"row {number}" for number in range(sum(groups))]
    table = pyarrow.table({"text": pyarrow.array(texts), "id": range(len(texts))})
    with parquet.ParquetWriter(path, table.schema) as writer:
        for number, count in enumerate(groups):
            writer.write_table(table.slice(sum(groups[:number]), count))
    pieces = [piece for part in parts_of([Source(str(path), InputFormat.PARQUET)], part_size) for piece in part.pieces]
    assert [record[1] for record in read(pieces)] == texts
    assert [piece.begin for piece in pieces] == [0, *(piece.end for piece in pieces[:-1])]
    assert pieces[-1].end == path.stat().st_size
    assert [piece.rows_before for piece in pieces] == [sum(groups[: piece.row_groups[0]]) for piece in pieces]


def test_small_files_share_parts_and_large_ones_have_several(tmp_path: Path) -> None:
    sources = []
    for number in range(30):
        path = tmp_path / f"{number:02}.txt"
        path.write_text("x" * 99 + "\n" if number != 20 else ("y" * 99 + "\n") * 5000)
        sources.append(Source(str(path), InputFormat.TEXT))
    parts = parts_of(sources, 100_000)
    assert [len(part.pieces) for part in parts] == [20, 1, 1, 1, 1, 1, 1, 9]
    assert [part.number for part in parts] == list(range(8))
    sizes = [part.pieces[0].end - part.pieces[0].begin for part in parts[1:-1]]
    assert sizes[0] == 65_600  # the first ones are smaller, so that their records come early
    assert set(sizes[1:-1]) == {100_000}


def test_a_paused_pipe_is_cut_behind_its_last_record() -> None:
    reading_end, writing_end = os.pipe()
    with os.fdopen(reading_end, "rb") as stream, os.fdopen(writing_end, "wb", buffering=0) as pipe:
        source = Source(None, InputFormat.CONLL)
        planned: Iterator[Part | None] = plan_parts([source], ReadOptions(), stream, prompt=True)
        pipe.write(b"a O\n\nb O\n")
        first = next(planned)
        assert first is not None
        assert first.pieces[0].data == b"a O\n\n"
        assert next(planned) is None
        threading.Timer(0.01, pipe.write, [b"\nc O\n"]).start()
        second = next(planned)
        assert second is not None
        assert second.pieces[0].data == b"b O\n\n"
        assert next(planned) is None
        pipe.close()
        last = next(planned)
        assert last is not None
        assert (last.pieces[0].data, last.pieces[0].is_last) == (b"c O\n", True)
        assert list(planned) == []


def test_a_file_that_has_become_shorter_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("Ada\n" * 30)
    (part,) = parts_of([Source(str(path), InputFormat.TEXT)], 1000)
    path.write_text("Ada\n" * 29)
    with pytest.raises(UserError, match=r"became shorter while it was read \(116 of 120 bytes are left\)"):
        part.pieces[0].read()
