"""Static word vectors in memory: a table, how words are looked up in it, and how much of a text it covers."""

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
    """The forms under which a word is sought, best first; some may be the same.

    As written, in lower case, with its digits as `0` (as written, then in lower case), and, of words with several
    digits, with these as `#`, which is how word2vec's GoogleNews vectors write numbers.
    """
    yield word
    yield word.lower()
    if not word.isalpha():
        normal = (normalise(word, lowercase=False), normalise(word, lowercase=True))
        yield from normal
        if sum(map(str.isdigit, word)) > 1:
            yield from (form.replace("0", "#") for form in normal)


class LooksUp(Protocol):
    """Anything that has vectors for words."""

    def look_up(self, words: Sequence[str]) -> tuple[Floats, NDArray[np.bool_]]:
        """(U, width) the words' vectors, zeros where there is none; (U,) where there is one."""
        ...


class VectorTable:
    """V words and their vectors.

    Attributes:
        words: the V words; of one that stands there repeatedly the first counts.
        vectors: (V, E) float32.
        notes: what a reader found odd but could make do with, a line each.
    """

    def __init__(self, words: Sequence[str], vectors: Floats, notes: Sequence[str] = ()) -> None:
        """`words` and `vectors` (V, E) belong together, row by row."""
        assert vectors.ndim == 2
        assert len(words) == len(vectors)
        self.words = list(words)
        self.vectors = vectors
        self.notes = list(notes)
        self._rows: dict[str, int] = {}
        for row, word in enumerate(self.words):
            self._rows.setdefault(word, row)

    @property
    def width(self) -> int:
        """E, the numbers of a vector."""
        return int(self.vectors.shape[1])

    def __len__(self) -> int:
        return len(self.words)

    def row(self, word: str) -> int:
        """The row of a word's vector, under the first of its `look_up_forms` that is there, or `ABSENT`."""
        for form in look_up_forms(word):
            row = self._rows.get(form, ABSENT)
            if row != ABSENT:
                return row
        return ABSENT

    def look_up(self, words: Sequence[str]) -> tuple[Floats, NDArray[np.bool_]]:
        """Vectors of U words, as (U, E) float32, zeros where there is none, and (U,) whether there is one."""
        rows = np.array([self.row(word) for word in words], np.int64)  # (U,)
        found = rows != ABSENT
        vectors = np.zeros((len(rows), self.width), np.float32)
        vectors[found] = self.vectors[rows[found]]
        return vectors, found

    def digest(self) -> str:
        """A checksum of words and vectors."""
        return digest_of(self.words, self.vectors)

    def save(self, folder: Path) -> None:
        """Write `words.txt` and `vectors.safetensors`, which `files.read_vectors` reads.

        Words with a line end in them, which a list of one a line cannot hold and no token is, are left out.

        Raises:
            OSError: they cannot be written.
        """
        rows = [row for row, word in enumerate(self.words) if not {"\n", "\r"} & set(word)]
        folder.mkdir(parents=True, exist_ok=True)
        lines = "".join(f"{self.words[row]}\n" for row in rows)
        (folder / WORDS).write_text(lines, encoding="utf-8", newline="\n")
        (folder / VECTORS).write_bytes(save({"vectors": np.ascontiguousarray(self.vectors[rows])}))


def digest_of(names: Iterable[str], *arrays: NDArray[Any]) -> str:
    """A checksum of what has vectors, words or pieces, and of the arrays that hold these."""
    digest = hashlib.sha256(json.dumps([list(names), *((str(one.dtype), one.shape) for one in arrays)]).encode())
    for array in arrays:
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


@dataclass(frozen=True)
class Coverage:
    """How many of a text's tokens, and of its distinct words (types), have a vector."""

    tokens: int
    token_hits: int
    types: int
    type_hits: int

    def __str__(self) -> str:
        return f"{_percent(self.token_hits, self.tokens)} of tokens, {_percent(self.type_hits, self.types)} of types"


def coverage(vectors: LooksUp, token_counts: Mapping[str, int]) -> Coverage:
    """What vectors cover of a text, given how often each distinct word occurs in it."""
    found = vectors.look_up(list(token_counts))[1]
    hits = [count for count, there in zip(token_counts.values(), found, strict=True) if there]
    return Coverage(sum(token_counts.values()), sum(hits), len(token_counts), len(hits))


class WordIndex:
    """Gives rows of a table in the making to words, in the order they come: a row to each distinct word."""

    def __init__(self) -> None:
        self._rows: dict[str, int] = {}
        self._notes: list[str] = []
        self._repeated = 0
        self._first_repeated = ""

    def __len__(self) -> int:
        return len(self._rows)

    def place(self, word: str) -> int:
        """The row for the next word, or `ABSENT` if it has one already."""
        if word in self._rows:
            self._first_repeated = self._first_repeated or word
            self._repeated += 1
            return ABSENT
        self._rows[word] = row = len(self._rows)
        return row

    def note(self, what: str) -> None:
        """Something odd about the file, for the table's `notes`."""
        self._notes.append(what)

    def table(self, source: str, vectors: Floats) -> VectorTable:
        """The finished table, of as many `vectors` as rows were given; it says which words of `source` repeated."""
        if self._repeated:
            times = "1 word is" if self._repeated == 1 else f"{self._repeated:,} words are"
            example = f"{self._first_repeated!r}" if self._repeated == 1 else f"such as {self._first_repeated!r}"
            self.note(f"{source}: {times} there already ({example}); the first vector of each counts")
        words = list(self._rows)
        self._rows.clear()  # the table builds its own: not both at once
        return VectorTable(words, vectors, self._notes)


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole if whole else 0.0:.1f} %"
