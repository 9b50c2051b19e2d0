"""Keep the state of a run in its output folder, so that another run can continue it.

The hidden folder `.tag-run` holds `run.json`, what was asked for, and in `parts/` the output of each finished part and
a record of it: checksums of what was read and written. When outputs are put together from parts, the record of the last
of these lists them; then outputs get their names, and then the parts' outputs are removed.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import IO, Any, NamedTuple, Self

from tagger.bulk.job import Counts, FinishedOutput, FinishedPart, FinishedPiece, PartTagger, Reject
from tagger.bulk.parts import Part
from tagger.errors import UserError
from tagger.files import bytes_written_whole, lock_folder, written_whole

NAME = ".tag-run"
_VERSION = 1
_AT_ONCE = 1 << 18
_AGAIN = "begin again with --overwrite in place of --resume"


class Task(NamedTuple):
    """A part to be tagged into a file; `is_joined` if its output was put together with others."""

    part: Part
    is_joined: bool


class ResumePoint(NamedTuple):
    """What an earlier run finished: numbers of parts that are in whole outputs, and hashes of all outputs' paths."""

    joined: set[int]
    written: set[int]


class RunState:
    """The state, locked against other runs. To be used as a context; it removes what nobody can continue."""

    def __init__(self, output: Path) -> None:
        """
        Args:
            output: the output folder.
        """
        self.output, self.folder = output, output / NAME
        self.parts, self._request = self.folder / "parts", self.folder / "run.json"
        self.resumed = ResumePoint(set(), set())
        self.continuable = True  # false where an input can be read only once
        self.begun = False
        self._made_output = not output.exists()
        self._lock = ExitStack()

    def __enter__(self) -> Self:
        """Make the folder and lock it.

        Raises:
            UserError: it cannot be written, or another run is at work there.
        """
        try:
            self.parts.mkdir(parents=True, exist_ok=True)
            (self.folder / ".lock").touch()  # fails where the folder cannot be written; `lock_folder` does not
            self._lock.enter_context(lock_folder(self.folder))
        except OSError as error:
            raise UserError(f"{self.folder}: cannot write: {error.strerror}; choose another --output") from error
        return self

    def __exit__(self, *_: object) -> None:
        keep = self.kept
        self._lock.close()
        if not keep:
            shutil.rmtree(self.folder, ignore_errors=True)
            with suppress(OSError):
                if self._made_output:
                    self.output.rmdir()

    @property
    def kept(self) -> bool:
        """True if another run could continue this one."""
        return self.continuable and any(self.parts.glob("*.json"))

    def begin(self, asked: dict[str, Any]) -> None:
        """Begin, and forget an earlier run.

        Raises:
            UserError: the folder cannot be written.
        """
        self._clean("*")
        self._write_request(asked=asked, done=False)
        self.begun = True

    def resume(self, asked: dict[str, Any]) -> bool:
        """Continue an earlier run. Every output that was whole is compared with its checksum.

        Returns:
            False if there is none.

        Raises:
            UserError: something else was asked for.
        """
        before = self._read_request()
        if before is None:
            return False
        if before.get("version") != _VERSION:
            raise UserError(f"{self.folder}: not what this version of tag.py writes; {_AGAIN}")
        _require_same(before["asked"], asked)
        for path in self.parts.glob("*.json"):
            if (part := _read_record(path)) and part.outputs:
                self.resumed.written.update(hash(output.path) for output in part.outputs)
                if sum(map(self._is_whole, part.outputs)) == len(part.outputs):
                    self.resumed.joined.update(range(part.first, part.number + 1))
        for number in self.resumed.joined:
            self.part_path(number).unlink(missing_ok=True)
        self._clean(".*.part")
        self._write_request(asked=asked, done=False)
        self.begun = True
        return True

    def refuse_unfinished(self) -> None:
        """Refuse to begin where a run was ended that another could continue.

        Raises:
            UserError: there is one.
        """
        before, parts = self._read_request(), sum(1 for _ in self.parts.glob("*.json"))
        if parts and before and not before.get("done"):
            raise UserError(
                f"{self.output}: an unfinished run is there, with {parts:,} parts done; add --resume to continue it, "
                "or --overwrite to begin again"
            )

    def task(self, part: Part) -> Task:
        """Add what an earlier run did."""
        return Task(part, part.number in self.resumed.joined)

    def part_path(self, number: int) -> Path:
        """Return the file of a part's output."""
        return self.parts / f"{number:08}"

    def write(self, path: Path, content: Callable[[IO[bytes]], None]) -> FinishedOutput:
        """Write an output under a temporary name.

        Args:
            path: its path below the output folder.
            content: writes it.

        Raises:
            UserError: it cannot be written.
        """
        temporary = f"output-{hashlib.sha256(str(path).encode(errors='surrogateescape')).hexdigest()[:32]}"
        try:
            with (self.folder / temporary).open("wb") as file:
                content(file)
        except OSError as error:
            raise _unwritable(self.output / path, error) from error
        return FinishedOutput(str(path), temporary, _checksum(self.folder / temporary))

    def complete(self, parts: Sequence[FinishedPart], outputs: list[FinishedOutput]) -> None:
        """Note the outputs that were put together from parts, give them their names, and remove what is in parts.

        Raises:
            UserError: the folder cannot be written.
        """
        last = parts[-1]._replace(first=parts[0].number, outputs=outputs)
        _write_record(self.part_path(last.number), last)
        for output in outputs:
            self._name(output)
        for part in parts:
            self.part_path(part.number).unlink(missing_ok=True)

    def end(self) -> None:
        """Note that all is done."""
        self._write_request(**{**(self._read_request() or {}), "done": True})

    def forget_from(self, number: int) -> None:
        """Remove parts from a number on: the input may change before they are read again."""
        for path in self.parts.glob("[0-9]*"):
            if int(path.stem) >= number:
                path.unlink(missing_ok=True)

    def _read_request(self) -> dict[str, Any] | None:
        try:
            found = json.loads(self._request.read_bytes())
            return found if isinstance(found, dict) else {}
        except FileNotFoundError:
            return None
        except (OSError, ValueError):
            return {}

    def _write_request(self, **request: Any) -> None:
        with written_whole(self._request) as stream:
            json.dump({**request, "version": _VERSION}, stream)

    def _is_whole(self, output: FinishedOutput) -> bool:
        """True if an output is as it was written; it gets its name if it has not got it yet."""
        if _checksum(self.output / output.path) == output.sha256:
            return True
        if _checksum(self.folder / output.temporary) != output.sha256:
            return False
        self._name(output)
        return True

    def _name(self, output: FinishedOutput) -> None:
        path, temporary = self.output / output.path, self.folder / output.temporary
        try:
            try:
                temporary.replace(path)
            except FileNotFoundError:
                path.parent.mkdir(parents=True, exist_ok=True)
                temporary.replace(path)
        except OSError as error:
            raise _unwritable(path, error) from error

    def _clean(self, pattern: str) -> None:
        """Remove what an earlier run was writing, and what is in its parts."""
        for path in [*self.folder.glob("output-*"), *self.parts.glob(pattern)]:
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
        path = self._parts / f"{task.part.number:08}"
        if before := _read_record(path.with_suffix(".json")):
            _require_unchanged(before, task.part)
            if task.is_joined or _checksum(path) == before.sha256:
                return before._replace(is_kept=True)
        self._tagger = self._tagger or self._open()
        finished = self._tagger(task.part)
        with bytes_written_whole(path) as file:
            file.write(finished.output or b"")
        finished = finished._replace(output=None)
        _write_record(path, finished)
        return finished


