"""Parquet in: every row in order with its id, in small memory; what is wrong is told by file and row."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagger.bulk.formats.parquet import parquet_records, row_groups
from tagger.bulk.records import BadRecord, ReadOptions, Record
from tagger.errors import UserError
from tests.helpers.repository import REPOSITORY

_TEXT = st.text(st.characters(exclude_categories=["Cs"]))
_PROPERTY_ROWS = st.lists(st.tuples(st.integers(0, 1 << 40), _TEXT), min_size=1, max_size=30)


def parquet(columns: dict[str, Any], **settings: Any) -> bytes:
    sink = io.BytesIO()
    pq.write_table(columns if isinstance(columns, pa.Table) else pa.table(columns), sink, **settings)
    return sink.getvalue()


def read(raw: bytes, **options: Any) -> list[Record]:
    """Read all row groups, one after the other."""
    reading = ReadOptions(**options)
    records: list[Record] = []
    rows = 0
    for number, (count, _, _) in enumerate(row_groups(io.BytesIO(raw), "in", reading)):
        for record in parquet_records(io.BytesIO(raw), "in", reading, range(number, number + 1), rows):
            if isinstance(record, BadRecord):
                raise UserError(f"in: row {record.place:,}: {record.reason}")
            records.append(record)
        rows += count
    return records


@given(rows=_PROPERTY_ROWS, group=st.integers(1, 10))
def test_rows_are_records_with_their_ids(rows: list[tuple[int, str]], group: int) -> None:
    ids, texts = map(list, zip(*rows, strict=True))
    found = read(parquet({"text": texts, "x": [None] * len(ids), "id": ids}, row_group_size=group))
    fields = [{"id": f'"id": {one}', "x": '"x": null'} for one in ids]
    assert [(record.fields, record.text) for record in found] == list(zip(fields, texts, strict=True))


def test_other_columns_pass_through_as_json() -> None:
    moment = datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)
    others = {
        "at": [moment],
        "raw": [b"\xff"],
        "share": [float("nan")],
        "price": [Decimal("1.50")],
        "deep": [[{"a": 1}]],
    }
    (record,) = read(parquet({"text": ["Ada"], **others}))
    assert json.loads(f"{{{', '.join(record.fields.values())}}}") == {
        **{"at": "2024-05-06T07:08:09+00:00", "raw": "/w==", "share": "nan", "price": "1.50", "deep": [{"a": 1}]},
    }


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.dictionary(pa.int32(), pa.string())])
def test_text_may_be_kept_in_any_way(kind: pa.DataType) -> None:
    columns = {"body": pa.array(["Ada", "", "Bob"], kind), "key": pa.array(["a", None, "c"], kind)}
    found = read(parquet(columns), text_field="body", id_column="key")
    assert [(record.text, json.loads(f"{{{record.fields['key']}}}")["key"]) for record in found] == [
        ("Ada", "a"), ("", None), ("Bob", "c")
    ]  # fmt: skip


def test_tokens_are_taken_as_given_where_there_is_no_text() -> None:
    found = read(parquet({"tokens": [["New York", ""], []]}))
    assert [record.sentence.tokens for record in found if record.sentence is not None] == [["New York", ""], []]
    assert [record.text for record in found] == ["New York ", ""]
    assert read(parquet({"tokens": [["a"]], "text": ["b"]}))[0].sentence is None


BAD: list[tuple[bytes, dict[str, Any], str]] = [
    (b"", {}, "in: no Parquet file (Parquet file size is 0 bytes)"),
    (b"PAR1" + b"\0" * 40, {}, "in: no Parquet file ("),
    (parquet({"a": ["x"], "b": [1]}), {}, "in: no column 'text' or 'tokens' (found 'a', 'b'); name the text's column"),
    (parquet({"text": [1]}), {}, "in: column 'text' holds int64, not text; name the text's column with --text-column"),
    (parquet({"text": [b"x"]}), {}, "in: column 'text' holds binary, not text"),
    (parquet({"tokens": ["x"]}), {}, "in: column 'tokens' holds string, not lists of strings"),
    (parquet({"text": ["a", None]}), {}, "in: row 2: column 'text' holds null, no text; fill it, or leave the row out"),
    (parquet({"tokens": [["a"], ["a", None]]}), {}, "in: row 2: column 'tokens' holds null"),
    (parquet({"text": ["a"]}), {"id_column": "key"}, "in: no column 'key' (found 'text'); name the ids' column"),
    (parquet({"text": ["a"], "id": [0.5]}), {}, "in: column 'id' holds double, no ids that can be carried along"),
    (parquet(pa.table([["a"], ["b"]], ["text", "text"])), {}, "in: 2 columns are named 'text'"),
]


@pytest.mark.parametrize(("raw", "options", "message"), BAD)
def test_bad_input_is_told_in_one_line(raw: bytes, options: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError) as caught:
        read(raw, **options)
    assert str(caught.value).startswith(message)


def test_damage_is_told_with_a_row_before_it() -> None:
    texts = [f"row {number} " + "x" * 5000 for number in range(1000)]
    raw = bytearray(parquet({"text": texts}, row_group_size=500, compression="zstd", use_dictionary=False))
    middle = pq.ParquetFile(io.BytesIO(raw)).metadata.row_group(1).column(0).data_page_offset
    raw[middle : middle + 64] = b"\xff" * 64
    with pytest.raises(UserError) as caught:
        read(bytes(raw))
    told = re.match(r"in: damaged after row (\d+) \(", str(caught.value))
    assert told
    assert 0 < int(told[1]) <= 500


def test_text_that_is_no_utf8_is_told() -> None:
    wrong = pa.Array.from_buffers(pa.string(), 1, pa.array([b"\xff"]).buffers())
    with pytest.raises(UserError, match=r"in: damaged after row 0 \(.*utf-8"):
        read(parquet(pa.table([wrong], ["text"])))


def test_a_column_whose_name_is_no_utf8_is_told() -> None:
    raw = parquet({"text": ["Ada"], "zzzz": ["x"]}).replace(b"zzzz", b"\xffzzz")
    with pytest.raises(UserError, match=r"in: no Parquet file \(.*utf-8.*\); check the file"):
        read(raw)


def test_a_pipe_is_refused() -> None:
    class Pipe(io.BytesIO):
        def seekable(self) -> bool:
            return False

    with pytest.raises(UserError, match="in: Parquet cannot be read from a pipe; name a file"):
        row_groups(Pipe(), "in", ReadOptions())


def test_the_extra_is_named() -> None:
    program = (
        "import sys; sys.modules['pyarrow'] = None\n"
        "from tagger.commands.tag import main\n"
        "from tagger.errors import UserError\n"
        "try:\n    import tagger.bulk.formats.parquet\nexcept UserError as error:\n    print(error)"
    )
    shown = subprocess.run([sys.executable, "-c", program], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert "pip install 'gru-tagger[corpus]'" in shown.stdout
