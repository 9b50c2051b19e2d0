"""Read CoNLL-U, the format of treebanks: ten columns per line (https://universaldependencies.org/format.html)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from tagger.corpus.readers.account import ReadReport, open_bytes, read_lines
from tagger.corpus.readers.marks import OpenSentence
from tagger.corpus.sentence import Sentence

FORM, UPOS = 1, 3
_COLUMNS = 10
_WORD = re.compile(r"[1-9][0-9]*")
_RANGE_OR_EMPTY = re.compile(r"[1-9][0-9]*-[1-9][0-9]*|[0-9]+\.[1-9][0-9]*")


def read_conllu(
    path: Path, report: ReadReport, *, token_column: int = FORM, tag_column: int | None = UPOS
) -> Iterator[Sentence]:
    """Read a CoNLL-U file sentence by sentence. See `conllu_from`.

    Raises:
        UserError: the file cannot be read, or is malformed and `on_error=stop`.
    """
    with open_bytes(path) as stream:
        yield from conllu_from(stream, report, token_column=token_column, tag_column=tag_column)


def conllu_from(
    stream: IO[bytes], report: ReadReport, *, token_column: int = FORM, tag_column: int | None = UPOS
) -> Iterator[Sentence]:
    """Read sentences from a CoNLL-U stream in constant memory.

    Tokens are the syntactic words. Lines of multiword tokens (`3-4`) and of empty nodes (`3.1`) are skipped.
    `# newdoc` begins a document. `# text` gives the running text and the offsets, if the words occur in it one after
    the other. With contractions they often do not. Then the sentence has no offsets.

    Args:
        stream: UTF-8 bytes.
        report: counts what is read. Its source names the stream in messages.
        token_column, tag_column: counted from 0, negative from the end. `tag_column=None` reads no tags.

    Raises:
        UserError: with `on_error=stop`: a line does not have ten columns, its word id is not a number, or a requested
            column is missing.
    """
    current = OpenSentence(report)
    for number, line in read_lines(stream, report):
        if line.startswith("#"):
            current.comment(line[1:])
        elif line.strip():
            _read_word(line, f"{report.source}:{number}", current, token_column, tag_column)
        elif sentence := current.close():
            yield sentence
    if sentence := current.close():
        yield sentence


def _read_word(line: str, place: str, sentence: OpenSentence, token_column: int, tag_column: int | None) -> None:
    columns = line.split("\t")
    if len(columns) != _COLUMNS:
        advice = "correct the line, or set data=conll for other column files"
        sentence.fault(place, f"expected {_COLUMNS} columns separated by TABs, found {len(columns)}; {advice}")
    elif _RANGE_OR_EMPTY.fullmatch(columns[0]):
        sentence.begin(place)
    elif not _WORD.fullmatch(columns[0]):
        sentence.fault(place, f"expected a word's number in the first column, found {columns[0]!r}; correct the line")
    elif not all(-_COLUMNS <= column < _COLUMNS for column in (token_column, tag_column or 0)):
        sentence.fault(place, f"found {_COLUMNS} columns; set data.token_column and data.tag_column to two of them")
    elif tag_column is not None and not columns[tag_column].strip():
        sentence.fault(place, f"no tag in column {tag_column}; write _ where there is none")
    else:
        sentence.add(place, columns[token_column], None if tag_column is None else columns[tag_column])
