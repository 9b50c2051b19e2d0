"""What is to be tagged and where it goes: files, folders and patterns to inputs, and inputs to output files."""

from __future__ import annotations

import glob
import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import IO, overload

from tagger.corpus.reading import open_bytes
from tagger.errors import UserError
from tagger.inference.compression import compression_of, decompressed
from tagger.inference.documents import InputFormat
from tagger.inference.writers import OutputFormat

STANDARD_INPUT = "-"
EXTENSIONS = {
    InputFormat.TEXT: (".txt", ".text", ".md"),
    InputFormat.CONLL: (".conll", ".iob", ".iob2", ".bio", ".bioes", ".tsv"),
    InputFormat.CONLLU: (".conllu",),
    InputFormat.JSONL: (".jsonl", ".ndjson"),
    InputFormat.PARQUET: (".parquet", ".pq"),
}
_FORMATS = {extension: known for known, extensions in EXTENSIONS.items() for extension in extensions}
_WILDCARD = re.compile(r"[*?\[]")
_EXTENSION = re.compile(r"\.[A-Za-z][A-Za-z0-9]{0,7}")
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


def find_sources(
    arguments: Sequence[str], input_format: InputFormat | None = None, *, leave_out: Path | None = None
) -> tuple[list[Source], list[str]]:
    """The inputs that arguments name, in their order, each checked to be there and readable.

    Args:
        arguments: files, folders (every file below of a known extension, sorted by path, hidden ones left out),
            patterns, or `-` for standard input, which no arguments stand for too.
        input_format: what the inputs hold; None: by extension, and text where that is unknown.
        leave_out: a folder whose files are not inputs (the output's), unless it holds the searched folder itself.

    Returns:
        The inputs, and a line on each folder in which files were left out.

    Raises:
        UserError: something is missing, unreadable, empty or named twice, or a folder or pattern has no files.
    """
    sources: list[Source] = []
    notes: list[str] = []
    for argument in arguments or [STANDARD_INPUT]:
        if argument == STANDARD_INPUT:
            found: Iterable[tuple[Path | None, PurePath]] = [(None, PurePath("stdin"))]
        elif os.path.isdir(argument):
            found, note = _in_folder(Path(argument), leave_out)
            notes += note
        elif not os.path.lexists(argument) and _WILDCARD.search(argument):
            found = _matching(argument)
        else:
            found = [(Path(argument), PurePath(PurePath(argument).name))]
        for path, below in found:
            known = None if path is None else _known_format(path)
            sources.append(Source(path=path, input_format=input_format or known or InputFormat.TEXT, below=below))
    _check_twice(sources)
    for source in sources:
        _check(source)
    return sources, notes


class Outputs(Sequence[Path]):
    """The output file of each source: its path below what it was found by, with the format's extension, in a folder."""

    def __init__(self, sources: Sequence[Source], folder: Path, output_format: OutputFormat) -> None:
        self.folder = folder
        self._sources, self._format = sources, output_format

    def __len__(self) -> int:
        return len(self._sources)

    @overload
    def __getitem__(self, number: int) -> Path: ...

    @overload
    def __getitem__(self, number: slice) -> list[Path]: ...

    def __getitem__(self, number: int | slice) -> Path | list[Path]:
        if isinstance(number, slice):
            return [self[one] for one in range(*number.indices(len(self)))]
        return self.folder / _with_extension(self._sources[number].below, self._format)

    def refuse_existing(self, begin: int = 0) -> None:
        """Raise UserError where one is there already, of those from a number on."""
        for number in range(begin, len(self)):
            if os.path.lexists(self[number]):
                raise UserError(
                    f"{self[number]}: is there already; remove it or choose another --output, or add --overwrite, or "
                    "--resume to go on with a run that was ended"
                )


