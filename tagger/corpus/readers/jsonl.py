"""Read JSONL: one record per line, with tokens and tags, or with text and labelled spans as doccano writes them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from tagger.corpus.readers.account import ReadReport, open_bytes, read_lines
from tagger.corpus.readers.records import RecordFields, sentences_from
from tagger.corpus.sentence import Sentence
from tagger.corpus.tokenizers import Tokenizer


def read_jsonl(
    path: Path, report: ReadReport, *, tokenizer: Tokenizer, fields: RecordFields | None = None
) -> Iterator[Sentence]:
    """Read a JSONL file record by record. See `jsonl_from`.

    Raises:
        UserError: the file cannot be read, or is malformed and `on_error=stop`.
    """
    with open_bytes(path) as stream:
        yield from jsonl_from(stream, report, tokenizer=tokenizer, fields=fields)


def jsonl_from(
    stream: IO[bytes], report: ReadReport, *, tokenizer: Tokenizer, fields: RecordFields | None = None
) -> Iterator[Sentence]:
    """Read sentences from a JSONL stream in constant memory. Blank lines are skipped.

    Args:
        stream: UTF-8 bytes.
        report: counts what is read. Its source names the stream in messages.
        tokenizer: for records with running text.
        fields: names of the fields.

    Raises:
        UserError: with `on_error=stop`: a line is not a JSON object with tokens and tags or with text and spans, or
            its spans overlap or are outside the text.
    """
    fields = fields or RecordFields()
    for number, line in read_lines(stream, report):
        if not line.strip():
            report.close_lines()
            continue
        place = f"{report.source}:{number}"
        try:
            record = json.loads(line)
            problem = (
                f"expected an object with named fields, found a list; {remedy(line)}"
                if isinstance(record, list) and not is_pair(record)
                else ""
            )
        except RecursionError:
            problem = "nested too deeply; write flat records"
        except ValueError as error:  # also for integers of thousands of digits
            problem = f"no JSON: {error}; {remedy(line)}"
        if not problem:
            yield from sentences_from(record, place, number, report, fields=fields, tokenizer=tokenizer)
            continue
        report.reject(place, problem)
        report.close_sentence()


def is_pair(value: object) -> bool:
    """Return whether a value is a text with an object of annotations, as spaCy had training data."""
    return isinstance(value, list) and len(value) == 2 and isinstance(value[0], str) and isinstance(value[1], dict)


def remedy(line: str) -> str:
    """Return advice for a line that is not a JSON object. It may be the first line of an array."""
    if line.lstrip().startswith("["):
        return "write one JSON object a line, as jq -c '.[]' FILE does of an array"
    return "write one JSON object a line"
