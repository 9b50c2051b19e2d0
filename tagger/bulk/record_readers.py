"""Read records of text, CoNLL, CoNLL-U, JSONL and Parquet input."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import IO, Any, cast

from tagger.bulk.records import InputFormat, ReadOptions, Record, Unit
from tagger.corpus.readers.account import MalformedError, ReadReport, read_lines
from tagger.corpus.readers.columns import ColumnLayout, columns_from
from tagger.corpus.readers.conllu import FORM, conllu_from
from tagger.corpus.readers.jsonl import remedy
from tagger.corpus.sentence import Sentence
from tagger.errors import UserError


def read_records(stream: IO[bytes], source: str, input_format: InputFormat, options: ReadOptions) -> Iterator[Record]:
    """The records of a stream, one by one; memory holds one of them.

    Of text, a line, a paragraph or all of it is a record; of CoNLL and CoNLL-U a sentence; of JSONL a line; of Parquet
    a row. A byte-order mark at the start is no part of the text. Nothing is skipped but blank lines between paragraphs,
    between sentences and between JSON records.

    Args:
        stream: UTF-8 bytes, or a Parquet file.
        source: the stream's name, for messages.
        input_format: what the stream holds.
        options: how it is read.

    Raises:
        UserError: the stream cannot be read, or is malformed.
    """
    try:
        yield from _records(stream, _NothingSkipped(source), input_format, options)
    except OSError as error:
        raise UserError(f"{source}: cannot read: {error.strerror or error}; check the input") from error


def _records(
    stream: IO[bytes], report: ReadReport, input_format: InputFormat, options: ReadOptions
) -> Iterator[Record]:
    if input_format is InputFormat.TEXT:
        return (Record(text, size=len(text)) for text in _text_units(stream, report, options.unit))
    if input_format is InputFormat.JSONL:
        return _json_records(stream, report, options.text_field)
    if input_format is InputFormat.PARQUET:
        from tagger.bulk.formats.parquet import parquet_records  # here, as its library is an extra's

        return parquet_records(stream, report.source, options)
    if input_format is InputFormat.CONLLU:
        column = FORM if options.token_column is None else options.token_column
        return map(_of_tokens, conllu_from(stream, report, token_column=column, tag_column=None))
    layout = ColumnLayout(
        token_column=options.token_column or 0,
        tag_column=None,
        separator=cast(Any, options.separator),
        comment_prefix=options.comment_prefix,
    )
    return map(_of_tokens, columns_from(stream, report, layout=layout))


def _text_units(stream: IO[bytes], report: ReadReport, unit: Unit) -> Iterator[str]:
    if unit is Unit.LINE:
        for _, line in read_lines(stream, report):
            yield line
        return
    # read_lines takes one line end off; with one put on before, the text keeps its own.
    ended = cast("IO[bytes]", (line + b"\r\n" for line in stream))
    lines: list[str] = []
    for _, line in read_lines(ended, report):
        if unit is Unit.FILE or line.strip():
            lines.append(line)
        elif lines:
            yield _without_line_end("".join(lines))
            lines = []
    if text := "".join(lines):
        yield text if unit is Unit.FILE else _without_line_end(text)


def _json_records(stream: IO[bytes], report: ReadReport, text_field: str) -> Iterator[Record]:
    for number, line in read_lines(stream, report):
        if not line.strip():
            continue
        try:
            yield _json_record(line, text_field)
        except MalformedError as error:
            report.reject(f"{report.source}:{number}", str(error))


def _json_record(line: str, text_field: str) -> Record:
    """The record of a line. Raises MalformedError with what is wrong with it."""
    try:
        record = json.loads(line)
    except json.JSONDecodeError as error:
        raise MalformedError(f"no JSON ({error.msg} at column {error.colno}); {remedy(line)}") from error
    except RecursionError:
        raise MalformedError("nested too deeply; write flat records") from None
    except ValueError as error:
        raise MalformedError("a whole number of thousands of digits; write it as a string") from error
    if not isinstance(record, dict):
        raise MalformedError(f"expected a JSON object, found {_kind(record)}; {remedy(line)}")
    text, tokens = record.get(text_field), record.get("tokens")
    if isinstance(text, str):
        return Record(text, fields=record, size=len(line))
    if text is not None:
        raise MalformedError(f"field {text_field!r} holds {_kind(text)}, not text; name the field with --text-field")
    if tokens is None:
        raise MalformedError(
            f"no field {text_field!r} or 'tokens' (found {', '.join(map(repr, record)) or 'none'}); "
            "name the text's field with --text-field"
        )
    if not isinstance(tokens, list) or not all(isinstance(token, str) for token in tokens):
        raise MalformedError("field 'tokens' is not a list of strings; write it as one")
    return Record(" ".join(tokens), Sentence(tokens), record, len(line))


def _of_tokens(sentence: Sentence) -> Record:
    known = sentence.text is not None and sentence.offsets is not None
    text = sentence.text if sentence.text is not None and known else " ".join(sentence.tokens)
    return Record(text, sentence, size=len(text))


def _without_line_end(text: str) -> str:
    return text.removesuffix("\n").removesuffix("\r")


def _kind(value: object) -> str:
    names = {dict: "an object", list: "a list", str: "a string", bool: "a truth value", type(None): "null"}
    return names.get(type(value), "a number")


class _NothingSkipped(ReadReport):
    """A report for tagging, where no sentence may be dropped and settings are options of the command."""

    def reject(self, place: str, problem: str) -> None:
        for setting, option in _OPTIONS.items():
            problem = problem.replace(setting, option)
        raise UserError(f"{place}: {problem}")


_OPTIONS = {
    "data.token_column or data.tag_column": "--token-column",
    "data.token_column and data.tag_column to two of them": "--token-column to one of them",
    "data=conll": "--input-format conll",
}
