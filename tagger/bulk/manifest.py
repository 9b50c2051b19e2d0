"""What a run that writes files keeps of itself, so that another can go on where it was ended.

The manifest lies hidden in the output folder: lines of JSON, only ever appended to. The first says what was asked for.
After each block that was tagged and written comes a line for every output that it made whole, and then one that says
where the input and the output under way stand. What stands behind the last of those was not done in full, and is done
again. A file that is whole gets its name when the line about it is there, so that a name found without such a line is
somebody else's.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple, Self

from tagger.bulk.block_reader import Place
from tagger.bulk.fingerprints import Fingerprint
from tagger.errors import UserError

NAME = ".tag-manifest"  # no extension, by which somebody might take it for an output
_VERSION = 1


class Done(NamedTuple):
    """An output that is whole: its source's number and path, what was read and what was written."""

    source: int
    input: str
    output: str
    read: Fingerprint | None
    written: Fingerprint


class Mark(NamedTuple):
    """Where a run stands between two blocks.

    Attributes:
        place: in the input.
        read: of the source there, what was read by then; None of a pipe.
        written: of its output, what was written by then.
        page: what an HTML page under way knows of itself.
    """

    place: Place = Place()
    read: Fingerprint | None = None
    written: Fingerprint = Fingerprint(0, "")
    page: dict[str, Any] | None = None


class Step(NamedTuple):
    """What came of a block: outputs made whole, where things stand then (None: all is done), and the line's end."""

    done: list[Done]
    mark: Mark | None
    end: int


class Manifest:
    """The file, open and locked. To be left as a context, which closes it."""

    def __init__(self, folder: Path) -> None:
        """Open the manifest of an output folder; both are made where they are not there.

        Raises:
            UserError: they cannot be made or written, or another run is at work in the folder.
        """
        self._path = folder / NAME
        self._pending = ""
        self.marked = False  # whether there is anything to go on from
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o666)
        except OSError as error:
            raise self._unwritable(error) from error
        with suppress(OSError):  # file systems that know no locks
            try:
                fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(self._descriptor)
                remedy = "wait for it, or choose another --output"
                raise UserError(f"{folder}: another run writes there; {remedy}") from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Close it, and remove it where it says nothing."""
        if not self.marked:
            self._path.unlink(missing_ok=True)
        os.close(self._descriptor)

    def begin(self, asked: dict[str, Any]) -> None:
        """Begin anew, with what is asked for."""
        try:
            os.ftruncate(self._descriptor, 0)
        except OSError as error:
            raise self._unwritable(error) from error
        self.marked = False
        self._append({"manifest": _VERSION, "asked": asked})
        self._write()

    def asked(self) -> dict[str, Any] | None:
        """What was asked for; None where nothing stands there.

        Raises:
            UserError: it is no manifest, or a newer one.
        """
        _, line = next(self._lines(), (0, None))
        if line is None:
            return None
        self.marked = True
        if line.get("manifest") != _VERSION or not isinstance(line.get("asked"), dict):
            remedy = "begin anew with --overwrite in place of --resume"
            raise UserError(f"{self._path}: not what this version of tag.py writes; {remedy}")
        return dict(line["asked"])

    def steps(self) -> Iterator[Step]:
        """What was done, in order; lines of a block that was not finished are left out."""
        done: list[Done] = []
        for end, line in self._lines():
            if "done" in line:
                names = (line["done"], line["input"], line["output"])
                done.append(Done(*names, _fingerprint(line["read"]), Fingerprint(*line["written"])))
            elif "block" in line:
                place = Place(line["block"], line["source"], line["records"])
                mark = Mark(place, _fingerprint(line["read"]), Fingerprint(*line["written"]), line.get("page"))
                yield Step(done, mark, end)
                done = []
            elif "end" in line:
                yield Step(done, None, end)

    def cut(self, end: int) -> None:
        """Forget what stands behind a step's end."""
        try:
            os.ftruncate(self._descriptor, end)
        except OSError as error:
            raise self._unwritable(error) from error

    def done(self, done: Done) -> None:
        """Note an output that is whole, to be written with the next mark."""
        source, input_, output, read, written = done
        self._append({"done": source, "input": input_, "output": output, "read": read, "written": written})

    def mark(self, mark: Mark) -> None:
        """Write where things stand. From here on, this is what another run goes on from."""
        block, source, records = mark.place
        page = {} if mark.page is None else {"page": mark.page}
        self._append(
            {"block": block, "source": source, "records": records, "read": mark.read, "written": mark.written, **page}
        )
        self._write()
        self.marked = True

    def end(self) -> None:
        """Write that all is done."""
        self._append({"end": True})
        self._write()
        self.marked = True

    def _append(self, line: dict[str, Any]) -> None:
        self._pending += json.dumps(line) + "\n"

    def _write(self) -> None:
        data, self._pending = memoryview(self._pending.encode()), ""
        try:
            while data:
                data = data[os.write(self._descriptor, data) :]
        except OSError as error:
            raise self._unwritable(error) from error

    def _lines(self) -> Iterator[tuple[int, dict[str, Any]]]:
        """Whole lines, each with where it ends; a line that was cut off is the last."""
        end = 0
        with self._path.open("rb") as stream:
            for line in stream:
                end += len(line)
                try:
                    value = json.loads(line) if line.endswith(b"\n") else None
                except ValueError:
                    return
                if not isinstance(value, dict):
                    return
                yield end, value

    def _unwritable(self, error: OSError) -> UserError:
        return UserError(f"{self._path}: cannot write: {error.strerror or error}; choose another --output")


def _fingerprint(pair: list[Any] | None) -> Fingerprint | None:
    return None if pair is None else Fingerprint(*pair)
