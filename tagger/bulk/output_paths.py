"""Where output files go: a path for each input."""

from __future__ import annotations

import os
import re
import stat
from array import array
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePath
from typing import overload

from tagger.bulk.compression import compression_of
from tagger.bulk.file_listing import common, equal_ones, identity
from tagger.bulk.formats.lines import OutputFormat
from tagger.bulk.inputs import Source
from tagger.errors import UserError

_EXTENSION = re.compile(r"\.[A-Za-z][A-Za-z0-9]{0,7}")


class Outputs(Sequence[Path]):
    """The output file of each source: its path below what it was found by, with the format's extension, in a folder."""

    def __init__(self, sources: Sequence[Source], folder: Path, output_format: OutputFormat) -> None:
        self.folder = folder
        self._sources, self._format = sources, output_format
        self._last: tuple[int, Path] | None = None  # most are asked for several times in a row

    def __len__(self) -> int:
        return len(self._sources)

    @overload
    def __getitem__(self, number: int) -> Path: ...

    @overload
    def __getitem__(self, number: slice) -> list[Path]: ...

    def __getitem__(self, number: int | slice) -> Path | list[Path]:
        if isinstance(number, slice):
            return [self[one] for one in range(*number.indices(len(self)))]
        if self._last is None or self._last[0] != number:
            self._last = number, self.folder / _with_extension(self._sources[number].below, self._format)
        return self._last[1]

    def refuse_existing(self, begin: int = 0) -> None:
        """Raise UserError where one is there already, of those from a number on."""
        for number in range(begin, len(self)):
            if os.path.lexists(self[number]):
                raise UserError(
                    f"{self[number]}: is there already; remove it or choose another --output, or add --overwrite"
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
    outputs = Outputs(sources, folder, output_format)
    names = array("q", (hash(os.fspath(output)) for output in outputs))
    _refuse_shared(sources, outputs, equal_ones(names))
    there, identities = array("q"), array("q")
    for number, output in enumerate(outputs):
        try:
            status = os.stat(output)
        except OSError:
            continue
        if stat.S_ISDIR(status.st_mode):
            raise UserError(f"{output}: is there already, a folder; remove it or choose another --output")
        there.append(number)
        identities.append(identity(status))
    if there:
        inputs = array("q", (identity(os.stat(source.path)) for source in sources if source.path is not None))
        for place in common(identities, inputs):
            output = outputs[there[place]]
            raise UserError(f"{output}: is an input and would be overwritten; choose another --output")
    return outputs


def _refuse_shared(sources: Sequence[Source], outputs: Outputs, suspects: Iterable[int]) -> None:
    origin: dict[Path, int] = {}
    for number in suspects:
        other = origin.setdefault(outputs[number], number)
        if other != number:
            raise UserError(
                f"{sources[number].name}: its output {outputs[number]} is also that of {sources[other].name}; rename "
                "one, tag them in two runs, or name their folder (sub-folders are kept)"
            )


def _with_extension(below: PurePath, output_format: OutputFormat) -> PurePath:
    if compression_of(below) and below.stem:
        below = below.with_suffix("")
    stem = below.stem if _EXTENSION.fullmatch(below.suffix) else below.name  # the 2024 of report.2024 is none
    return below.with_name(f"{stem}.{output_format}")
