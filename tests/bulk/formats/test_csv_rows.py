"""CSV in and out: rows as they were read, with what was found behind them."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagger.bulk.formats.lines import OutputFormat, WriteOptions
from tagger.bulk.inputs import Source
from tagger.bulk.job import Job, PartTagger
from tagger.bulk.parts import plan_parts
from tagger.bulk.records import InputFormat, ReadOptions
from tagger.errors import UserError
from tests.helpers.capitals_tagger import CapitalsTagger

CELLS = st.text(st.sampled_from('Ab ,;"\n\ré😀'), max_size=6)


def tagged(
    folder: Path,
    content: bytes,
    input_format: InputFormat = InputFormat.CSV,
    output_format: OutputFormat = OutputFormat.CSV,
    *,
    part_size: int = 1 << 20,
    plain: bool = False,
    text_field: str = "text",
) -> str:
    path = folder / "in"
    path.write_bytes(content)
    reading, writing = ReadOptions(text_field=text_field), WriteOptions(text_field=text_field)
    job = Job(reading=reading, output_format=output_format, writing=writing)
    tagger = PartTagger(job, CapitalsTagger(plain=plain))
    parts = plan_parts([Source(str(path), input_format)], reading, io.BytesIO(), part_size=part_size)
    return b"".join(tagger(part).output or b"" for part in parts if part is not None).decode()


def test_rows_stay_as_they_were_read_and_entities_are_behind_them(tmp_path: Path) -> None:
    content = 'id;body;x\r\n1;"Ada said ""hi""";=1,0\r\n2;"two\r\nlines";\r\n'
    found = tagged(tmp_path, content.encode(), text_field="body")
    assert found == (
        "id;body;x;entities\n"
        '1;"Ada said ""hi""";=1,0;"[{""start"": 0, ""end"": 3, ""label"": ""NAME"", ""text"": ""Ada""}]"\n'
        '2;"two\r\nlines";;[]\n'
    )


def test_fields_come_out_as_json_too(tmp_path: Path) -> None:
    found = tagged(tmp_path, b"text,,a,a\nAda,1,2,3\n", output_format=OutputFormat.JSONL)
    fields = json.loads(found)
    assert {name: fields[name] for name in fields if name != "entities"} == {
        **{"text": "Ada", "column 2": "1", "a": "2", "a (4)": "3"}
    }


def test_plain_tags_are_two_columns(tmp_path: Path) -> None:
    found = tagged(tmp_path, b"text\nAda met\n", plain=True)
    assert found == 'text,tokens,tags\nAda met,"[""Ada"", ""met""]","[""CAP"", ""LOW""]"\n'


def test_other_inputs_become_rows(tmp_path: Path) -> None:
    found = tagged(tmp_path, b'{"text": "a, b", "id": 7}\n', InputFormat.JSONL)
    assert list(csv.DictReader(io.StringIO(found))) == [{"text": "a, b", "entities": "[]", "fields": '{"id": 7}'}]
    assert tagged(tmp_path, b"", InputFormat.TEXT) == ""


def test_a_header_with_a_name_that_is_written_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"a column 'entities' is there, and entities are written; rename it"):
        tagged(tmp_path, b"text,entities\na,b\n")


@given(rows=st.lists(st.tuples(CELLS, CELLS), max_size=12), part_size=st.integers(1, 60), sep=st.sampled_from(",;\t"))
def test_no_cell_is_lost_wherever_the_input_is_cut(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str]], part_size: int, sep: str
) -> None:
    buffer = io.StringIO()
    csv.writer(buffer, delimiter=sep, quoting=csv.QUOTE_ALL).writerows([("text", "x"), *rows])
    content = buffer.getvalue()
    found = tagged(tmp_path_factory.getbasetemp(), content.encode(), part_size=part_size)
    assert found == tagged(tmp_path_factory.getbasetemp(), content.encode())
    again = list(csv.reader(io.StringIO(found, newline=""), delimiter=sep))
    assert [tuple(row[:2]) for row in again[1:]] == rows
    for row in again[1:]:
        assert all(row[0][one["start"] : one["end"]] == one["text"] for one in json.loads(row[2]))
