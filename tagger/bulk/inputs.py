"""What is to be tagged: files, folders and patterns to inputs."""

from __future__ import annotations

import glob
import os
import re
from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import IO, overload

from tagger.bulk.compression import compression_of, decompressed
from tagger.bulk.file_listing import equal_ones, files_below, identity
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
}
_FORMATS = {extension: known for known, extensions in EXTENSIONS.items() for extension in extensions}
_BY_NUMBER = tuple(InputFormat)
_STANDARD = 0x80  # beside the number of its format
_WILDCARD = re.compile(r"[*?\[]")
_KINDS_SHOWN = 5


@dataclass(frozen=True, kw_only=True)
class Source:
    """One input.

    Attributes:
        path: the file; None stands for standard input.
        input_format: what it holds.
        below: its path below the folder or pattern that it was found by; the name alone where it was named itself.
    """

    path: Path | None
    input_format: InputFormat
    below: PurePath

    @property
    def name(self) -> str:
        """What messages call it."""
        return "standard input" if self.path is None else str(self.path)

    @property
    def rereadable(self) -> bool:
        """Whether it can be read twice: a file can, a pipe cannot."""
        return self.path is not None and os.path.isfile(self.path)

    def open(
        self, standard_input: IO[bytes], through: Callable[[IO[bytes]], IO[bytes]] = lambda file: file
    ) -> IO[bytes]:
        """What is in it, decompressed; closing that closes the file.

        Args:
            standard_input: what is returned for it.
            through: puts something between the file and its decompression.

        Raises:
            UserError: it cannot be opened.
        """
        if self.path is None:
            return standard_input
        compression = compression_of(self.path)
        if compression and self.input_format is InputFormat.PARQUET:
            raise UserError(f"{self.path}: Parquet is compressed within; decompress the file itself first")
        stream = open_bytes(self.path)
        try:
            return decompressed(through(stream), compression)
        except UserError:
            stream.close()
            raise
        except OSError as error:
            stream.close()
            raise UserError(f"{self.path}: cannot read: {error.strerror or error}; check the file") from error


class Sources(Sequence[Source]):
    """Inputs by the million: a hundred bytes each, for what a `Source` made of it takes a thousand."""

    def __init__(self) -> None:
        self._paths, self._ends = bytearray(), array("Q")
        self._below = array("L")  # how many bytes of a path are above what it was found by
        self._formats = bytearray()
        self._last: tuple[int, Source] | None = None  # most are asked for several times in a row

    def add(self, path: str | None, below: str, input_format: InputFormat) -> None:
        """Append one; `below` is the end of `path` (of None, standard input, a name)."""
        whole = os.fsencode(below if path is None else path)
        self._paths += whole
        self._below.append(len(whole) - len(os.fsencode(below)))
        self._formats.append(_BY_NUMBER.index(input_format) | (_STANDARD if path is None else 0))
        self._ends.append(len(self._paths))

    def __len__(self) -> int:
        return len(self._ends)

    @overload
    def __getitem__(self, number: int) -> Source: ...

    @overload
    def __getitem__(self, number: slice) -> list[Source]: ...

    def __getitem__(self, number: int | slice) -> Source | list[Source]:
        if isinstance(number, slice):
            return [self[one] for one in range(*number.indices(len(self)))]
        number = range(len(self))[number]
        if self._last is None or self._last[0] != number:
            self._last = number, self._made(number)
        return self._last[1]

    def _made(self, number: int) -> Source:
        path = bytes(self._paths[self._ends[number - 1] if number else 0 : self._ends[number]])
        kind = self._formats[number]
        return Source(
            path=None if kind & _STANDARD else Path(os.fsdecode(path)),
            input_format=_BY_NUMBER[kind & ~_STANDARD],
            below=PurePath(os.fsdecode(path[self._below[number] :])),
        )


def find_sources(
    arguments: Sequence[str], input_format: InputFormat | None = None, *, leave_out: Path | None = None
) -> tuple[Sources, list[str]]:
    """The inputs that arguments name, in their order, each checked to be there and readable.

    Args:
        arguments: files, folders (every file below of a known extension, sorted by path, hidden ones left out),
            patterns, or `-` for standard input, which no arguments stand for too.
        input_format: what the inputs hold; None: by extension, and text where that is unknown.
        leave_out: a folder whose files are not inputs (the output's), unless it holds the searched folder itself.

    Returns:
        The inputs, and a line on each folder in which files were left out.

    Raises:
        UserError: something is missing, unreadable or named twice, or a folder or pattern has no files.
    """
    sources = Sources()
    notes: list[str] = []
    for argument in arguments or [STANDARD_INPUT]:
        if argument == STANDARD_INPUT:
            sources.add(None, "stdin", input_format or InputFormat.TEXT)
            continue
        if os.path.isdir(argument):
            found = _in_folder(argument, leave_out, notes)
        elif not os.path.lexists(argument) and _WILDCARD.search(argument):
            found = _matching(argument)
        else:
            found = iter([(str(Path(argument)), Path(argument).name)])
        for path, below in found:
            sources.add(path, below, input_format or _known_format(PurePath(below)) or InputFormat.TEXT)
    _refuse_twice(sources[number] for number in equal_ones(array("q", map(_identity, sources))))
    for source in sources:
        _check(source)
    return sources, notes


def _in_folder(argument: str, leave_out: Path | None, notes: list[str]) -> Iterator[tuple[str, str]]:
    """Files of known kinds, with what they are called below the folder; what was left out goes into the notes."""
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
        notes.append(f"{folder}: left out {unknown.total():,} of unknown kind ({', '.join(shown)}{more})")


def _matching(pattern: str) -> Iterator[tuple[str, str]]:
    """Files that match a pattern the shell left alone, below the folder in front of its first wildcard."""
    matches = sorted(Path(match) for match in glob.iglob(pattern, recursive=True) if os.path.isfile(match))
    if not matches:
        raise UserError(f"{pattern}: no file matches this pattern; check it")
    parts = Path(pattern).parts
    fixed = next(number for number, part in enumerate(parts) if _WILDCARD.search(part))
    return ((str(match), os.path.join(*match.parts[fixed:])) for match in matches)


def _known_format(path: PurePath) -> InputFormat | None:
    """What a file of this name holds, compressed or not; None where that is unknown."""
    inside = path.with_suffix("") if compression_of(path) else path
    return _FORMATS.get(inside.suffix.lower())


def _identity(source: Source) -> int:
    """A number that is the same for the same file."""
    try:
        return 0 if source.path is None else identity(source.path.stat())
    except OSError:  # told when it is checked
        return hash(source.name)


def _check(source: Source) -> None:
    path = source.path
    if path is None or (os.access(path, os.R_OK) and not os.path.isfile(path)):
        return  # opening a pipe to look into it could wait for ever, and takes from it
    open_bytes(path).close()


def _refuse_twice(sources: Iterable[Source]) -> None:
    seen: dict[str | None, Source] = {}
    for source in sources:
        other = seen.setdefault(None if source.path is None else os.path.realpath(source.path), source)
        if other is not source:
            also = "" if other.name == source.name else f" (also as {other.name})"
            raise UserError(f"{source.name}: named twice{also}; name each input once")
