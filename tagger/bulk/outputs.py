"""Where tagged blocks go: standard output, or a file per source, each whole or not at all."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Protocol, Self

from tagger.bulk.block_reader import BlockEnd
from tagger.bulk.fingerprints import Fingerprint
from tagger.bulk.formats.html import HtmlPage
from tagger.bulk.formats.lines import Rows
from tagger.bulk.inputs import Source
from tagger.bulk.manifest import Done, Manifest, Mark
from tagger.bulk.parts import Part
from tagger.corpus.document import Document
from tagger.errors import UserError

Written = str | list[Document] | Rows  # lines, documents that have yet to be put on a page, rows of a table


class Output(Protocol):
    """Takes what was tagged, in the order of the input. Only `finish` makes all of it whole."""

    def __enter__(self) -> Self: ...

    def take(self, source: int, written: Written) -> None:
        """Write what was tagged next, of the source of this number."""
        ...

    def mark(self, end: BlockEnd) -> None:
        """All of a block was taken, which ends there."""
        ...

    def finish(self, finished: dict[int, Fingerprint | None]) -> None:
        """All was taken; `finished` is what was read of sources that came to their ends since the last block."""
        ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class StreamOutput:
    """One stream for all sources: lines as they come; an HTML page, which no part of stands alone, in one go."""

    def __init__(self, stream: IO[bytes], open_page: Callable[[], HtmlPage]) -> None:
        self._stream, self._open_page = stream, open_page
        self._page: HtmlPage | None = None
        self._pieces: list[str] = []  # of the page

    def __enter__(self) -> Self:
        return self

    def take(self, source: int, written: Written) -> None:
        """Write lines at once and keep paragraphs of a page. See `Output`.

        Raises:
            UserError: the stream cannot be written.
            BrokenPipeError: nobody reads it any more.
        """
        if isinstance(written, str):
            self._write([written])
        else:
            assert not isinstance(written, Rows)
            self._page = self._page or self._open_page()
            self._pieces += self._page.of(written)

    def mark(self, end: BlockEnd) -> None:
        """Nothing is kept. See `Output`."""

    def finish(self, finished: dict[int, Fingerprint | None]) -> None:
        """Write the page. See `Output` and `take`."""
        if self._page is not None:
            self._write([*self._pieces, self._page.end()])

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def _write(self, pieces: Iterable[str]) -> None:
        try:
            for piece in pieces:
                self._stream.write(piece.encode("utf-8"))
            self._stream.flush()
        except BrokenPipeError:
            raise
        except OSError as error:
            raise UserError(f"standard output: cannot write: {error.strerror or error}") from error


class FilesOutput:
    """A file for each source, which appears under its name when it is whole and the manifest says so.

    Until then it lies hidden beside. What was not marked is removed on an error; what was, is kept, as another run can
    go on from there.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        paths: Sequence[Path],
        open_part: Callable[[int], Part],
        manifest: Manifest,
        begin: Mark | None = None,
    ) -> None:
        """
        Args:
            sources: the inputs.
            paths: an output file for each.
            open_part: what writes the output of the source of a number.
            manifest: what is done is marked there.
            begin: what an earlier run marked, to go on from.
        """
        self._sources, self._paths, self._open_part, self._manifest = sources, paths, open_part, manifest
        self._begin = begin
        self._now: int | None = None
        self._whole: list[tuple[int, Part, Fingerprint]] = []  # since the last mark
        self._finished: dict[int, Fingerprint | None] = {}
        self._marked: Part | None = None  # under way at the last mark

    def __enter__(self) -> Self:
        if self._begin is not None:
            self._now = self._begin.place.source
            with _writing(self._paths[self._now]):
                self._part = self._marked = self._open_part(self._now)
                self._part.resume(self._begin.written, self._begin.page)
        return self

    def take(self, source: int, written: Written) -> None:
        """Write into the source's file. See `Output`.

        Raises:
            UserError: it cannot be written.
        """
        if source != self._now:
            self._complete()
            self._now = source
            with _writing(self._paths[source]):
                self._part = self._open_part(source)
                self._part.begin()
        with _writing(self._paths[source]):
            self._part.take(written)

    def mark(self, end: BlockEnd) -> None:
        """Note what was done, and give what is whole its name. See `Output` and `take`."""
        self._finished |= end.finished
        with _writing(self._paths[end.place.source]):
            written = self._part.flush()
        self._note(lambda: self._manifest.mark(Mark(end.place, end.read, written, self._part.state)))
        self._marked = self._part

    def finish(self, finished: dict[int, Fingerprint | None]) -> None:
        """Complete the last file. See `Output` and `take`."""
        self._finished |= finished
        self._complete()
        self._note(self._manifest.end)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        left = [part for _, part, _ in self._whole]
        if self._now is not None:
            left.append(self._part)
        for part in left:
            with suppress(OSError):
                part.leave(keep=part is self._marked)

    def _complete(self) -> None:
        if self._now is None:
            return
        with _writing(self._paths[self._now]):
            self._whole.append((self._now, self._part, self._part.complete()))
        self._now = None

    def _note(self, write: Callable[[], None]) -> None:
        """Write what is whole into the manifest, with what `write` adds, and then give it its name."""
        whole, self._whole = self._whole, []
        for source, _, written in whole:
            names = (self._sources[source].name, str(self._paths[source]))
            self._manifest.done(Done(source, *names, self._finished.pop(source), written))
        try:
            write()
        except UserError:
            self._whole = whole
            raise
        for source, part, _ in whole:
            with _writing(self._paths[source]):
                part.appear()

    _part: Part


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UserError(f"{path}: cannot write: {error.strerror or error}") from error
