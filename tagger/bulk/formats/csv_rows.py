"""Write tagged documents as rows of CSV: those that were read, with columns behind them."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import replace

from tagger.bulk.formats.lines import WriteOptions, json_text, table_rows
from tagger.bulk.records import InputFormat
from tagger.corpus.document import Document
from tagger.corpus.readers.account import OnError, ReadReport
from tagger.corpus.readers.csv_rows import CsvRows, Separator
from tagger.errors import UserError


class CsvWriter:
    """Rows of one input.

    A row that was read as CSV stays as it is, character by character. Behind it are `entities`, or for plain tags
    `tokens` and `tags`, as JSON. Of other inputs a row has the text, these columns and `fields`.
    """

    def __init__(self, header: str, separator: str, options: WriteOptions, *, plain: bool) -> None:
        """
        Args:
            header: of the input, as it was read; "" if it is not CSV.
            separator: between cells.
            options: of writing.
            plain: the tags are plain.
        """
        self._header, self._separator, self._plain = header, separator, plain
        self._options = options = replace(options, id_field="")  # ids stay among the other fields
        left_out = set() if options.tokens or plain else {"tokens", "tags"}
        self._names = [name for name in table_rows([], options, plain=plain).more if name not in left_out]

    @classmethod
    def of(
        cls, data: bytes, source: str, input_format: InputFormat, separator: str, options: WriteOptions, plain: bool
    ) -> CsvWriter:
        """Make the writer for an input, of which `data` are the beginning, or at least its header.

        Raises:
            UserError: the header has a name that is written.
        """
        if input_format is not InputFormat.CSV:
            return cls("", ",", options, plain=plain)
        rows = header_of(data, source, separator)
        writer = cls(rows.header, rows.separator, options, plain=plain)
        taken = next((name for name in writer._added() if name in rows.names), None)
        if taken is not None:
            raise UserError(
                f"{source}: a column {taken!r} is there, and {taken} are written; rename it, or use --format jsonl"
            )
        return writer

    def head(self) -> str:
        """Return the header of the output."""
        names = [self._header] if self._header else [self._cell(self._options.text_field)]
        return self._separator.join([*names, *map(self._cell, self._added())]) + "\n"

    def rows(self, documents: list[Document]) -> Iterator[str]:
        """Yield a row per document, with its line end."""
        table = table_rows(documents, self._options, plain=self._plain)
        for number, document in enumerate(documents):
            first = document.row if self._header else self._cell(table.texts[number])
            values = [table.more[name][number] for name in self._added()]
            cells = ["" if one is None else one if isinstance(one, str) else json_text(one) for one in values]
            yield self._separator.join([first, *map(self._cell, cells)]) + "\n"

    def _added(self) -> list[str]:
        return [name for name in self._names if not (self._header and name == "fields")]

    def _cell(self, value: str) -> str:
        if not any(mark in value for mark in (self._separator, '"', "\n", "\r")):
            return value
        return '"' + value.replace('"', '""') + '"'


def header_of(data: bytes, source: str, separator: str) -> CsvRows:
    """Read the header of CSV, and at most one row."""
    how: Separator = separator  # type: ignore[assignment]
    rows = CsvRows(io.BytesIO(data), ReadReport(source, OnError.SKIP), how)
    next(iter(rows), None)
    return rows