def _write_record(path: Path, part: FinishedPart) -> None:
    with written_whole(path.with_suffix(".json")) as stream:
        json.dump(part, stream)


def _read_record(path: Path) -> FinishedPart | None:
    try:
        part = FinishedPart(*json.loads(path.read_bytes()))
        outputs = [FinishedOutput(*output) for output in part.outputs]
        return part._replace(pieces=[_piece_of(*piece) for piece in part.pieces], outputs=outputs)
    except (OSError, ValueError, TypeError):
        return None


def _piece_of(*values: Any) -> FinishedPiece:
    piece = FinishedPiece(*values)
    return piece._replace(counts=Counts(*piece.counts), rejects=[Reject(*one) for one in piece.rejects])


def _require_unchanged(before: FinishedPart, part: Part) -> None:
    for old, now in zip(before.pieces, part.pieces, strict=False):
        same = (old.source, old.begin, old.end) == (now.source.name, now.begin, now.end)
        if not same or old.sha256 != now.read()[1]:
            break
    else:
        if len(before.pieces) == len(part.pieces):
            return
    raise UserError(f"{old.source}: has changed since it was tagged, or is gone; put it back, or {_AGAIN}")


def _require_same(before: dict[str, Any], asked: dict[str, Any]) -> None:
    for name in [*asked, *before]:
        if before.get(name) == asked.get(name):
            continue
        if name == "listing":
            raise UserError(f"--resume: the inputs are not those of the earlier run; name the same, or {_AGAIN}")
        difference = f"{name} was {before.get(name)!r} in the earlier run and is {asked.get(name)!r}"
        raise UserError(f"--resume: {difference}; ask for the same, or {_AGAIN}")


def _checksum(path: Path) -> str:
    """Return a file's SHA-256; an empty string where it cannot be read."""
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError:
        return ""


def _unwritable(path: Path, error: OSError) -> UserError:
    return UserError(f"{path}: cannot write: {error.strerror or error}")
