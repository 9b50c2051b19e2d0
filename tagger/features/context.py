"""Provide a transformer's view of a corpus: its vectors, cached on disk, or word pieces for one that is fine-tuned."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from tagger.errors import UserError
from tagger.features.pieces import PieceBatch, Pieces, Surroundings, lay_out
from tagger.files import sha256_of

Floats = NDArray[np.float32]
Halves = NDArray[np.float16]
Ints = NDArray[np.int64]
Encode = Callable[[Sequence[Sequence[str]], Halves], None]  # writes the vectors of all words, in order, into an array


class Context(Protocol):
    """Vectors or pieces of a corpus' words in their sentences."""

    def take(self, sentences: Ints, words: Ints) -> ContextBatch:
        """Return the context of some sentences.

        Args:
            sentences: their numbers.
            words: (N,) numbers of their words, sentence after sentence.
        """
        ...


@dataclass(frozen=True)
class ContextBatch:
    """Vectors or pieces of N words in their sentences.

    Attributes:
        vectors: (N, D); D is 0 without a transformer, or with one that is fine-tuned.
        pieces: for a transformer that is fine-tuned.
    """

    vectors: Floats
    pieces: PieceBatch | None = None


class NoContext:
    """A corpus without a transformer."""

    def take(self, sentences: Ints, words: Ints) -> ContextBatch:
        return ContextBatch(np.zeros((len(words), 0), dtype=np.float32))


class FrozenContext:
    """Vectors of a corpus' words, in its order."""

    def __init__(self, vectors: Floats | Halves) -> None:
        """Take vectors (words of the corpus, D), in memory or mapped from a file."""
        self._vectors = vectors

    def take(self, sentences: Ints, words: Ints) -> ContextBatch:
        return ContextBatch(np.asarray(self._vectors[words], dtype=np.float32))


class PiecesContext:
    """A corpus' word pieces, for a transformer that is fine-tuned."""

    def __init__(self, sentences: Sequence[Sequence[Pieces]], around: Surroundings, capacity: int) -> None:
        """Take what `lay_out` takes."""
        self._sentences, self._around, self._capacity = sentences, around, capacity

    def take(self, sentences: Ints, words: Ints) -> ContextBatch:
        laid_out = lay_out([self._sentences[number] for number in sentences], self._around, self._capacity)
        return ContextBatch(np.zeros((len(words), 0), dtype=np.float32), laid_out)


def cached_vectors(sentences: Sequence[Sequence[str]], width: int, encode: Encode, *, key: str, folder: Path) -> Halves:
    """Read the vectors of a corpus' words from the cache, or compute them and keep them there.

    They are float16: half the size of float32, with an error below a thousandth. The file is named after everything
    that its content depends on. It is written under another name and renamed, so several processes may do so at once.

    Args:
        sentences: the words.
        width: D.
        encode: computes them.
        key: identifies the transformer and how it is used.
        folder: the cache; created if missing.

    Returns:
        (words, D), mapped from the file, not in memory.

    Raises:
        UserError: the cache cannot be written.
    """
    content = json.dumps([key, [list(words) for words in sentences]])
    path = folder / "encoder" / f"{hashlib.sha256(content.encode()).hexdigest()}.npy"
    shape = (sum(map(len, sentences)), width)
    if (kept := _kept(path, shape)) is not None:
        return kept
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=".") as temporary:
            made = Path(temporary) / path.name
            vectors = np.lib.format.open_memmap(made, mode="w+", dtype=np.float16, shape=shape)
            _reserve(made)
            encode(sentences, vectors)
            vectors.flush()
            _checksum(path).write_text(sha256_of(made), encoding="ascii")
            made.replace(path)
    except OSError as error:
        problem = (
            f"cannot write to the cache: {error.strerror or error}; free the disk, or set TAGGER_CACHE to a folder"
        )
        raise UserError(f"{path.parent}: {problem}") from error
    return np.load(path, mmap_mode="r")


def _reserve(path: Path) -> None:
    """Reserve disk space for a sparse file. Fail if the disk is too full.

    Otherwise writing to the mapped memory would kill the process.
    """
    if hasattr(os, "posix_fallocate"):  # not on macOS
        with path.open("r+b") as stream:
            os.posix_fallocate(stream.fileno(), 0, path.stat().st_size)


def _kept(path: Path, shape: tuple[int, int]) -> Halves | None:
    """Return the cached vectors; None where there are none, or damaged ones."""
    with contextlib.suppress(OSError, ValueError, EOFError):
        if _checksum(path).read_text(encoding="ascii") == sha256_of(path):
            vectors: Halves = np.load(path, mmap_mode="r")
            if vectors.shape == shape and vectors.dtype == np.float16:
                return vectors
    return None


def _checksum(path: Path) -> Path:
    return path.with_suffix(".sha256")