def plan_outputs(sources: Sequence[Source], folder: Path, output_format: OutputFormat) -> Outputs:
    """The output file of each source.

    Raises:
        UserError: `folder` is none, two sources would go to one file, or one to a folder or to an input.
    """
    if os.path.exists(folder) and not folder.is_dir():
        raise UserError(f"{folder}: is a file; --output names a folder, with a file per input in it")
    if folder.suffix[1:] in list(OutputFormat) and not os.path.exists(folder):
        raise UserError(f"{folder}: --output names a folder; for a single file, redirect: > {folder}")
    origin: dict[Path, Source] = {}
    inputs = {_identity(source.path): source for source in sources if source.path is not None}
    outputs = Outputs(sources, folder, output_format)
    for source, output in zip(sources, outputs, strict=True):
        other = origin.setdefault(output, source)
        if other is not source:
            raise UserError(
                f"{source.name}: its output {output} is also that of {other.name}; rename one, tag them in two runs, "
                "or name their folder (sub-folders are kept)"
            )
        if os.path.exists(output) and _identity(output) in inputs:
            raise UserError(f"{output}: is an input and would be overwritten; choose another --output")
        if output.is_dir():
            raise UserError(f"{output}: is there already, a folder; remove it or choose another --output")
    return outputs


def _in_folder(folder: Path, leave_out: Path | None) -> tuple[list[tuple[Path, PurePath]], list[str]]:
    left_out_folder = None if leave_out is None else leave_out.resolve()
    if left_out_folder is not None and left_out_folder in [folder.resolve(), *folder.resolve().parents]:
        left_out_folder = None
    found: list[tuple[Path, PurePath]] = []
    unknown: Counter[str] = Counter()
    for path in sorted(_files_below(folder, left_out_folder)):
        if _known_format(path):
            found.append((path, path.relative_to(folder)))
        else:
            unknown[path.suffix or "no extension"] += 1
    if not found:
        known = ", ".join(_FORMATS)
        raise UserError(f"{folder}: no file in this folder is of a known kind ({known}); name files or use a pattern")
    if not unknown:
        return found, []
    kinds = [f"{count:,} {kind}" for kind, count in unknown.most_common(_KINDS_SHOWN)]
    more = ", ..." if len(unknown) > _KINDS_SHOWN else ""
    return found, [f"{folder}: left out {unknown.total():,} of unknown kind ({', '.join(kinds)}{more})"]


def _files_below(folder: Path, left_out_folder: Path | None) -> Iterator[Path]:
    for here, folders, names in os.walk(folder, onerror=_cannot_read):
        folders[:] = [
            name
            for name in folders
            if not name.startswith(".") and (not left_out_folder or Path(here, name).resolve() != left_out_folder)
        ]
        for path in (Path(here, name) for name in names if not name.startswith(".")):
            if os.path.isfile(path) or not os.path.exists(path):  # a broken link is an error to be told, a socket none
                yield path


def _cannot_read(error: OSError) -> None:
    raise UserError(f"{error.filename}: cannot read: {error.strerror}; check its permissions") from error


def _matching(pattern: str) -> list[tuple[Path, PurePath]]:
    """Files that match a pattern the shell left alone, below the folder in front of its first wildcard."""
    matches = sorted(Path(match) for match in glob.glob(pattern, recursive=True) if os.path.isfile(match))
    if not matches:
        raise UserError(f"{pattern}: no file matches this pattern; check it")
    parts = Path(pattern).parts
    fixed = next(number for number, part in enumerate(parts) if _WILDCARD.search(part))
    return [(match, PurePath(*match.parts[fixed:])) for match in matches]


def _known_format(path: PurePath) -> InputFormat | None:
    """What a file of this name holds, compressed or not; None where that is unknown."""
    inside = path.with_suffix("") if compression_of(path) else path
    return _FORMATS.get(inside.suffix.lower())


def _check(source: Source) -> None:
    path = source.path
    if path is None or (os.access(path, os.R_OK) and not os.path.isfile(path)):
        return  # opening a pipe to look into it could wait for ever, and takes from it
    with open_bytes(path) as stream:
        empty = not stream.read(1)
    if empty:
        raise UserError(f"{path}: empty file; leave it out, or check what should have been in it")


def _check_twice(sources: Iterable[Source]) -> None:
    seen: dict[str | None, Source] = {}
    for source in sources:
        other = seen.setdefault(None if source.path is None else os.path.realpath(source.path), source)
        if other is not source:
            also = "" if other.name == source.name else f" (also as {other.name})"
            raise UserError(f"{source.name}: named twice{also}; name each input once")


def _identity(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_dev, status.st_ino


def _with_extension(below: PurePath, output_format: OutputFormat) -> PurePath:
    if compression_of(below) and below.stem:
        below = below.with_suffix("")
    stem = below.stem if _EXTENSION.fullmatch(below.suffix) else below.name  # the 2024 of report.2024 is none
    return below.with_name(f"{stem}.{output_format}")
