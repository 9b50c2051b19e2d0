"""Keep the state of a run in its output folder, so that another run can continue it.

The hidden folder `.tag-run` holds: `run.json`, what was asked for; `parts/`, finished parts with a record of each that
holds the checksums of what was read and written; `log.jsonl`, a line for each group of outputs that was put together
from parts. A line is written before its outputs get their names, and parts are removed after that.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple, Self

from filelock import FileLock, Timeout

from tagger.bulk.job import Counts, FinishedPart, FinishedPiece, PartTagger, Reject
from tagger.bulk.parts import Part
from tagger.errors import UserError
from tagger.files import bytes_written_whole, written_whole

NAME = ".tag-run"
_VERSION = 1
_AT_ONCE = 1 << 18
_AGAIN = "begin again with --overwrite in place of --resume"


class FinishedOutput(NamedTuple):
    """An output that is whole.

    Attributes:
        path: below the output folder.
        temporary: where it lies until it gets its name, below the run's folder.
        size, sha256: what was written.
    """

    path: str
    temporary: str
    size: int
    sha256: str


class LogEntry(NamedTuple):
    """Outputs that were put together, and the parts that they are made of."""

    outputs: list[FinishedOutput]
    parts: list[FinishedPart]


class ResumePoint(NamedTuple):
    """What an earlier run finished.

    Attributes:
        joined: parts whose outputs are whole, with the byte of the log where the entry begins.
        whole: hashes of the paths of outputs that are whole.
        written: hashes of the paths of all that were.
    """

    joined: dict[int, int]
    whole: set[int]
    written: set[int]


class Task(NamedTuple):
    """A part to be tagged into a file.

    Attributes:
        part: the part.
        joined: its record, if its output is part of a whole output already.
    """

    part: Part
    joined: FinishedPart | None


class RunState:
    """The state, locked against other runs. To be used as a context, which removes it if there is nothing to continue."""

    def __init__(self, output: Path) -> None:
        """
        Args:
            output: the output folder.
        """
        self.output, self.folder = output, output / NAME
        self.parts = self.folder / "parts"
        self.resumed = ResumePoint({}, set(), set())
        self.continuable = True  # false where an input can be read only once
        self.begun = False
        self._made_output = not output.exists()
        self._log = self.folder / "log.jsonl"
        self._lock = FileLock(self.folder / "lock", timeout=0)
        self._entry: tuple[int, LogEntry] | None = None

    def __enter__(self) -> Self:
        """Make the folder and lock it.

        Raises:
            UserError: it cannot be written, or another run is at work there.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with suppress(NotImplementedError):  # file systems without locks
                self._lock.acquire()
        except Timeout:
            raise UserError(
                f"{self.output}: another run writes there; wait for it, or choose another --output"
            ) from None
        except OSError as error:
            raise _unwritable(self.folder, error) from error
        return self

    def __exit__(self, *_: object) -> None:
        keep = self.kept
        self._lock.release()
        if not keep:
            shutil.rmtree(self.folder, ignore_errors=True)
            with suppress(OSError):
                if self._made_output:
                    self.output.rmdir()

    @property
    def kept(self) -> bool:
        """True if another run could continue this one, or this one is done."""
        return self.continuable and (self._log.is_file() or any(self.parts.glob("*.json")))

    def begin(self, asked: dict[str, Any]) -> None:
        """Begin, and forget what was there.

        Raises:
            UserError: the folder cannot be written.
        """
        try:
            shutil.rmtree(self.parts, ignore_errors=True)
            self._log.unlink(missing_ok=True)
            self._clean()
            self.parts.mkdir()
        except OSError as error:
            raise _unwritable(self.folder, error) from error
        with written_whole(self.folder / "run.json") as stream:
            json.dump({"version": _VERSION, "asked": asked}, stream)
        self.begun = True

    def resume(self, asked: dict[str, Any]) -> bool:
        """Continue an earlier run, if there is one. Every output that was whole is compared with its checksum.

        Returns:
            False if there is none.

        Raises:
            UserError: something else was asked for.
        """
        try:
            before = json.loads((self.folder / "run.json").read_bytes())
        except FileNotFoundError:
            return False
        except (OSError, ValueError):
            before = {}
        if not isinstance(before, dict) or before.get("version") != _VERSION:
            raise UserError(f"{self.folder}: not what this version of tag.py writes; {_AGAIN}")
        _require_same(before["asked"], asked)
        self.parts.mkdir(exist_ok=True)
        joined: dict[int, int] = {}
        whole: set[int] = set()
        written: set[int] = set()
        log_end = 0
        for begin, log_end, entry in self._entries():
            paths = {hash(output.path) for output in entry.outputs}
            written |= paths
            if all([self._is_whole(output) for output in entry.outputs]):
                joined |= {part.number: begin for part in entry.parts}
                whole |= paths
                self._remove(entry.parts)
        if self._log.is_file():
            os.truncate(self._log, log_end)
        self._clean()
        self.resumed = ResumePoint(joined, whole, written)
        self.begun = True
        return True

    def task(self, part: Part) -> Task:
        """Add what an earlier run knows of a part."""
        begin = self.resumed.joined.get(part.number)
        if begin is None:
            return Task(part, None)
        if self._entry is None or self._entry[0] != begin:
            with self._log.open("rb") as stream:
                stream.seek(begin)
                self._entry = begin, _entry_of(json.loads(stream.readline()))
        return Task(part, next(one for one in self._entry[1].parts if one.number == part.number))

    def part_path(self, number: int) -> Path:
        """Return the file of a part."""
        return part_path(self.parts, number)

    def complete(self, entry: LogEntry) -> None:
        """Note outputs that are whole, give them their names, and remove their parts.

        Raises:
            UserError: the folder cannot be written.
        """
        parts = [part._replace(pieces=[one._replace(rejects=[]) for one in part.pieces]) for part in entry.parts]
        try:
            with self._log.open("ab") as stream:
                stream.write(json.dumps(LogEntry(entry.outputs, parts)).encode() + b"\n")
                stream.flush()
                os.fsync(stream.fileno())
        except OSError as error:
            raise _unwritable(self._log, error) from error
        for output in entry.outputs:
            path = self.output / output.path
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                (self.folder / output.temporary).replace(path)
            except OSError as error:
                raise _unwritable(path, error) from error
        self._remove(entry.parts)

    def end(self) -> None:
        """Note that all is done."""
        self.complete(LogEntry([], []))
        shutil.rmtree(self.parts, ignore_errors=True)

    def forget_from(self, number: int) -> None:
        """Remove parts from a number on: they lie behind a part that has to be read again."""
        for path in self.parts.glob("*"):
            if path.name.removesuffix(".json").isdecimal() and int(path.name.removesuffix(".json")) >= number:
                path.unlink(missing_ok=True)

    def refuse_unfinished(self) -> None:
        """Refuse to begin where a run was ended that another could continue.

        Raises:
            UserError: there is one.
        """
        outputs = 0
        ended = False
        for _, _, entry in self._entries():
            outputs += len(entry.outputs)
            ended = not entry.parts
        parts = sum(1 for _ in self.parts.glob("*.json"))
        if (outputs or parts) and not ended:
            raise UserError(
                f"{self.output}: an unfinished run is there, with {outputs:,} files and {parts:,} parts of others done; "
                "add --resume to continue it, or --overwrite to begin again"
            )

    def _entries(self) -> Iterator[tuple[int, int, LogEntry]]:
        """Yield whole entries of the log, with the bytes where each begins and ends."""
        begin = 0
        with suppress(FileNotFoundError), self._log.open("rb") as stream:
            for line in stream:
                try:
                    entry = _entry_of(json.loads(line)) if line.endswith(b"\n") else None
                except (ValueError, TypeError):
                    entry = None
                if entry is None:
                    return
                yield begin, begin + len(line), entry
                begin += len(line)

    def _is_whole(self, output: FinishedOutput) -> bool:
        """True if an output is as it was written; it gets its name if it has not got it yet."""
        path, temporary = self.output / output.path, self.folder / output.temporary
        if _has(path, output.sha256, output.size):
            return True
        if not _has(temporary, output.sha256, output.size):
            return False
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.replace(path)
        return True

    def _remove(self, parts: list[FinishedPart]) -> None:
        for part in parts:
            path = self.part_path(part.number)
            record_path(path).unlink(missing_ok=True)
            path.unlink(missing_ok=True)

    def _clean(self) -> None:
        """Remove what a killed run was writing."""
        for path in [*self.folder.glob("output-*"), *self.folder.glob(".*.part"), *self.parts.glob(".*.part")]:
            path.unlink(missing_ok=True)


