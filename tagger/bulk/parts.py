"""Output files under way: hidden beside their names, appended to, cut back to where they were known to stand."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, Protocol

from tagger.bulk.fingerprints import Digest, Fingerprint, digest_of, has_fingerprint
from tagger.bulk.formats.html import HtmlPage
from tagger.bulk.formats.lines import Rows
from tagger.corpus.document import Document

_LONGEST_NAME = 240  # bytes; file systems take 255


def hidden(path: Path, kind: str) -> Path:
    """Where something lies that is to become `path`, or belongs to it, until then."""
    name = path.name
    if len(os.fsencode(name)) > _LONGEST_NAME - len(kind):
        name = f"{name[:40]}.{hashlib.sha256(os.fsencode(name)).hexdigest()[:32]}"
    return path.with_name(f".{name}.{kind}")


class Part(Protocol):
    """An output file under way. Its methods raise OSError where it cannot be written."""

    def begin(self) -> None:
        """Begin it, in place of one that was left there."""
        ...

    def resume(self, written: Fingerprint, state: dict[str, Any] | None) -> None:
        """Go on with what an earlier run left, of which so much counts."""
        ...

    def take(self, written: Any) -> None:
        """Append what was tagged."""
        ...

    def flush(self) -> Fingerprint:
        """Hand all over to the system; returns what an earlier run's `resume` would go by."""
        ...

    @property
    def state(self) -> dict[str, Any] | None:
        """What else `resume` needs to know."""
        ...

    def complete(self) -> Fingerprint:
        """End it; returns what the file is that will appear."""
        ...

    def appear(self) -> None:
        """Give it its name."""
        ...

    def leave(self, *, keep: bool) -> None:
        """End work on it without that; with `keep` it stays for another run to go on with."""
        ...


class _PartFile:
    """What parts have in common: a hidden file that is appended to."""

    def __init__(self, path: Path) -> None:
        self._path, self._hidden = path, hidden(path, "part")
        self._stream: IO[bytes] | None = None

    def begin(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._hidden.unlink(missing_ok=True)
        self._stream, self._digest = self._hidden.open("xb"), Digest()

    def resume(self, written: Fingerprint, state: dict[str, Any] | None) -> None:
        assert state is None
        os.truncate(self._hidden, written.size)
        self._digest = digest_of(self._hidden)
        self._stream = self._hidden.open("ab")

    def flush(self) -> Fingerprint:
        assert self._stream is not None
        self._stream.flush()
        return self._digest.fingerprint

    @property
    def state(self) -> dict[str, Any] | None:
        return None

    def complete(self) -> Fingerprint:
        assert self._stream is not None
        self._stream.close()
        return self._digest.fingerprint

    def appear(self) -> None:
        self._hidden.replace(self._path)

    def leave(self, *, keep: bool) -> None:
        if self._stream is not None:
            self._stream.close()
        if not keep:
            self._hidden.unlink(missing_ok=True)

    def _write(self, data: bytes) -> None:
        assert self._stream is not None
        self._stream.write(data)
        self._digest.update(data)

    _digest: Digest


class LinesPart(_PartFile):
    """Lines, as they come."""

    def take(self, written: str) -> None:
        self._write(written.encode("utf-8"))


class PagePart(_PartFile):
    """An HTML page."""

    def __init__(self, path: Path, open_page: Callable[[], HtmlPage]) -> None:
        super().__init__(path)
        self._page = open_page()

    def resume(self, written: Fingerprint, state: dict[str, Any] | None) -> None:
        super().resume(written, None)
        if state is not None:
            self._page.restore(state)

    def take(self, written: list[Document]) -> None:
        for piece in self._page.of(written):
            self._write(piece.encode("utf-8"))

    @property
    def state(self) -> dict[str, Any] | None:
        return self._page.state

    def complete(self) -> Fingerprint:
        self._write(self._page.end().encode("utf-8"))
        return super().complete()


class Table(Protocol):
    """Rows to a file (see `tagger.bulk.formats.parquet.ParquetTable`)."""

    def packed(self, rows: Rows) -> bytes:
        """Rows as bytes that may follow each other."""
        ...

    def write(self, packed: IO[bytes], file: IO[bytes]) -> None:
        """All rows as a file."""
        ...


class TablePart(_PartFile):
    """A table, whose file can only be written when all is there: until then, packed rows one after another."""

    def __init__(self, path: Path, table: Table) -> None:
        super().__init__(path)
        self._ready, self._table = hidden(path, "whole"), table

    def take(self, written: Rows) -> None:
        self._write(self._table.packed(written))

    def complete(self) -> Fingerprint:
        super().complete()
        with self._hidden.open("rb") as packed, self._ready.open("wb") as file:
            self._table.write(packed, file)
        return digest_of(self._ready).fingerprint

    def appear(self) -> None:
        self._ready.replace(self._path)
        self._hidden.unlink(missing_ok=True)

    def leave(self, *, keep: bool) -> None:
        super().leave(keep=keep)
        self._ready.unlink(missing_ok=True)


def found_whole(path: Path, written: Fingerprint) -> bool:
    """Whether an output that was noted as whole is there; it gets its name if it has not got it yet."""
    places = [hidden(path, kind) for kind in ("part", "whole")]
    found = next((place for place in (path, *places) if has_fingerprint(place, written)), None)
    if found is None:
        return False
    if found != path:
        found.replace(path)
    for place in places:
        place.unlink(missing_ok=True)
    return True


def found_part(path: Path, written: Fingerprint) -> bool:
    """Whether what was noted of an output under way is there, be it as the beginning of what it has since become."""
    place = hidden(path, "part")
    if has_fingerprint(place, written, begins=True):
        return True
    if has_fingerprint(path, written, begins=True):
        place.unlink(missing_ok=True)
        path.replace(place)
        return True
    return False
