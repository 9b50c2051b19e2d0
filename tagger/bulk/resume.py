"""Where a run goes on: what an earlier one noted, compared with what is asked for now and what lies on the disk."""

from __future__ import annotations

import hashlib
import os
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from tagger.bulk.fingerprints import Fingerprint, has_fingerprint
from tagger.bulk.inputs import Source
from tagger.bulk.manifest import NAME, Done, Manifest, Mark
from tagger.bulk.parts import found_part, found_whole
from tagger.bulk.records import InputFormat
from tagger.errors import UserError

_ANEW = "begin anew with --overwrite in place of --resume"
_LATEST = 1000  # marks that are tried, if the latest are not what lies on the disk: after a power cut


class Resumed(NamedTuple):
    """Where to go on.

    Attributes:
        mark: where the earlier run stood; None: at the beginning.
        done: how many outputs are whole.
        noted: how many were; those that are not as they were are written again.
        all_done: nothing is left to do.
    """

    mark: Mark | None = None
    done: int = 0
    noted: int = 0
    all_done: bool = False


@dataclass
class History:
    """What a run has to do with one before it, and one after.

    Attributes:
        asked: what is asked for, to be compared with what a later run asks for.
        manifest: what is done is noted there; None as long as there is none.
        resumed: where the run goes on.
        begun: whether it has begun to write.
        sources: its inputs.
    """

    asked: dict[str, Any] = field(default_factory=dict)
    manifest: Manifest | None = None
    resumed: Resumed = field(default_factory=Resumed)
    begun: bool = False
    sources: Sequence[Source] = ()

    @property
    def kept(self) -> bool:
        """Whether another run could go on from where this one stands."""
        marked = self.begun and self.manifest is not None and self.manifest.marked
        return marked and not any(_pipe(source) for source in self.sources)


def listing_of(sources: Sequence[Source]) -> str:
    """A digest of the inputs' names, in their order."""
    digest = hashlib.sha256()
    for source in sources:
        digest.update(os.fsencode(source.name) + b"\0")
    return digest.hexdigest()


def resume(manifest: Manifest, asked: dict[str, Any], sources: Sequence[Source], paths: Sequence[Path]) -> Resumed:
    """Find out where to go on, and cut the manifest there.

    Every input that was read, and every output that was written, is read again and compared with its checksum.

    Args:
        manifest: the earlier run's; where it says nothing, the run begins anew.
        asked: what is asked for now.
        sources, paths: the inputs, and an output file for each.

    Raises:
        UserError: something else was asked for, an input has changed, or what was written is gone.
    """
    before = manifest.asked()
    if before is None:
        return Resumed()
    _require_same(before, asked)
    for source in sources:
        if _pipe(source):
            raise UserError(f"{source.name}: cannot be read again, which --resume needs; name files")
    latest: deque[tuple[Mark, int, int]] = deque(maxlen=_LATEST)  # with what is done by then, and the line's end
    done = noted = 0
    sound = True
    for step in manifest.steps():
        noted += len(step.done)
        sound = sound and all(_still_there(one, sources, paths) for one in step.done)
        if not sound:
            continue
        done = noted
        if step.mark is None:
            return Resumed(done=done, noted=noted, all_done=True)
        latest.append((step.mark, done, step.end))
    while latest:
        mark, done, end = latest.pop()
        source = sources[mark.place.source]
        if found_part(paths[mark.place.source], mark.written):
            _require_unchanged(source, mark.read, whole=source.input_format is InputFormat.PARQUET)
            manifest.cut(end)
            return Resumed(mark, done, noted)
    if done:
        raise UserError(f"{paths[done - 1]}: not as it was written; {_ANEW}")
    return Resumed(noted=noted)


def refuse_unfinished(folder: Path) -> None:
    """Refuse to begin anew in an output folder where a run was ended that another could go on with.

    Raises:
        UserError: there is one, or another run is at work there.
    """
    if not (folder / NAME).is_file():
        return
    with Manifest(folder) as manifest:
        asked = manifest.asked() or {}
        done, last = 0, None
        for step in manifest.steps():
            done, last = done + len(step.done), step.mark
    if last is None or last.read is None:  # at its end, at its beginning, or in a pipe, which cannot be read again
        return
    raise UserError(
        f"{folder}: an unfinished run is there, with {done:,} of {asked.get('inputs', '?')} files done and "
        f"{last.place.records:,} records of the next; add --resume to go on with it, or --overwrite to begin anew"
    )


def _pipe(source: Source) -> bool:
    """Whether a source can be read but once."""
    path = source.path
    return path is None or (path.exists() and not path.is_file() and not path.is_dir())


def _require_same(before: dict[str, Any], asked: dict[str, Any]) -> None:
    for name in [*asked, *before]:
        if name == "listing" and before.get(name) != asked.get(name):
            raise UserError(f"--resume: the inputs are not those of the earlier run; name the same, or {_ANEW}")
        if before.get(name) != asked.get(name):
            told = f"{name} was {before.get(name)!r} in the earlier run and is {asked.get(name)!r}"
            raise UserError(f"--resume: {told}; ask for the same, or {_ANEW}")


def _still_there(done: Done, sources: Sequence[Source], paths: Sequence[Path]) -> bool:
    _require_unchanged(sources[done.source], done.read, whole=True)
    return found_whole(paths[done.source], done.written)


def _require_unchanged(source: Source, read: Fingerprint | None, *, whole: bool) -> None:
    """Refuse a source that is not what was read, or does not begin with it unless it was read to its end."""
    assert source.path is not None
    if read is None or not has_fingerprint(source.path, read, begins=not whole):
        raise UserError(f"{source.name}: has changed since it was tagged, or is gone; put it back, or {_ANEW}")
