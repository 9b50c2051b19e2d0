"""Pretrained word vectors of either kind: a vector per word, or per word piece; opened, saved, read back."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from tagger.corpus.source import bundled_data_folder
from tagger.features.wordpiece import WordPieceVectors

BUNDLED = "bundled"
_BUNDLED_FOLDER = Path("vectors", "all-MiniLM-L6-v2")


class StaticVectors(Protocol):
    """Vectors that depend on the word alone."""

    width: int

    def look_up(self, words: Sequence[str]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """(U, width) the words' vectors, zeros where there is none; (U,) where there is one."""
        ...

    def save(self, folder: Path) -> None:
        """Write them into a folder that `load_static` reads."""
        ...


def open_static(source: str) -> StaticVectors:
    """Open the vectors that a configuration names.

    Args:
        source: `bundled`, a folder of word-piece vectors, or a file of word vectors.

    Raises:
        UserError: they are missing or damaged.
    """
    path = bundled_data_folder() / _BUNDLED_FOLDER if source == BUNDLED else Path(source).expanduser()
    return load_static(path)


def load_static(folder: Path) -> StaticVectors:
    """Read vectors that `save` wrote.

    Raises:
        UserError: they are missing or damaged.
    """
    return WordPieceVectors.load(folder)
