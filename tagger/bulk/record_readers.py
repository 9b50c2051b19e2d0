"""Read records of text, CoNLL, CoNLL-U, JSONL and CSV."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import IO, Any, NoReturn, cast

from tagger.bulk.formats.lines import json_field
from tagger.bulk.records import BadRecord, InputFormat, ReadOptions, Record, Unit
from tagger.corpus.readers.account import MalformedError, OnError, ReadReport, read_lines
from tagger.corpus.readers.columns import ColumnLayout, columns_from, is_header
from tagger.corpus.readers.conllu import FORM, conllu_from
from tagger.corpus.readers.csv_rows import CsvRows
from tagger.corpus.readers.jsonl import remedy
from tagger.corpus.readers.marks import is_document_mark
from tagger.corpus.sentence import Sentence

_MARK = "\ufeff".encode()
_OPTIONS = {  # what messages of readers call settings of training
    "data.token_column or data.tag_column": "--token-column",
    "data.token_column and data.tag_column to two of them": "--token-column to one of them",
    "data=conll": "--input-format conll",
}


def read_records(
    data: bytes, source: str, input_format: InputFormat, options: ReadOptions, *, head: bytes | None = None
) -> Iterator[Record | BadRecord]:
    """Read the records of a piece of an input, one by one.

    A line, a paragraph or the whole piece of text is a record; of CoNLL and CoNLL-U a sentence is, of JSONL a line, of
    CSV a row.
    Only blank lines between records are passed over. A byte-order mark at the beginning of the input is removed.

    Args:
        data: UTF-8.
        source: the input's name, for messages.
        input_format: not Parquet.
        options: how it is read.
        head: the input's first line of content (see `first_content`) where the piece is not the input's first one:
            it decides on columns. Of CSV, the header. None: the piece begins the input.

    Raises:
        UserError: the input is compressed or of another kind.
    """
    # Lines before keep the piece from being read as a beginning. A head is not the first of them: as such it would be
    # searched for a byte-order mark and for the signs of packed files.
    before = [] if head is None else [b"\n", head, b"\n"] if head else [b"\n"]
    report = _Report(source, lines_before=len(before), sentences_before=int(bool(head)))
    lines = cast("IO[bytes]", report.keeping(chain(before, io.BytesIO(data))))
    if input_format is InputFormat.TEXT:
        if options.unit is not Unit.LINE:
            yield from _long_texts(lines, report, options.unit)
            return
        records = _text_lines(lines, report)
        if before:
            next(records)
        yield from records
    elif input_format is InputFormat.JSONL:
        yield from _json_records(lines, report, options.text_field)
    elif input_format is InputFormat.CSV:
        yield from _csv_records(lines, report, options)
    elif input_format is InputFormat.CONLLU:
        column = FORM if options.token_column is None else options.token_column
        yield from _sentences(conllu_from(lines, report, token_column=column, tag_column=None), report)
    else:
        yield from _sentences(columns_from(lines, report, layout=_layout(options)), report)


def first_content(lines: Iterable[bytes], options: ReadOptions) -> bytes:
    """Find the first line of a CoNLL file that holds a token: it decides on separator and number of columns."""
    prefix = (options.comment_prefix or "").encode()
    for line in lines:
        text = line.removeprefix(_MARK).removesuffix(b"\n").removesuffix(b"\r")
        shown = text.decode(errors="replace")
        is_comment = bool(prefix) and text.startswith(prefix)
        if (
            shown.strip()
            and not is_document_mark(shown)
            and b"\r" not in text
            and not is_comment
            and not is_header(shown)
        ):
            return text + b"\n"
    return b""


def _layout(options: ReadOptions) -> ColumnLayout:
    return ColumnLayout(
        token_column=options.token_column or 0,
        tag_column=None,
        separator=cast(Any, options.separator),
        comment_prefix=options.comment_prefix,
    )


def _text_lines(lines: IO[bytes], report: _Report) -> Iterator[Record | BadRecord]:
    for _, line in read_lines(lines, report):
        yield report.bad_record() or Record(line, size=len(line))
        report.forget()


def _long_texts(lines: IO[bytes], report: _Report, unit: Unit) -> Iterator[Record | BadRecord]:
    # read_lines takes one line end off; with one put on before, the text keeps its own.
    ended = cast("IO[bytes]", (line + b"\r\n" for line in lines))
    texts: list[str] = []

    def record() -> Record | BadRecord:
        text = "".join(texts)
        text = text if unit is Unit.FILE else text.removesuffix("\n").removesuffix("\r")
        return report.bad_record() or Record(text, size=len(text))

    for _, line in read_lines(ended, report):
        if unit is Unit.FILE or line.strip():
            texts.append(line)
            continue
        if texts:
            yield record()
            texts = []
        report.forget()
    if "".join(texts):
        yield record()


def _json_records(lines: IO[bytes], report: _Report, text_field: str) -> Iterator[Record | BadRecord]:
    for number, line in read_lines(lines, report):
        fields: dict[str, str] = {}
        record = None
        try:
            if line.strip():
                values, fields = read_fields(line)
                record = _json_record(values, fields, text_field, len(line))
        except MalformedError as error:
            report.reject(f"{report.source}:{number}", str(error))
        if found := report.bad_record(fields) or record:
            yield found
        report.forget()


def _json_record(values: dict[str, Any], fields: dict[str, str], text_field: str, size: int) -> Record:
    text, tokens = values.get(text_field), values.get("tokens")
    if isinstance(text, str):
        return Record(text, fields=fields, size=size)
    if text is not None:
        raise MalformedError(f"field {text_field!r} holds {_kind_of(text)}, not text; name the field with --text-field")
    if tokens is None:
        found = ", ".join(map(repr, values)) or "none"
        remedy = "name the text's field with --text-field"
        raise MalformedError(f"no field {text_field!r} or 'tokens' (found {found}); {remedy}")
    if not isinstance(tokens, list) or not all(isinstance(token, str) for token in tokens):
        raise MalformedError("field 'tokens' is not a list of strings; write it as one")
    return Record(" ".join(tokens), Sentence(tokens), fields, size)


def _csv_records(lines: IO[bytes], report: _Report, options: ReadOptions) -> Iterator[Record | BadRecord]:
    rows = CsvRows(lines, report, cast(Any, options.separator))
    column: int | None = None
    names: list[str] = []
    for row in rows:
        if column is None:
            column, names = rows.column(options.text_field, (), "--text-column"), _unique(rows.names)
            assert column is not None, "a name that is given is there, or refused"
        rows.enter()
        fields = {name: json_field(name, cell) for name, cell in zip(names, row.cells, strict=False)}
        if row.problem:
            report.reject(f"{report.source}:{row.number}", row.problem)
        if found := report.bad_record(fields):
            yield found
        elif row.cells:
            yield Record(row.cells[column], None, fields, len(row.text), row.text)
        report.forget()
    if column is None and rows.names:  # a header alone
        rows.column(options.text_field, (), "--text-column")


def _unique(names: list[str]) -> list[str]:
    """Return names of columns that are all different, and none empty."""
    found: dict[str, None] = {}
    for number, name in enumerate(names, start=1):
        name = name or f"column {number}"
        found[name if name not in found else f"{name} ({number})"] = None
    return list(found)


def _refuse_constant(name: str) -> NoReturn:
    raise MalformedError(f"{name} is no JSON; write a number or null")


def _zero(text: str) -> int:
    return 0  # the text of numbers is kept, their values are not needed


_DECODER = json.JSONDecoder(parse_int=_zero, parse_float=_zero, parse_constant=_refuse_constant)
_OPENING, _COLON, _COMMA = (re.compile(rf"[ \t\n\r]*{mark}[ \t\n\r]*") for mark in (r"\{", ":", ",?"))


def read_fields(line: str) -> tuple[dict[str, Any], dict[str, str]]:
    """Read an object's fields: their values, and their JSON text.

    Long numbers, numbers such as `1e999`, and escapes therefore come out as they were written.

    Returns:
        By name, the values (numbers are 0), and the text `"name": value`.

    Raises:
        MalformedError: the line is no JSON object, or names a field twice.
    """
    texts: dict[str, str] = {}
    try:
        values = _DECODER.decode(line)
        if not isinstance(values, dict):
            raise MalformedError(f"expected a JSON object, found {_kind_of(values)}; {remedy(line)}")
        position = _end(_OPENING, line, 0)
        while line[position] != "}":
            begin = position
            name, position = _DECODER.raw_decode(line, begin)
            _, position = _DECODER.raw_decode(line, _end(_COLON, line, position))
            if name in texts:
                raise MalformedError(f"field {name!r} occurs twice; leave one out")
            texts[name] = line[begin:position]
            position = _end(_COMMA, line, position)
    except json.JSONDecodeError as error:
        raise MalformedError(f"no JSON ({error.msg} at column {error.colno}); {remedy(line)}") from error
    except RecursionError:
        raise MalformedError("nested too deeply; write flat records") from None
    return values, texts


def _end(pattern: re.Pattern[str], line: str, position: int) -> int:
    """Return where a part of valid JSON ends."""
    match = pattern.match(line, position)
    assert match is not None
    return match.end()


def _kind_of(value: object) -> str:
    """Name the kind of a JSON value."""
    names = {dict: "an object", list: "a list", str: "a string", bool: "a truth value", type(None): "null"}
    return names.get(type(value), "a number")


def _sentences(sentences: Iterable[Sentence], report: _Report) -> Iterator[Record | BadRecord]:
    for sentence in sentences:
        yield from report.rejected()
        known = sentence.text is not None and sentence.offsets is not None
        text = sentence.text if sentence.text is not None and known else " ".join(sentence.tokens)
        yield Record(text, sentence, size=len(text))
    yield from report.rejected()


class _Report(ReadReport):
    """Collect malformed records, with the lines that they were read from. The caller decides on them."""

    def __init__(self, source: str, *, lines_before: int, sentences_before: int) -> None:
        """Take the input's name, and how many lines and sentences were put before the piece; they do not count."""
        super().__init__(source, OnError.SKIP)
        self._lines_before, self._sentences_before = lines_before, sentences_before
        self._fault: tuple[int, str] | None = None  # the first one in the record being read
        self._kept: list[bytes] = []  # lines of that record
        self._rejected: list[BadRecord] = []

    def keeping(self, lines: Iterable[bytes]) -> Iterator[bytes]:
        """Keep the lines of the record that is being read."""
        for line in lines:
            self._kept.append(line)
            yield line

    def reject(self, place: str, problem: str) -> None:
        for setting, option in _OPTIONS.items():
            problem = problem.replace(setting, option)
        self._fault = self._fault or (int(place.rpartition(":")[2]) - self._lines_before, problem)
        self.leave_out(place, problem)

    def close_sentence(self) -> bool:
        if self._sentences_before:
            self._sentences_before -= 1
            self._fault = None
            super().close_sentence()
            return False
        keep = not self._fault
        super().close_sentence()
        return keep

    def close_lines(self) -> None:
        if bad := self.bad_record():
            self._rejected.append(bad)
        super().close_lines()
        self.forget()

    def rejected(self) -> Iterator[BadRecord]:
        """Return the sentences that were rejected since the last call."""
        rejected, self._rejected = self._rejected, []
        return iter(rejected)

    def bad_record(self, fields: dict[str, str] | None = None) -> BadRecord | None:
        """Return the record that is being read if it is malformed."""
        if self._fault is None:
            return None
        place, reason = self._fault
        self._fault = None
        raw = b"".join(self._kept).removesuffix(b"\n").removesuffix(b"\r")
        shown = raw.decode("utf-8", errors="backslashreplace")
        return BadRecord(place, reason, shown, fields or {}, len(raw))

    def forget(self) -> None:
        """Begin another record."""
        self._kept.clear()
