"""Files by the million: found in order, and told apart, in little memory."""

from __future__ import annotations

import os
from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

from tagger.errors import UserError


def files_below(folder: Path, left_out: Path | None = None) -> Iterator[str]:
    """The paths of files below a folder, relative to it, sorted by their parts; memory holds folders on the way.

    Hidden files and folders are left out, links to folders not followed.

    Args:
        folder: where to look.
        left_out: a folder, resolved, that is passed over.

    Raises:
        UserError: a folder cannot be read.
    """
    folders = set()
    names = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.startswith("."):
                    continue
                if entry.is_dir():
                    if not entry.is_symlink():
                        folders.add(entry.name)
                        names.append(entry.name)
                elif entry.is_file() or not os.path.exists(entry.path):  # a broken link is an error to be told
                    names.append(entry.name)
    except OSError as error:
        _cannot_read(error, folder)
    for name in sorted(names):
        if name not in folders:
            yield name
        elif left_out is None or (folder / name).resolve() != left_out:
            for below in files_below(folder / name, left_out):
                yield os.path.join(name, below)


def identity(status: os.stat_result) -> int:
    """A number of 64 bits that two files have in common only by chance; names of one file have it in common."""
    return hash((status.st_dev, status.st_ino))


def equal_ones(keys: array[int]) -> list[int]:
    """The places, in order, of those keys that occur several times."""
    import numpy as np  # here, as it takes its time

    _, found, counts = np.unique(np.frombuffer(keys, dtype=np.int64), return_inverse=True, return_counts=True)
    return [int(place) for place in np.flatnonzero(counts[found] > 1)]


def common(keys: array[int], others: array[int]) -> list[int]:
    """The places of those keys that are among others."""
    import numpy as np

    return [
        int(place) for place in np.flatnonzero(np.isin(np.frombuffer(keys, np.int64), np.frombuffer(others, np.int64)))
    ]


def _cannot_read(error: OSError, folder: Path) -> NoReturn:
    raise UserError(f"{error.filename or folder}: cannot read: {error.strerror}; check its permissions") from error
