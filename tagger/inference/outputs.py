"""Where tagged blocks go: standard output, or a file per source, each whole or not at all."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import IO, Protocol, Self

from tagger.errors import UserError
from tagger.files import written_whole
from tagger.inference.documents import Document
from tagger.inference.page import HtmlPage

Written = str | list[Document]  # lines, or documents that have yet to be put on a page


class Output(Protocol):
    """Takes what was tagged, in the order of the input. Only leaving it without an error makes all of it whole."""

    def __enter__(self) -> Self: ...

    def take(self, source: int, written: Written) -> None:
        """Write what was tagged next, of the source of this number."""
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
            self._page = self._page or self._open_page()
            self._pieces += self._page.of(written)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None and self._page is not None:
            self._write([*self._pieces, self._page.end()])

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
    """A file for each source, which appears under its name when the next one begins."""

    def __init__(self, paths: Sequence[Path], open_page: Callable[[], HtmlPage]) -> None:
        self._paths, self._open_page = paths, open_page
        self._now: int | None = None
        self._file = ExitStack()  # what ends the file being written

    def __enter__(self) -> Self:
        return self

    def take(self, source: int, written: Written) -> None:
        """Write into the source's file. See `Output`.

        Raises:
            UserError: it cannot be written.
        """
        if source != self._now:
            self._finish()
            self._now, self._page = source, None
            self._stream = self._file.enter_context(written_whole(self._paths[source]))
        if isinstance(written, str):
            self._stream.write(written)
        else:
            self._page = self._page or self._open_page()
            self._stream.writelines(self._page.of(written))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self._finish()
        else:
            self._file.__exit__(kind, error, trace)

    def _finish(self) -> None:
        if self._now is not None and self._page is not None:
            self._stream.write(self._page.end())
        self._file.close()

    _page: HtmlPage | None
    _stream: IO[str]
