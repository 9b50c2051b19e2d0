"""Column files: a token a line with its tag in one of the columns, sentences parted by blank lines."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal

from tagger.corpus.readers.account import MalformedError, ReadReport, counted, fields, open_bytes, read_lines
from tagger.corpus.readers.marks import OpenSentence, is_document_mark
from tagger.corpus.sentence import Sentence

Separator = Literal["auto", "tab", "blanks"]
_REMEDY = "set data.token_column or data.tag_column, or mend the line"


@dataclass(frozen=True, kw_only=True)
class ColumnLayout:
    """Where a column file keeps what.

    Attributes:
        token_column, tag_column: counted from 0, negative from the end; `tag_column=None` reads no tags.
        separator: `tab` parts columns at each TAB and keeps all else, so that tokens may be empty or hold blanks;
            `blanks` at runs of blanks and TABs; `auto` is `tab` where the first line of content has a TAB.
        comment_prefix: lines that begin with it are comments; None: there are none.
    """

    token_column: int = 0
    tag_column: int | None = -1
    separator: Separator = "auto"
    comment_prefix: str | None = None


def read_columns(path: Path, report: ReadReport, *, layout: ColumnLayout | None = None) -> Iterator[Sentence]:
    """Read a column file, sentence by sentence; see `columns_from`.

    Raises:
        UserError: the file cannot be read, or is malformed and `on_error=stop`.
    """
    with open_bytes(path) as stream:
        yield from columns_from(stream, report, layout=layout)


def columns_from(stream: IO[bytes], report: ReadReport, *, layout: ColumnLayout | None = None) -> Iterator[Sentence]:
    """Read sentences from a stream of columns in constant memory.

    A line is blank where it holds nothing but white space. `-DOCSTART-` lines part documents; in files with comments,
    `# newdoc` does so too and `# text = ...` gives a sentence's running text and its tokens' offsets.

    Args:
        stream: UTF-8 bytes.
        report: the account of what is read; its source names the stream in messages.
        layout: the columns; by default the token is the first one and the tag the last.

    Raises:
        UserError: with `on_error=stop`, at the first line without the token or tag column, with an empty tag, or with
            another number of columns than the first line of content.
    """
    layout = layout or ColumnLayout()
    table = _Table(layout)
    current = OpenSentence(report)
    for number, line in read_lines(stream, report):
        if layout.comment_prefix and line.startswith(layout.comment_prefix):
            current.comment(line.removeprefix(layout.comment_prefix))
        elif line.strip() and not is_document_mark(line):
            _read_token(line, f"{report.source}:{number}", table, current)
        else:
            if sentence := current.close():
                yield sentence
            if line.strip():
                current.mark_document(line)
    if sentence := current.close():
        yield sentence


def _read_token(line: str, place: str, table: _Table, sentence: OpenSentence) -> None:
    try:
        token, tag = table.read(line)
    except MalformedError as problem:
        sentence.fault(place, str(problem))
    else:
        sentence.add(place, token, tag)


class _Table:
    """Takes tokens and tags out of lines. The first line of content settles the separator and the number of columns."""

    def __init__(self, layout: ColumnLayout) -> None:
        self._layout = layout
        self._tabs = layout.separator == "tab"
        self._width = 0

    def read(self, line: str) -> tuple[str, str | None]:
        """The token and the tag of a line of content.

        Raises:
            MalformedError: it has not the columns.
        """
        if not self._width and "\r" in line:
            raise MalformedError("a carriage return inside the first line; save the file with LF or CRLF line ends")
        if not self._width:
            self._tabs = self._tabs or (self._layout.separator == "auto" and "\t" in line)
        columns = line.split("\t") if self._tabs else fields(line)
        self._width = self._width or len(columns)
        if len(columns) != self._width:
            raise MalformedError(
                f"{counted(len(columns), 'column')} where the first line has {self._width}; correct the line"
            )
        token = self._column(columns, self._layout.token_column)
        if self._layout.tag_column is None:
            return token, None
        tag = self._column(columns, self._layout.tag_column)
        if self._layout.tag_column % self._width == self._layout.token_column % self._width:
            raise MalformedError(f"token and tag would be the same column (found {self._width}); {_REMEDY}")
        if not tag.strip():
            raise MalformedError(f"no tag in column {self._layout.tag_column}; {_REMEDY}")
        return token, tag

    def _column(self, columns: list[str], index: int) -> str:
        if not -len(columns) <= index < len(columns):
            raise MalformedError(f"no column {index} (found {len(columns)}); {_REMEDY}")
        return columns[index]
