"""Name the output files, and refuse names that are taken."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Sequence
from pathlib import Path

from tagger.bulk.compression import compression_of
from tagger.bulk.formats.lines import OutputFormat
from tagger.bulk.inputs import Source, file_identity
from tagger.errors import UserError

_EXTENSION = re.compile(r"\.[A-Za-z][A-Za-z0-9]{0,7}")
_REJECTS = ".rejects.jsonl"
_SHARD = re.compile(r"part-\d{5,}-of-\d{5,}(\.\w+|\.rejects\.jsonl)")


def output_path(source: Source, output_format: OutputFormat) -> Path:
    """Return the output file of an input, below the output folder: the input's path with the format's extension."""
    below = source.below
    if compression_of(below) and below.stem:
        below = below.with_suffix("")
    stem = below.stem if _EXTENSION.fullmatch(below.suffix) else below.name  # the 2024 of report.2024 is none
    return Path(below.with_name(f"{stem}.{output_format}"))


def rejects_path(path: Path) -> Path:
    """Return where the rejected records of an output go."""
    return path.with_name(path.stem + _REJECTS)


def shard_name(number: int, shards: int, output_format: OutputFormat) -> str:
    """Return the name of a part's file. Names sort as parts do, and say how many there are."""
    return f"part-{number:05}-of-{shards:05}.{output_format}"


def check_outputs(sources: Sequence[Source], folder: Path, output_format: OutputFormat, *, rejects: bool) -> None:
    """Check the output file of each input.

    Args:
        sources: the inputs.
        folder: the output folder.
        output_format: its extension is the files'.
        rejects: files of rejected records may be written beside them.

    Raises:
        UserError: `folder` is a file, two inputs would go to one file, or one to a folder or to an input.
    """
    refuse_file(folder)
    seen: dict[int, int] = {}
    there: dict[tuple[int, int], Path] = {}
    for number, source in enumerate(sources):
        path = output_path(source, output_format)
        other = seen.setdefault(hash(path), number)
        if other != number and output_path(sources[other], output_format) == path:
            raise UserError(
                f"{source.name}: its output {folder / path} is also that of {sources[other].name}; rename "
                "one, tag them in two runs, or name their folder (sub-folders are kept)"
            )
        if rejects and path.name.endswith(_REJECTS):
            raise UserError(f"{source.name}: rejected records could get its output's name; rename it")
        try:
            status = os.stat(folder / path)
        except OSError:
            continue
        if stat.S_ISDIR(status.st_mode):
            raise UserError(f"{folder / path}: is there already, a folder; remove it or choose another --output")
        there[file_identity(status)] = folder / path
    for source in sources if there else ():
        if source.path is not None and (taken := there.get(file_identity(os.stat(source.path)))):
            raise UserError(f"{taken}: is an input and would be overwritten; choose another --output")


def refuse_file(folder: Path) -> None:
    """Raise UserError where the output folder is a file, or looks like one."""
    if os.path.exists(folder) and not folder.is_dir():
        raise UserError(f"{folder}: is a file; --output names a folder, with a file per input in it")
    if folder.suffix[1:] in list(OutputFormat) and not os.path.exists(folder):
        raise UserError(f"{folder}: --output names a folder; for a single file, redirect: > {folder}")


def refuse_existing(
    sources: Sequence[Source], folder: Path, output_format: OutputFormat, known: set[int], *, rejects: bool
) -> None:
    """Raise UserError where an output is there already, unless an earlier run wrote it.

    Args:
        sources, folder, output_format, rejects: as in `check_outputs`.
        known: hashes of the paths that the earlier run wrote.
    """
    for path in (output_path(source, output_format) for source in sources):
        for one in (path, rejects_path(path)) if rejects else (path,):
            if hash(str(one)) not in known and os.path.lexists(folder / one):
                raise UserError(
                    f"{folder / one}: is there already; remove it or choose another --output, or add --overwrite"
                )


def clear_shards(folder: Path, sources: Sequence[Source], hidden: str, *, overwrite: bool) -> None:
    """Make sure that parts will be all that is in their folder; remove those of another run.

    Args:
        folder: the output folder.
        sources: the inputs, which must not lie in it.
        hidden: a name in it that is passed over.
        overwrite: parts of another run may be removed.

    Raises:
        UserError: the folder holds anything else.
    """
    there = [path for path in sorted(folder.iterdir()) if path.name != hidden] if folder.is_dir() else []
    if there and not overwrite:
        raise UserError(f"{folder}: is not empty; parts need a folder of their own, or --overwrite for old ones")
    inputs = {os.path.realpath(source.path) for source in sources if source.path is not None} if there else set()
    for path in there:
        if not _SHARD.fullmatch(path.name) or os.path.realpath(path) in inputs:
            raise UserError(f"{folder}: holds {path.name}, which is no part of another run; choose another --output")
    for path in there:
        path.unlink()
