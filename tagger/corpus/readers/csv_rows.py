"""Split CSV into rows and cells: commas, semicolons, TABs or bars between cells, quotes as in RFC 4180."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache
from typing import IO, Literal, NamedTuple, cast

from tagger.corpus.readers.account import MalformedError, OnError, ReadReport, counted, read_lines
from tagger.errors import UserError

Separator = Literal["auto", "tab", "blanks", "comma", "semicolon", "bar"]
SEPARATORS = {"comma": ",", "semicolon": ";", "tab": "\t", "bar": "|"}
_EXCEL_HINT = re.compile(r"sep=(.)(?:\r?\n)?(.*)", re.DOTALL)


class Row(NamedTuple):
    """A row.

    Attributes:
        number: the line on which it begins, from 1.
        text: as it was read, without its line end.
        cells: their values. Empty for a blank line.
        problem: what is wrong with it; "" if nothing is.
    """

    number: int
    text: str
    cells: list[str]
    problem: str = ""


class CsvRows:
    """Iterate over the rows of a CSV stream below the header, in constant memory.

    Call `enter` for each row: it counts the row's lines in the report. Before that, the sentence before it can be
    closed.

    Attributes:
        header: as it was read, without its line end; "" before the first row.
        names: of the columns.
        separator: between cells.
    """

    def __init__(self, stream: IO[bytes], report: ReadReport, separator: Separator = "auto") -> None:
        self._report, self._stream = report, stream
        self._calls = _Calls(report.source)
        self.header = ""
        self.names: list[str] = []
        self.separator = SEPARATORS.get(separator, "")

    def column(self, name: str | None, usual: Sequence[str], setting: str) -> int | None:
        """Return the number of a column: that of the name or, without one, of the first usual name there is.

        Usual names match in small letters, too. Returns None if there is none of them.

        Raises:
            UserError: there is no column of the name, or two of it.
        """
        names = self.names if name is not None else [one.lower() for one in self.names]
        found = name if name is not None else next((one for one in usual if one in names), None)
        if found is None:
            return None
        if names.count(found) != 1:
            there = "no column" if found not in names else "two columns"
            shown = ", ".join(map(repr, self.names))
            raise UserError(f"{self._report.source}: {there} {found!r} (found {shown}); set {setting}")
        return names.index(found)

    def __iter__(self) -> Iterator[Row]:
        for number, text in self._records():
            if not self.names:
                if hint := _EXCEL_HINT.fullmatch(text):
                    self.separator, text = self.separator or hint[1], hint[2]
                if self._calls.problem:
                    raise UserError(self._calls.problem)
                if not text.strip():
                    self.close()
                    continue
                self.separator = self.separator or separator_of(text)
                self.header = text
                try:
                    self.names = [name.strip() for name in self._cells(text)]
                except MalformedError as error:
                    raise UserError(f"{self._report.source}:{number}: the header: {error}") from None
                self.close()
                continue
            if not text:
                yield Row(number, "", [])
                continue
            try:
                cells, problem = self._cells(text), ""
            except MalformedError as error:
                cells, problem = [], str(error)
            if not problem and len(cells) != len(self.names):
                problem = f"{counted(len(cells), 'cell')} where the header has {len(self.names)}; correct the row"
            yield Row(number, text, cells, problem)

    def enter(self) -> None:
        """Count the lines of the row that was yielded last, and of blank lines before it."""
        self._calls.replay(self._report)

    def close(self) -> None:
        """Count lines that belong to no sentence."""
        self.enter()
        self._report.close_lines()

    def _records(self) -> Iterator[tuple[int, str]]:
        # read_lines takes one line end off; with one put on before, lines inside quoted cells keep their own
        ended = cast("IO[bytes]", (line + b"\r\n" for line in self._stream))
        lines: list[str] = []
        first = quotes = 0
        for number, line in read_lines(ended, self._calls):
            first = first if lines else number
            lines.append(line)
            quotes += line.count('"')
            if quotes % 2 == 0:
                yield first, _without_end("".join(lines))
                lines, quotes = [], 0
        if lines:
            yield first, _without_end("".join(lines))

    def _cells(self, text: str) -> list[str]:
        return split_row(text, self.separator)


def separator_of(header: str) -> str:
    """Return the separator of a header: the one that gives it the most cells, a comma if it has one only."""
    bare = re.sub(r'"[^"]*"', "", header)
    return max(SEPARATORS.values(), key=bare.count)


def split_row(text: str, separator: str) -> list[str]:
    """Split a row into the values of its cells.

    Raises:
        MalformedError: quotes are not as in RFC 4180.
    """
    if '"' not in text:
        return text.split(separator)
    cells: list[str] = []
    position, cell = 0, _cell(separator)
    while True:
        match = cell.match(text, position)
        assert match is not None
        position = match.end()
        if position < len(text) and text[position] != separator:
            remedy = "quote the cell and double the quotes in it; a file without quoting is read by data=conll"
            raise MalformedError(
                f"a quotation mark in a cell that is not quoted, or a quote that does not end; {remedy}"
            )
        cells.append(match[2] if match[1] is None else match[1].replace('""', '"'))
        if position == len(text):
            return cells
        position += 1


@cache
def _cell(separator: str) -> re.Pattern[str]:
    return re.compile(rf'"([^"]*(?:""[^"]*)*)"|([^"{re.escape(separator)}]*)')


def _without_end(text: str) -> str:
    return text.removesuffix("\n").removesuffix("\r")


class _Calls(ReadReport):
    """Keep what `read_lines` reports until the sentence that the lines belong to is known."""

    def __init__(self, source: str) -> None:
        super().__init__(source, OnError.SKIP)
        self._kept: list[tuple[str, ...]] = []

    def line(self, repaired: str = "") -> None:
        self._kept.append((repaired,))

    def reject(self, place: str, problem: str) -> None:
        self._kept.append((place, problem))

    @property
    def problem(self) -> str:
        """The first error, with its place; "" if there was none."""
        return next((": ".join(call) for call in self._kept if len(call) > 1), "")

    def replay(self, report: ReadReport) -> None:
        """Report to `report` what was kept."""
        kept, self._kept = self._kept, []
        for call in kept:
            if len(call) == 1:
                report.line(*call)
            else:
                report.reject(*call)