class StoringTagger:
    """Tags parts into files, and leaves parts alone that are whole."""

    def __init__(self, parts: Path, open_tagger: Callable[[], PartTagger]) -> None:
        """
        Args:
            parts: the folder of the files.
            open_tagger: opens the model; called when there is something to tag.
        """
        self._parts, self._open = parts, open_tagger
        self._tagger: PartTagger | None = None

    def __call__(self, task: Task) -> FinishedPart:
        """Tag a part, unless that was done already.

        Raises:
            UserError: an input cannot be read, or has changed since it was tagged; or the file cannot be written.
        """
        part, path = task.part, part_path(self._parts, task.part.number)
        before = task.joined or _read_record(record_path(path))
        if before is not None:
            _require_unchanged(before, part)
            if task.joined or _has(path, before.sha256):
                return before._replace(kept=True)
        self._tagger = self._tagger or self._open()
        finished = self._tagger(part)
        with bytes_written_whole(path) as file:
            file.write(finished.output or b"")
        finished = finished._replace(output=None)
        with written_whole(record_path(path)) as record:
            json.dump(finished, record)
        return finished


def part_path(parts: Path, number: int) -> Path:
    """Return the file of a part in a folder."""
    return parts / f"{number:08}"


def record_path(path: Path) -> Path:
    """Return the file of a part's record."""
    return path.with_name(f"{path.name}.json")


