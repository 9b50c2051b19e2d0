"""Find inputs: files, folders, patterns and standard input."""

from __future__ import annotations

import glob
import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePath
from typing import IO, NamedTuple, NoReturn

from tagger.bulk.compression import compression_of, decompressed
from tagger.bulk.records import InputFormat
from tagger.corpus.readers.account import open_bytes
from tagger.errors import UserError

STANDARD_INPUT = "-"
EXTENSIONS = {
    InputFormat.TEXT: (".txt", ".text", ".md"),
    InputFormat.CONLL: (".conll", ".iob", ".iob2", ".bio", ".bioes", ".tsv"),
    InputFormat.CONLLU: (".conllu",),
    InputFormat.JSONL: (".jsonl", ".ndjson"),
    InputFormat.PARQUET: (".parquet", ".pq"),
    InputFormat.CSV: (".csv",),
}
_FORMATS = {extension: known for known, extensions in EXTENSIONS.items() for extension in extensions}
_WILDCARD = re.compile(r"[*?\[]")
_KINDS_SHOWN = 5


class Source(NamedTuple):
    """One input."""

    path: str | None  # None stands for standard input
    input_format: InputFormat
    above: int = 0  # characters of the path above the folder or pattern that it was found by

    @property
    def name(self) -> str:
        """The name in messages."""
        return "standard input" if self.path is None else self.path

    @property
    def below(self) -> PurePath:
        """The path below the folder or pattern; the name alone where the file was named itself."""
        return PurePath("stdin" if self.path is None else self.path[self.above :])

    @property
    def rereadable(self) -> bool:
        """True for files, which can be read twice; false for pipes."""
        return self.path is not None and os.path.isfile(self.path)

    @property
    def compression(self) -> str:
        """The suffix of its compression, or an empty string."""
        return compression_of(PurePath(self.path)) if self.path is not None else ""

    def open_raw(self) -> IO[bytes]:
        """Open the file.

        Raises:
            UserError: it cannot be opened.
        """
        assert self.path is not None, "standard input is open"
        if self.compression and self.input_format is InputFormat.PARQUET:
            raise UserError(f"{self.path}: Parquet is compressed within; decompress the file itself first")
        return open_bytes(Path(self.path))


def find_sources(
    arguments: Sequence[str], input_format: InputFormat | None = None, *, leave_out: Path | None = None
) -> tuple[list[Source], list[str]]:
    """Find the inputs that arguments name, in their order. Each exists and is readable.

    Args:
        arguments: files, folders (every file below of a known extension, sorted by path, without hidden ones),
            patterns, or `-` for standard input. No arguments are the same as `-`.
        input_format: of all inputs. None: by extension, and text where that is unknown.
        leave_out: the output folder: its files are not inputs, unless it holds the searched folder itself.

    Returns:
        The inputs, and a line on each folder in which files were left out.

    Raises:
        UserError: something is missing, unreadable or named twice, or a folder or pattern has no files.
    """
    sources: list[Source] = []
    notes: list[str] = []
    for argument in arguments or [STANDARD_INPUT]:
        if argument == STANDARD_INPUT:
            sources.append(Source(None, input_format or InputFormat.TEXT))
            continue
        if os.path.isdir(argument):
            found = _in_folder(argument, leave_out, notes)
        elif not os.path.lexists(argument) and _WILDCARD.search(argument):
            found = _matching(argument)
        else:
            found = iter([(str(Path(argument)), Path(argument).name)])
        for path, below in found:
            known = input_format or _known_format(PurePath(below)) or InputFormat.TEXT
            sources.append(Source(path, known, len(path) - len(below)))
    _refuse_duplicates(sources)
    for source in sources:
        _check(source)
    return sources, notes


def files_below(folder: Path, left_out: Path | None = None) -> list[str]:
    """List the files below a folder, relative to it and sorted by the parts of their paths.

    Hidden files and folders are left out. Links to folders are not followed.

    Args:
        folder: where to look.
        left_out: a folder, resolved, that is passed over.

    Raises:
        UserError: a folder cannot be read.
    """
    found = []
    for place, folders, names in os.walk(folder, onerror=_cannot_read):
        folders[:] = [name for name in folders if name[0] != "." and Path(place, name).resolve() != left_out]
        for path in (os.path.join(place, name) for name in names if not name.startswith(".")):
            if os.path.isfile(path) or not os.path.exists(path):  # a broken link is an error to be reported
                found.append(os.path.relpath(path, folder))
    return sorted(found, key=lambda path: path.replace(os.sep, "\0"))


def _in_folder(argument: str, leave_out: Path | None, notes: list[str]) -> Iterator[tuple[str, str]]:
    """Yield files of known kinds, with their paths below the folder; note what was left out."""
    folder = Path(argument)
    left_out_folder = None if leave_out is None else leave_out.resolve()
    if left_out_folder is not None and left_out_folder in [folder.resolve(), *folder.resolve().parents]:
        left_out_folder = None
    unknown: Counter[str] = Counter()
    known = 0
    for below in files_below(folder, left_out_folder):
        if _known_format(PurePath(below)):
            known += 1
            yield below if str(folder) == "." else os.path.join(folder, below), below
        else:
            unknown[PurePath(below).suffix or "no extension"] += 1
    if not known:
        kinds = ", ".join(_FORMATS)
        raise UserError(f"{folder}: no file in this folder is of a known kind ({kinds}); name files or use a pattern")
    if unknown:
        shown = [f"{count:,} {kind}" for kind, count in unknown.most_common(_KINDS_SHOWN)]
        more = ", ..." if len(unknown) > _KINDS_SHOWN else ""
        note = f"{folder}: left out {unknown.total():,} of unknown kind ({', '.join(shown)}{more})"
        notes.append(str(UserError(note)))  # control characters in names do not reach the terminal


def _matching(pattern: str) -> Iterator[tuple[str, str]]:
    """Yield files that match a pattern, with their paths below the folder before its first wildcard."""
    matches = sorted(Path(match) for match in glob.iglob(pattern, recursive=True) if os.path.isfile(match))
    if not matches:
        raise UserError(f"{pattern}: no file matches this pattern; check it")
    parts = Path(pattern).parts
    fixed = next(number for number, part in enumerate(parts) if _WILDCARD.search(part))
    return ((str(match), os.path.join(*match.parts[fixed:])) for match in matches)


def _known_format(path: PurePath) -> InputFormat | None:
    """The format of a file by its name, compressed or not; None where it is unknown."""
    inside = path.with_suffix("") if compression_of(path) else path
    return _FORMATS.get(inside.suffix.lower())


def _check(source: Source) -> None:
    path = source.path
    if path is None or (os.access(path, os.R_OK) and not os.path.isfile(path)):
        return  # opening a pipe to look into it could wait for ever, and takes from it
    source.open_raw().close()
    if source.compression:
        decompressed(open_bytes(Path(path)), source.compression).close()  # its library is installed


def _refuse_duplicates(sources: Sequence[Source]) -> None:
    seen: dict[int, Source] = {}
    for source in sources:
        other = seen.setdefault(hash(None if source.path is None else os.path.realpath(source.path)), source)
        if other is not source:
            also = "" if other.name == source.name else f" (also as {other.name})"
            raise UserError(f"{source.name}: named twice{also}; name each input once")


def _cannot_read(error: OSError) -> NoReturn:
    raise UserError(f"{error.filename}: cannot read: {error.strerror}; check its permissions") from error
