"""Put finished parts together in order: on standard output, in a file per input, or as a folder of parts."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, NamedTuple, Protocol

from tagger.bulk.formats.html import HtmlPage
from tagger.bulk.formats.lines import OutputFormat
from tagger.bulk.inputs import Source
from tagger.bulk.job import BadRecordError, Counts, FinishedPart, FinishedPiece
from tagger.bulk.output_paths import rejects_path, shard_name
from tagger.bulk.records import InputFormat
from tagger.bulk.run_state import FinishedOutput, LogEntry, RunState
from tagger.errors import UserError

_AT_ONCE = 1 << 20


class Account:
    """What a run read and wrote.

    Attributes:
        counts: of the records tagged by this run.
        files: inputs that were read to their ends.
        empty: those without any record.
    """

    def __init__(self, sources: Sequence[Source]) -> None:
        self._sources = sources
        self.counts = Counts()
        self.files = self.empty = 0
        self._records = self._lines = 0  # of the input that is being read

    def enter(self, part: FinishedPart) -> list[list[str]]:
        """Enter the next part.

        Returns:
            For each piece a line of JSON per rejected record, with its place in the input.

        Raises:
            UserError: standard input is empty.
        """
        rejects = []
        for piece in part.pieces:
            rejects.append([self._reject(piece, *one) for one in piece.rejects])
            self._records += piece.counts.records
            self._lines += piece.lines
            if not part.kept:
                self.counts = self.counts.plus(piece.counts)
            if piece.is_last:
                if not self._records and self._sources[piece.number].path is None:
                    raise UserError(f"{piece.source}: nothing to tag: empty or blank; check what should have come")
                self.files += not part.kept
                self.empty += not self._records and not part.kept
                self._records = self._lines = 0
        return rejects

    def located(self, error: BadRecordError) -> UserError:
        """Make the message of a malformed record, with its place in the input."""
        return UserError(f"{self._place(error.source, error.place)}: {error.reason}")

    def _reject(self, piece: FinishedPiece, place: int, reason: str, record: str) -> str:
        shown = {"place": self._place(piece.number, place), "reason": reason, "record": record}
        return json.dumps(shown, ensure_ascii=False) + "\n"

    def _place(self, number: int, place: int) -> str:
        source = self._sources[number]
        if source.input_format is InputFormat.PARQUET:
            return f"{source.name}: row {place:,}"
        return f"{source.name}:{self._lines + place}"


class Output(Protocol):
    """Takes finished parts, in order."""

    def add(self, part: FinishedPart, rejects: list[list[str]]) -> None:
        """Take the next part, and the lines on rejected records of each of its pieces."""
        ...

    def finish(self) -> None:
        """Complete the output: all parts were taken."""
        ...


class StreamOutput:
    """Standard output: lines as they come, an HTML page in one go. What is said of rejected records is reported."""

    def __init__(
        self, stream: IO[bytes], output_format: OutputFormat, scores: bool, report: Callable[[str], None]
    ) -> None:
        self._stream, self._format, self._scores, self._report = stream, output_format, scores, report
        self._page: list[bytes] = []
        self._marks: Counter[str] = Counter()
        self._labels: list[str] = []
        self._title = self._source = ""

    def add(self, part: FinishedPart, rejects: list[list[str]]) -> None:
        """Write a part. See `Output`.

        Raises:
            UserError: the stream cannot be written.
            BrokenPipeError: nobody reads it any more.
        """
        for line in (line for some in rejects for line in some):
            reject = json.loads(line)
            self._report(f"{reject['place']}: {reject['reason']}; left out")
        assert part.output is not None
        if self._format is not OutputFormat.HTML:
            self._write(part.output)
            return
        self._labels = part.labels
        position = 0
        for piece in part.pieces:
            if piece.counts.records and piece.source != self._source:
                self._title, self._source = self._title or piece.source, piece.source
                self._page.append(HtmlPage([]).section(piece.source).encode())
            self._page.append(part.output[position : position + piece.size])
            self._marks.update(piece.marks)
            position += piece.size

    def finish(self) -> None:
        """Write the page. See `Output` and `add`."""
        if self._format is OutputFormat.HTML:
            page = HtmlPage(self._labels, scores=self._scores)
            self._write(b"".join([page.head(self._title).encode(), *self._page, page.end(self._marks).encode()]))

    def _write(self, data: bytes) -> None:
        try:
            self._stream.write(data)
            self._stream.flush()
        except BrokenPipeError:
            raise
        except OSError as error:
            raise UserError(f"standard output: cannot write: {error.strerror or error}") from error


class _Slice(NamedTuple):
    """The output of a piece within the file of its part."""

    path: Path
    begin: int
    size: int

    def chunks(self) -> Iterator[bytes]:
        with self.path.open("rb") as stream:
            stream.seek(self.begin)
            left = self.size
            while left and (data := stream.read(min(left, _AT_ONCE))):
                left -= len(data)
                yield data

    def whole(self) -> bytes:
        return b"".join(self.chunks())


class FolderOutput:
    """A file per input, which appears when all of the input is tagged, and one beside it of its rejected records."""

    def __init__(
        self, state: RunState, paths: Sequence[Path], output_format: OutputFormat, scores: bool, *, rejects: bool
    ) -> None:
        """
        Args:
            state: of the run.
            paths: of the files, below the output folder.
            output_format: of the files.
            scores: an HTML page shows them.
            rejects: files of rejected records may be written; old ones are replaced.
        """
        self._rejects = rejects
        self._state, self._paths, self._format, self._scores = state, paths, output_format, scores
        self._group: list[tuple[FinishedPart, list[list[str]]]] = []  # parts, until an input is complete

    def add(self, part: FinishedPart, rejects: list[list[str]]) -> None:
        """Take a part, and write the files of inputs that are complete. See `Output`.

        Raises:
            UserError: a file cannot be written.
        """
        if part.number in self._state.resumed.joined:
            return
        self._group.append((part, rejects))
        if part.pieces[-1].is_last:
            group, self._group = self._group, []
            self._state.complete(LogEntry(list(self._joined(group)), [part for part, _ in group]))

    def finish(self) -> None:
        """Note that all is done. See `Output`."""
        assert not self._group, "an input without an end"
        self._state.end()

    def _joined(self, group: list[tuple[FinishedPart, list[list[str]]]]) -> Iterator[FinishedOutput]:
        slices: list[_Slice] = []
        rejected: list[str] = []
        marks: Counter[str] = Counter()
        for part, rejects in group:
            position = 0
            for piece, lines in zip(part.pieces, rejects, strict=True):
                slices.append(_Slice(self._state.part_path(part.number), position, piece.size))
                position += piece.size
                rejected += lines
                marks.update(piece.marks)
                if piece.is_last:
                    path = self._paths[piece.number]
                    yield write_output(
                        self._state, path, f"output-{piece.number}", self._content(slices, piece, marks, part.labels)
                    )
                    if rejected:
                        text = "".join(rejected).encode()
                        yield write_output(self._state, rejects_path(path), f"output-{piece.number}-rejects", [text])
                    elif self._rejects:
                        (self._state.output / rejects_path(path)).unlink(missing_ok=True)
                    slices, rejected, marks = [], [], Counter()

    def _content(
        self, slices: list[_Slice], piece: FinishedPiece, marks: Counter[str], labels: list[str]
    ) -> Callable[[IO[bytes]], None] | Iterator[bytes]:
        if self._format is OutputFormat.PARQUET:
            return _table(slices)
        content = (data for one in slices for data in one.chunks())
        if self._format is not OutputFormat.HTML:
            return content
        page = HtmlPage(labels, scores=self._scores)
        return _page(page, content, piece.source if piece.counts.records else "", marks)


class ShardOutput:
    """A folder of parts, named when all are there."""

    def __init__(self, state: RunState, output_format: OutputFormat) -> None:
        self._state, self._format = state, output_format
        self._parts: list[tuple[FinishedPart, list[str]]] = []

    def add(self, part: FinishedPart, rejects: list[list[str]]) -> None:
        """Take a part. See `Output`."""
        self._parts.append((part, [line for some in rejects for line in some]))

    def finish(self) -> None:
        """Give parts their names. See `Output`.

        Raises:
            UserError: a file cannot be written.
        """
        outputs: list[FinishedOutput] = []
        left = [(part, rejects) for part, rejects in self._parts if part.number not in self._state.resumed.joined]
        for part, rejects in left:
            path = Path(shard_name(part.number, len(self._parts), self._format))
            file = self._state.part_path(part.number)
            size = sum(piece.size for piece in part.pieces)
            if self._format is OutputFormat.PARQUET:
                table = _table([_Slice(file, 0, size)])
                outputs.append(write_output(self._state, path, f"output-{part.number}", table))
            else:
                outputs.append(FinishedOutput(str(path), f"{file.parent.name}/{file.name}", size, part.sha256))
            if rejects:
                text = "".join(rejects).encode()
                outputs.append(write_output(self._state, rejects_path(path), f"output-{part.number}-rejects", [text]))
        if left:
            self._state.complete(LogEntry(outputs, [part for part, _ in left]))
        self._state.end()


def write_output(
    state: RunState, path: Path, temporary: str, content: Callable[[IO[bytes]], None] | Iterable[bytes]
) -> FinishedOutput:
    """Write an output under its temporary name.

    Raises:
        UserError: it cannot be written.
    """
    place = state.folder / temporary
    with writing(state.output / path):
        with place.open("wb") as file:
            if callable(content):
                content(file)
            else:
                file.writelines(content)
        digest = hashlib.sha256()
        with place.open("rb") as file:
            while data := file.read(_AT_ONCE):
                digest.update(data)
        return FinishedOutput(str(path), temporary, place.stat().st_size, digest.hexdigest())


def _table(slices: list[_Slice]) -> Callable[[IO[bytes]], None]:
    from tagger.bulk.formats.parquet import write_table  # its library is an extra's

    return lambda file: write_table((one.whole() for one in slices), file)


def _page(page: HtmlPage, content: Iterable[bytes], source: str, marks: Counter[str]) -> Iterator[bytes]:
    yield page.head(source).encode()
    if source:
        yield page.section(source).encode()
    yield from content
    yield page.end(marks).encode()


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Report failures to write a file.

    Raises:
        UserError: it cannot be written.
    """
    try:
        yield
    except OSError as error:
        raise UserError(f"{path}: cannot write: {error.strerror or error}") from error
