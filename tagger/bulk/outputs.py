"""Tag parts and put them together in order: on standard output, in a file per input, or as a folder of parts."""

from __future__ import annotations

import json
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import IO

from tagger.bulk.executors.base import Executor
from tagger.bulk.formats.html import HtmlPage
from tagger.bulk.formats.lines import OutputFormat
from tagger.bulk.inputs import Source
from tagger.bulk.job import BadRecordError, Counts, FinishedPart, FinishedPiece, Job, OnError
from tagger.bulk.output_paths import output_path, rejects_path, shard_name
from tagger.bulk.parts import Part
from tagger.bulk.records import InputFormat
from tagger.bulk.run_state import RunState, Write
from tagger.errors import UserError


class Account:
    """Counts of what a run read and wrote."""

    def __init__(self, sources: Sequence[Source]) -> None:
        self._sources = sources
        self.counts = Counts()  # of the records tagged by this run
        self.files = self.empty = 0  # inputs that were read to their ends, and those without any record
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
            if not part.is_kept:
                self.counts = self.counts.plus(piece.counts)
            if piece.is_last:
                if not self._records and self._sources[piece.number].path is None:
                    raise UserError(f"{piece.source}: nothing to tag: empty or blank; check what should have come")
                self.files += not part.is_kept
                self.empty += not self._records and not part.is_kept
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


class StreamOutput:
    """Standard output: lines as they come, an HTML page in one go. What is said of rejected records is reported."""

    def __init__(self, stream: IO[bytes], job: Job, report: Callable[[str], None]) -> None:
        self._stream, self._job, self._report = stream, job, report
        self._page: list[bytes] = []
        self._marks: Counter[str] = Counter()
        self._labels: list[str] = []
        self._title = self._source = ""

    def add(self, part: FinishedPart, rejects: list[list[str]]) -> None:
        """Take the next part, and the lines on rejected records of each of its pieces.

        Raises:
            UserError: the stream cannot be written.
            BrokenPipeError: nobody reads it any more.
        """
        for line in (line for some in rejects for line in some):
            reject = json.loads(line)
            self._report(f"{reject['place']}: {reject['reason']}; left out")
        assert part.output is not None
        if self._job.output_format is not OutputFormat.HTML:
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
        """Write the page: all parts were taken."""
        if self._job.output_format is OutputFormat.HTML:
            page = HtmlPage(self._labels, scores=self._job.writing.scores)
            self._write(b"".join([page.head(self._title).encode(), *self._page, page.end(self._marks).encode()]))

    def _write(self, data: bytes) -> None:
        try:
            self._stream.write(data)
            self._stream.flush()
        except BrokenPipeError:
            raise
        except OSError as error:
            raise UserError(f"standard output: cannot write: {error.strerror or error}") from error


class FolderOutput:
    """A file per input, which appears when all of the input is tagged, and one beside it of its rejected records."""

    def __init__(self, state: RunState, sources: Sequence[Source], job: Job) -> None:
        self._state, self._sources, self._job = state, sources, job
        self._group: list[tuple[FinishedPart, list[list[str]]]] = []  # parts, until an input is complete

    def add(self, part: FinishedPart, rejects: list[list[str]]) -> None:
        """Take a part, and write the files of inputs that are complete. See `StreamOutput`.

        Raises:
            UserError: a file cannot be written.
        """
        if part.number in self._state.joined:
            return
        self._group.append((part, rejects))
        if part.pieces[-1].is_last:
            group, self._group = self._group, []
            self._state.complete([part for part, _ in group], dict(self._outputs(group)))

    def finish(self) -> None:
        """Note that all is done."""
        assert not self._group, "an input without an end"
        self._state.end()

    def _outputs(self, group: list[tuple[FinishedPart, list[list[str]]]]) -> Iterator[tuple[Path, Write]]:
        contents: list[Iterator[bytes]] = []
        rejected: list[str] = []
        marks: Counter[str] = Counter()
        for part, rejects in group:
            position = 0
            for piece, lines in zip(part.pieces, rejects, strict=True):
                contents.append(_chunks(self._state.part_path(part.number), position, piece.size))
                position += piece.size
                rejected += lines
                marks.update(piece.marks)
                if not piece.is_last:
                    continue
                path = output_path(self._sources[piece.number], self._job.output_format)
                content: Iterable[bytes] = chain.from_iterable(contents)
                if self._job.output_format is OutputFormat.HTML:
                    page = HtmlPage(part.labels, scores=self._job.writing.scores)
                    content = _page(page, content, piece.source if piece.counts.records else "", marks)
                yield path, _writer(content, self._job.output_format)
                yield from _rejects(self._state, path, rejected, self._job)
                contents, rejected, marks = [], [], Counter()


