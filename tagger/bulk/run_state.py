"""Keep the state of a run in its output folder, so that another run can continue it.

The hidden folder `.tag-run` holds
    run.json       what was asked for, and whether all is done
    parts/N        the output of a finished part, until it is in an output
    parts/N.json   its record: checksums of what was read and written
    joined         a line for parts that were put together: the first, the last, and the outputs' checksums by path

Outputs are written under temporary names and listed in `joined`. Then they get their names, and then the parts'
outputs are removed. A part is done if its record is there and its output is as it was written, or was put together.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import IO, Any, Self

from tagger.bulk.job import Counts, FinishedPart, FinishedPiece, PartTagger, Reject
from tagger.bulk.parts import Part
from tagger.errors import UserError
from tagger.files import bytes_written_whole, lock_folder, sha256_of, written_whole

NAME = ".tag-run"
_VERSION = 2
Write = Callable[[IO[bytes]], object]
_AGAIN = "begin again with --overwrite in place of --resume"


class RunState:
    """State of a run in its output folder, locked against other runs.

    Use it as a context manager. At the end it removes what cannot be continued.
    """

    def __init__(self, output: Path) -> None:
        """Take the output folder."""
        self.output, self.folder = output, output / NAME
        self.parts, self._request, self._joined = (self.folder / one for one in ("parts", "run.json", "joined"))
        self.joined: set[int] = set()  # parts that are in whole outputs of an earlier run
        self.written: set[int] = set()  # hashes of the paths of its outputs
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
        except OSError as error:
            raise _unwritable(self.folder, error) from error
        self._lock.enter_context(lock_folder(self.folder))
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
        self._joined.unlink(missing_ok=True)
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
        for line in self._joined.read_bytes().splitlines() if self._joined.exists() else ():
            with suppress(ValueError):  # cut off: what it lists was not named yet
                first, last, outputs = json.loads(line)
                self.written.update(map(hash, outputs))
                whole = [self._make_whole(path, checksum) for path, checksum in outputs.items()]
                (self.joined.update if all(whole) else self.joined.difference_update)(range(first, last + 1))
        for number in self.joined:
            self.part_path(number).unlink(missing_ok=True)
        for record in self.parts.glob("*.json"):
            if int(record.stem) not in self.joined and not record.with_suffix("").exists():
                record.unlink()
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

    def part_path(self, number: int) -> Path:
        """Return the file of a part's output."""
        return self.parts / f"{number:08}"

    def complete(self, parts: Sequence[FinishedPart], outputs: Mapping[Path, Write | None]) -> None:
        """Write outputs that are put together from parts, and remove what is in the parts.

        Args:
            parts: in order.
            outputs: what writes each output, by its path below the output folder. None: it is the first part as it is.

        Raises:
            UserError: an output cannot be written.
        """
        checksums = {}
        for path, write in outputs.items():
            temporary = self._temporary(path)
            try:
                if write is None:
                    self.part_path(parts[0].number).replace(temporary)
                else:
                    with temporary.open("wb") as file:
                        write(file)
                checksums[str(path)] = parts[0].sha256 if write is None else sha256_of(temporary)
            except OSError as error:
                raise _unwritable(self.output / path, error) from error
        try:
            with self._joined.open("a", encoding="utf-8") as stream:  # behind what an earlier run may have cut off
                stream.write(f"\n{json.dumps([parts[0].number, parts[-1].number, checksums])}\n")
        except OSError as error:
            raise _unwritable(self._joined, error) from error
        for path in outputs:
            self._name(path)
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

    def _make_whole(self, path: str, checksum: str) -> bool:
        """Give an output its name if it has not got it yet. Return whether it is as it was written."""
        if _checksum(self.output / path) == checksum:
            return True
        if _checksum(self._temporary(path)) != checksum:
            return False
        self._name(path)
        return True

    def _temporary(self, path: Path | str) -> Path:
        """Return the temporary name of an output."""
        return self.folder / f"output-{hashlib.sha256(str(path).encode(errors='surrogateescape')).hexdigest()[:32]}"

    def _name(self, path: Path | str) -> None:
        try:
            (self.output / path).parent.mkdir(parents=True, exist_ok=True)
            self._temporary(path).replace(self.output / path)
        except OSError as error:
            raise _unwritable(self.output / path, error) from error

    def _clean(self, pattern: str) -> None:
        """Remove what an earlier run was writing, and what is in its parts."""
        for path in [*self.folder.glob("output-*"), *self.parts.glob(pattern)]:
            path.unlink(missing_ok=True)


class StoringTagger:
    """Tags parts into files, and leaves parts alone that are done."""

    def __init__(self, parts: Path, open_tagger: Callable[[], PartTagger]) -> None:
        """Take the folder of the files, and what opens the model when there is something to tag."""
        self._parts, self._open = parts, open_tagger
        self._tagger: PartTagger | None = None

    def __call__(self, part: Part) -> FinishedPart:
        """Tag a part, unless that was done already.

        Raises:
            UserError: an input cannot be read, or has changed since it was tagged; or the file cannot be written.
        """
        path = self._parts / f"{part.number:08}"
        if before := _read_record(path.with_suffix(".json")):
            _require_unchanged(before, part)
            if not path.exists() or _checksum(path) == before.sha256:
                return before._replace(is_kept=True)
        self._tagger = self._tagger or self._open()
        finished = self._tagger(part)
        with bytes_written_whole(path) as file:
            file.write(finished.output or b"")
        finished = finished._replace(output=None)
        with written_whole(path.with_suffix(".json")) as stream:
            json.dump(finished, stream)
        return finished


def _read_record(path: Path) -> FinishedPart | None:
    try:
        part = FinishedPart(*json.loads(path.read_bytes()))
        return part._replace(pieces=[_piece_of(*piece) for piece in part.pieces])
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
        return sha256_of(path)
    except OSError:
        return ""


def _unwritable(path: Path, error: OSError) -> UserError:
    return UserError(f"{path}: cannot write: {error.strerror or error}")
