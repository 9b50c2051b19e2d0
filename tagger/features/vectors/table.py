"""Hold static word vectors in memory, look up words, and measure coverage of a text."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save

from tagger.features.words import normalise

Floats = NDArray[np.float32]
ABSENT = -1
WORDS, VECTORS = "words.txt", "vectors.safetensors"


def look_up_forms(word: str) -> Iterator[str]:
    """Yield the forms under which to look up a word, best first. Some may be equal.

    1. The word as written, then in lower case.
    2. With digits replaced by `0`, then also in lower case.
    3. If it has several digits: with `#` in place of `0`, as in word2vec's GoogleNews vectors.
    """
    yield word
    yield word.lower()
    if not word.isalpha():
        normal = (normalise(word, lowercase=False), normalise(word, lowercase=True))
        yield from normal
        if sum(map(str.isdigit, word)) > 1:
            yield from (form.replace("0", "#") for form in normal)


class StaticVectors(Protocol):
    """Vectors that depend only on the word, not on its context."""

    @property
    def width(self) -> int:
        """Size of a vector."""
        ...

    def look_up(self, words: Sequence[str]) -> tuple[Floats, NDArray[np.bool_]]:
        """Return the vectors of U words (U, width), zeros for words without one, and (U,) which words have one."""
        ...

    def digest(self) -> str:
        """Return a checksum of the content, independent of its location."""
        ...

    def save(self, folder: Path) -> None:
        """Write a folder that `load_static` reads."""
        ...


class VectorTable:
    """A table of V words and their vectors. If a word is repeated, its first row is used."""

    def __init__(self, words: Sequence[str], vectors: Floats, notes: Sequence[str] = ()) -> None:
        """Take V words, their vectors (V, E) float32, and one-line remarks of the reader on oddities of the file."""
        assert vectors.ndim == 2
        assert len(words) == len(vectors)
        self.words, self.vectors, self.notes = list(words), vectors, list(notes)
        self._rows: dict[str, int] = {}
        for row, word in enumerate(self.words):
            self._rows.setdefault(word, row)

    @property
    def width(self) -> int:
        """E, the size of a vector."""
        return int(self.vectors.shape[1])

    def __len__(self) -> int:
        return len(self.words)

    def look_up(self, words: Sequence[str]) -> tuple[Floats, NDArray[np.bool_]]:
        """Look up the first of each word's `look_up_forms` in the table. See `StaticVectors`."""
        known = ((self._rows[form] for form in look_up_forms(word) if form in self._rows) for word in words)
        rows = np.array([next(found, ABSENT) for found in known], np.int64)  # (U,)
        found = rows != ABSENT
        vectors = np.zeros((len(rows), self.width), np.float32)
        vectors[found] = self.vectors[rows[found]]
        return vectors, found

    def digest(self) -> str:
        """Return a checksum of words and vectors."""
        return digest_of(self.words, self.vectors)

    def save(self, folder: Path) -> None:
        """Write `words.txt` and `vectors.safetensors`, which `files.read_vectors` reads. Raises OSError.

        Words that contain a line end are left out: the list has one word per line. No token contains one.
        """
        rows = [row for row, word in enumerate(self.words) if not {"\n", "\r"} & set(word)]
        folder.mkdir(parents=True, exist_ok=True)
        lines = "".join(f"{self.words[row]}\n" for row in rows)
        (folder / WORDS).write_text(lines, encoding="utf-8", newline="\n")
        (folder / VECTORS).write_bytes(save({"vectors": np.ascontiguousarray(self.vectors[rows])}))


def digest_of(names: Iterable[str], *arrays: NDArray[Any]) -> str:
    """Return a checksum of names (words or pieces) and arrays."""
    digest = hashlib.sha256(json.dumps([list(names), *((str(one.dtype), one.shape) for one in arrays)]).encode())
    for array in arrays:
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


@dataclass(frozen=True)
class Coverage:
    """Numbers of a text's tokens, and of its distinct words (types), that have a vector."""

    tokens: int
    token_hits: int
    types: int
    type_hits: int

    def __str__(self) -> str:
        return f"{_percent(self.token_hits, self.tokens)} of tokens, {_percent(self.type_hits, self.types)} of types"


def coverage(vectors: StaticVectors, token_counts: Mapping[str, int]) -> Coverage:
    """Measure the coverage of a text, given the count of each distinct word."""
    found = vectors.look_up(list(token_counts))[1]
    hits = [count for count, there in zip(token_counts.values(), found, strict=True) if there]
    return Coverage(sum(token_counts.values()), sum(hits), len(token_counts), len(hits))


def notes_of_repeated(source: str, repeated: Sequence[str]) -> list[str]:
    """Return a remark on the words of `source` that have more than one vector; none if there are no such words."""
    if not repeated:
        return []
    times = "1 word is" if len(repeated) == 1 else f"{len(repeated):,} words are"
    example = f"{repeated[0]!r}" if len(repeated) == 1 else f"such as {repeated[0]!r}"
    return [f"{source}: {times} there already ({example}); the first vector of each counts"]


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole if whole else 0.0:.1f} %"