def _read_record(path: Path) -> FinishedPart | None:
    try:
        return _part_of(json.loads(path.read_bytes()))
    except (OSError, ValueError, TypeError):
        return None


def _part_of(value: list[Any]) -> FinishedPart:
    number, pieces, *rest = value
    return FinishedPart(number, [_piece_of(*piece) for piece in pieces], *rest)


def _piece_of(*values: Any) -> FinishedPiece:
    piece = FinishedPiece(*values)
    return piece._replace(counts=Counts(*piece.counts), rejects=[Reject(*one) for one in piece.rejects])


def _entry_of(value: list[Any]) -> LogEntry:
    outputs, parts = value
    return LogEntry([FinishedOutput(*output) for output in outputs], [_part_of(part) for part in parts])


def _require_unchanged(before: FinishedPart, part: Part) -> None:
    changed = len(before.pieces) != len(part.pieces)
    for old, now in zip(before.pieces, part.pieces, strict=False):
        same = (old.source, old.begin, old.end) == (now.source.name, now.begin, now.end)
        if not same or old.sha256 != now.read()[1]:
            changed = True
            break
    if changed:
        raise UserError(f"{old.source}: has changed since it was tagged, or is gone; put it back, or {_AGAIN}")


def _require_same(before: dict[str, Any], asked: dict[str, Any]) -> None:
    for name in [*asked, *before]:
        if before.get(name) == asked.get(name):
            continue
        if name == "listing":
            raise UserError(f"--resume: the inputs are not those of the earlier run; name the same, or {_AGAIN}")
        difference = f"{name} was {before.get(name)!r} in the earlier run and is {asked.get(name)!r}"
        raise UserError(f"--resume: {difference}; ask for the same, or {_AGAIN}")


def _has(path: Path, sha256: str, size: int | None = None) -> bool:
    """True if a file is there with this content."""
    digest = hashlib.sha256()
    try:
        if size is not None and path.stat().st_size != size:
            return False
        with path.open("rb", buffering=0) as stream:
            while data := stream.read(_AT_ONCE):
                digest.update(data)
    except OSError:
        return False
    return digest.hexdigest() == sha256


def _unwritable(path: Path, error: OSError) -> UserError:
    return UserError(f"{path}: cannot write: {error.strerror or error}; choose another --output")