class ShardOutput:
    """A folder of parts, which get their names when all are there."""

    def __init__(self, state: RunState, job: Job) -> None:
        self._state, self._job = state, job
        self._parts: list[tuple[FinishedPart, list[str]]] = []

    def add(self, part: FinishedPart, rejects: list[list[str]]) -> None:
        """Take a part. See `StreamOutput`."""
        self._parts.append((part, [line for some in rejects for line in some]))

    def finish(self) -> None:
        """Give parts their names.

        Raises:
            UserError: a file cannot be written.
        """
        for part, rejects in self._parts:
            if part.number in self._state.joined:
                continue
            path, write = Path(shard_name(part.number, len(self._parts), self._job.output_format)), None
            if self._job.output_format is OutputFormat.PARQUET:
                content = _chunks(self._state.part_path(part.number), 0, sum(piece.size for piece in part.pieces))
                write = _writer(content, self._job.output_format)
            self._state.complete([part], {path: write, **dict(_rejects(self._state, path, rejects, self._job))})
        self._state.end()


OnPart = Callable[[Counts, int, int], None]
Output = StreamOutput | FolderOutput | ShardOutput


def run_job(
    parts: Iterable[Part | None],
    executor: Executor,
    output: Output,
    account: Account,
    *,
    state: RunState | None = None,
    progress: OnPart = lambda counts, amount, kept: None,
) -> None:
    """Tag parts and put them together.

    Args:
        parts: in order; None waits for all parts before it.
        executor: tags them.
        output: takes them in order.
        account: what was read and written is entered there.
        state: of a run that can be continued.
        progress: called after each part with what was tagged so far, the bytes of input that were read for it, and
            those that an earlier run had tagged.

    Raises:
        UserError: something cannot be read or written, or is malformed.
        WorkerLostError: a worker process was ended.
    """
    amounts: deque[int] = deque()

    def finished_parts() -> Iterator[FinishedPart]:
        for part in parts:
            if part is None:
                yield from executor.finish()
            else:
                amounts.append(sum(piece.amount for piece in part.pieces))
                yield from executor.submit(part)
        yield from executor.finish()

    done = kept = finished = 0
    try:
        for part in finished_parts():
            amount = amounts.popleft()
            output.add(part, account.enter(part))
            finished += 1
            done, kept = (done, kept + amount) if part.is_kept else (done + amount, kept)
            progress(account.counts, done, kept)
    except BadRecordError as error:
        if state is not None:
            state.forget_from(finished)
        raise account.located(error) from error
    counts = account.counts
    assert counts.records == counts.tagged + counts.empty + counts.rejected, "records are missing"
    output.finish()


def _chunks(path: Path, begin: int, size: int) -> Iterator[bytes]:
    """Yield a stretch of a file; memory holds all of it only if it is a table."""
    with path.open("rb") as stream:
        stream.seek(begin)
        while size and (data := stream.read(size)):
            size -= len(data)
            yield data


def _writer(content: Iterable[bytes], output_format: OutputFormat) -> Write:
    if output_format is not OutputFormat.PARQUET:
        return lambda file: file.writelines(content)
    from tagger.bulk.formats.parquet import write_table  # its library is an extra's

    return lambda file: write_table(content, file)


def _rejects(state: RunState, path: Path, rejects: list[str], job: Job) -> Iterator[tuple[Path, Write]]:
    """Yield the file of an output's rejected records. Where there are none, remove that of an earlier run."""
    path = rejects_path(path)
    if rejects:
        yield path, lambda file: file.writelines(line.encode() for line in rejects)
    elif job.on_error is not OnError.STOP:
        (state.output / path).unlink(missing_ok=True)


def _page(page: HtmlPage, content: Iterable[bytes], source: str, marks: Counter[str]) -> Iterator[bytes]:
    yield page.head(source).encode()
    if source:
        yield page.section(source).encode()
    yield from content
    yield page.end(marks).encode()
