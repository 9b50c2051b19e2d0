"""Read column files: one token per line, with its tag in a column, and blank lines between sentences."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal

from tagger.corpus.readers.account import MalformedError, ReadReport, counted, fields, open_bytes, read_lines
from tagger.corpus.readers.csv_rows import Separator
from tagger.corpus.readers.marks import OpenSentence, is_document_mark
from tagger.corpus.sentence import Sentence

Header = Literal["auto", "skip", "none"]
TOKEN_NAMES = frozenset({"token", "tokens", "word", "words", "form", "text"})
TAG_NAMES = frozenset(
    {"tag", "tags", "label", "labels", "ner", "ner_tag", "ner_tags", "entity", "iob", "bio", "pos", "pos_tags", "upos"}
)
_REMEDY = "set data.token_column or data.tag_column, or correct the line"


@dataclass(frozen=True, kw_only=True)
class ColumnLayout:
    """Layout of a column file.

    Attributes:
        token_column, tag_column: counted from 0, negative from the end. `tag_column=None` reads no tags.
        separator: `tab` splits at each TAB, so that tokens may be empty or contain spaces. `blanks` splits at runs of
            spaces and TABs. `auto` is `tab` if the first line of content has a TAB, else `blanks`.
        comment_prefix: lines that begin with it are comments. None: no comments.
        header: `skip` leaves out the first line of content, as it names the columns; `none` does not. `auto` leaves
            it out if `is_header` says so.
    """

    token_column: int = 0
    tag_column: int | None = -1
    separator: Separator = "auto"
    comment_prefix: str | None = None
    header: Header = "auto"


def read_columns(path: Path, report: ReadReport, *, layout: ColumnLayout | None = None) -> Iterator[Sentence]:
    """Read a column file sentence by sentence. See `columns_from`.

    Raises:
        UserError: the file cannot be read, or is malformed and `on_error=stop`.
    """
    with open_bytes(path) as stream:
        yield from columns_from(stream, report, layout=layout)


def columns_from(stream: IO[bytes], report: ReadReport, *, layout: ColumnLayout | None = None) -> Iterator[Sentence]:
    """Read sentences from a stream of columns in constant memory.

    A line of only white space is blank. `-DOCSTART-` lines begin a document. In files with comments, so does
    `# newdoc`, and `# text = ...` gives the running text of a sentence, from which offsets are computed.

    Args:
        stream: UTF-8 bytes.
        report: counts what is read. Its source names the stream in messages.
        layout: the columns. Default: the token is in the first and the tag in the last column.

    Raises:
        UserError: with `on_error=stop`: a line has no token or tag column, an empty tag, or another number of columns
            than the first line of content.
    """
    layout = layout or ColumnLayout()
    table = _Table(layout)
    current = OpenSentence(report)
    may_be_header = layout.header != "none"
    for number, line in read_lines(stream, report):
        if layout.comment_prefix and line.startswith(layout.comment_prefix):
            current.comment(line.removeprefix(layout.comment_prefix))
        elif line.strip() and not is_document_mark(line):
            if may_be_header and (layout.header == "skip" or is_header(line)):
                report.ignore(f"{report.source}:{number}", "header rows")
                may_be_header = False
                continue
            may_be_header = False
            _read_token(line, f"{report.source}:{number}", table, current)
        else:
            if sentence := current.close():
                yield sentence
            if line.strip():
                current.mark_document(line)
    if sentence := current.close():
        yield sentence


def is_header(line: str) -> bool:
    """Return whether a line names columns: one cell is a usual name of tokens, another one of tags."""
    cells = {cell.strip().lower() for cell in (line.split("\t") if "\t" in line else fields(line))}
    return not cells.isdisjoint(TOKEN_NAMES) and not cells.isdisjoint(TAG_NAMES)


def _read_token(line: str, place: str, table: _Table, sentence: OpenSentence) -> None:
    try:
        token, tag = table.read(line)
    except MalformedError as problem:
        sentence.fault(place, str(problem))
    else:
        sentence.add(place, token, tag)


class _Table:
    """Parser of lines. The first line of content determines the separator and the number of columns."""

    def __init__(self, layout: ColumnLayout) -> None:
        self._layout = layout
        self._tabs = layout.separator == "tab"
        self._width = 0

    def read(self, line: str) -> tuple[str, str | None]:
        """Return the token and the tag of a line of content.

        Raises:
            MalformedError: columns are missing, or the tag is empty.
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
