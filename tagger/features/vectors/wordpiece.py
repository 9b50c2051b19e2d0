"""Compute a static vector for any word from vectors of word pieces, without a tokenizer library.

A folder of such vectors contains
    pieces.txt            V word pieces, one per line, UTF-8; a piece inside a word begins with `##`
    vectors.safetensors   `vectors` (V, E): float32, float16, or int8 with `scales` (V,) float32 to multiply the rows by

`scripts/distill_vectors.py` makes such folders. The bundled one is in `data/vectors/`, with its own README.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file, save

from tagger.errors import UserError, library_failures_told
from tagger.features.vectors.table import digest_of
from tagger.features.word_blocks import joined
from tagger.kernels.compiled import PieceIndex
from tagger.kernels.loader import kernels

PIECES, VECTORS = "pieces.txt", "vectors.safetensors"
INSIDE = "##"  # prefix of pieces that continue a word

_MAX_CHARACTERS = 100  # longer words are unknown to BERT
TOO_LARGE = 1e15  # for a value in a vector or weight: larger ones could overflow in sums of products
_WORTH_AN_INDEX = 256  # words
_BLOCK = 8192  # words looked up at a time, to bound memory
_ASCII_PUNCTUATION = frozenset("$+<=>^`|~")  # symbols to Unicode, punctuation to BERT
_IDEOGRAPHS = (  # as in BERT's `tokenizers`, where one range begins at 2B920, not at 2B820
    *((0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF), (0x20000, 0x2A6DF), (0x2A700, 0x2B73F)),
    *((0x2B740, 0x2B81F), (0x2B920, 0x2CEAF), (0x2F800, 0x2FA1F)),
)

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]
Bytes = NDArray[np.int8]
Bools = NDArray[np.bool_]


class WordPieceVectors:
    """V word pieces with a vector each. A word's vector is the mean over its pieces, scaled to length 1.

    Words are split as by BERT's uncased tokenizer (Devlin et al. 2019). `basic_tokens` splits a word. Then greedy
    WordPiece (Wu et al. 2016) takes the longest piece at the start of each token, then the longest that continues it.

    Basic tokens that greedy search cannot split, and those of more than 100 characters, are left out of the mean. The
    lengths of the vectors contain the weights of the pieces.

    The result equals `model2vec.StaticModel.encode(word, max_length=None)` (model2vec 0.10) with `normalize` set, the
    default of `model2vec.distill`. One difference: model2vec treats `[UNK]` and `[PAD]` in a text as special tokens,
    this class as ordinary characters.

    Attributes:
        pieces: V distinct pieces.
        width: E.
    """

    def __init__(self, pieces: Sequence[str], vectors: Floats | Bytes, scales: Floats | None = None) -> None:
        """Take V pieces and their vectors (V, E). They must fit; `load` checks those from a file.

        `scales` (V,), if given, are factors of the rows. They allow to keep int8 vectors in memory.
        """
        self.pieces = tuple(pieces)
        self._vectors: NDArray[Any] = vectors
        self._scales = scales
        self.width = vectors.shape[1]
        self._rows = dict(zip(self.pieces, range(len(self.pieces)), strict=True))
        self._compiled: PieceIndex | None = None
        self._looked_up = 0
        self._longest = max(map(len, self.pieces), default=0)
        assert len(self._rows) == len(self.pieces) == len(vectors), (len(self._rows), len(self.pieces), len(vectors))

    @classmethod
    def load(cls, folder: Path) -> WordPieceVectors:
        """Read a folder of `PIECES` and `VECTORS`.

        Raises:
            UserError: a file is missing, unreadable or damaged, or the two do not belong together.
        """
        if not folder.is_dir():
            raise UserError(f"{folder}: no such folder of word-piece vectors; give one with {PIECES} and {VECTORS}")
        for name in (PIECES, VECTORS):
            if not (folder / name).is_file():
                raise UserError(f"{folder}: no {name} in it; give a folder that scripts/distill_vectors.py wrote")
        pieces = _read_pieces(folder / PIECES)
        vectors, scales = _read_vectors(folder / VECTORS)
        if len(pieces) != len(vectors):
            raise UserError(
                f"{folder}: {len(pieces)} pieces in {PIECES}, but {len(vectors)} rows in {VECTORS}; copy both again"
            )
        return cls(pieces, vectors, scales)

    def digest(self) -> str:
        """Return a checksum of pieces and vectors."""
        scales = () if self._scales is None else (self._scales,)
        return digest_of(self.pieces, self._vectors, *scales)

    def save(self, folder: Path) -> None:
        """Write the two files, with vectors as int8 and a scale per row.

        Rounding changes a value by at most 1/254 of the largest in its row.

        Raises:
            ValueError: a piece is empty or contains a line break.
            OSError: the files cannot be written.
        """
        if any(not piece or "\n" in piece or "\r" in piece for piece in self.pieces):
            raise ValueError("a piece is empty or holds a line break, which a file of one piece a line cannot keep")
        folder.mkdir(parents=True, exist_ok=True)
        (folder / PIECES).write_text("".join(f"{piece}\n" for piece in self.pieces), encoding="utf-8", newline="\n")
        rounded = self.rounded()
        assert rounded._scales is not None
        (folder / VECTORS).write_bytes(save({"scales": rounded._scales, "vectors": rounded._vectors}))

    def rounded(self) -> WordPieceVectors:
        """Return the vectors rounded as `save` writes them."""
        return self if self._scales is not None else WordPieceVectors(self.pieces, *quantised(self._vectors))

    @property
    def vectors(self) -> Floats:
        """All vectors, (V, E) float32."""
        return self._vectors if self._scales is None else self._rows_of(np.arange(len(self._vectors)))

    def _rows_of(self, rows: Ints) -> Floats:
        """Return the vectors of n pieces, (n, E)."""
        vectors: Floats = self._vectors[rows]
        return vectors if self._scales is None else vectors * self._scales[rows][:, None]

    def look_up(self, words: Sequence[str]) -> tuple[Floats, Bools]:
        """Return the vectors of U words.

        Args:
            words: U arbitrary strings.

        Returns:
            Vectors (U, E) of length 1, zeros for words without a known piece; and (U,) which words have one.
        """
        vectors = np.zeros((len(words), self.width), dtype=np.float32)
        known = np.zeros(len(words), dtype=np.bool_)
        for begin in range(0, len(words), _BLOCK):
            rows, counts = self._pieces_of_each(words[begin : begin + _BLOCK])
            known[begin : begin + len(counts)] = counts > 0
            sums = self._sums(rows, counts)  # same direction as the means
            lengths = np.sqrt(np.einsum("ue,ue->u", sums, sums))[:, None]
            np.divide(sums, lengths, out=vectors[begin : begin + len(counts)], where=lengths > 0)
        return vectors, known

    def _sums(self, rows: Ints, counts: Ints) -> Floats:
        """Sum the vectors of the pieces of each of U words, (U, E).

        Args:
            rows: (P,) rows of pieces, word after word.
            counts: (U,) pieces per word.
        """
        if self._scales is not None and (compiled := kernels()) is not None:
            return compiled.sums_of_pieces(rows, counts, self._vectors, self._scales)
        sums = np.zeros((len(counts), self.width), dtype=np.float32)
        starts = np.cumsum(counts) - counts
        for place in range(counts.max(initial=0)):
            longer = np.flatnonzero(counts > place)
            sums[longer] += self._rows_of(rows[starts[longer] + place])
        return sums

    def pieces_of(self, word: str) -> list[int]:
        """Return the rows of a word's pieces, without unknown parts."""
        return self._pieces_of_each([word])[0].tolist()

    def _pieces_of_each(self, words: Sequence[str]) -> tuple[Ints, Ints]:
        """Return the rows of the pieces of U words, (P,) word after word, and (U,) pieces per word."""
        lines = joined(words)
        self._looked_up += len(words)
        if lines is not None and (index := self._index()) is not None:
            return index.split(lines.translate(_FOLDED_LINES), len(words), _MAX_CHARACTERS)
        if lines is None:
            folded = [word.translate(_FOLDED) for word in words]
        else:
            folded = lines.translate(_FOLDED_LINES).split("\n")
        rows: list[int] = []
        ends = [0]
        for form in folded:
            for token in form.split():
                if (row := self._rows.get(token)) is not None:
                    rows.append(row)
                elif len(token) <= _MAX_CHARACTERS:
                    self._add_longest_first(token, rows)
            ends.append(len(rows))
        return np.array(rows, dtype=np.int64), np.diff(ends)

    def _index(self) -> PieceIndex | None:
        """Return the index for the compiled search. None without kernels, or before enough look-ups to repay it."""
        if self._compiled is None and self._looked_up >= _WORTH_AN_INDEX and (found := kernels()) is not None:
            self._compiled = PieceIndex(found, self.pieces, INSIDE)
        return self._compiled

    def _add_longest_first(self, token: str, rows: list[int]) -> None:
        """Append the rows of a basic token's pieces by greedy search. Append none if no piece fits at some place."""
        known, longest, before = self._rows.get, self._longest, len(rows)
        rest, least = token, 0
        while (end := len(rest)) > least:
            end = min(end, longest)
            while (row := known(rest[:end])) is None:
                end -= 1
                if end <= least:
                    del rows[before:]
                    return
            rows.append(row)
            rest, least = INSIDE + rest[end:], len(INSIDE)


def basic_tokens(text: str) -> list[str]:
    """Split a text as BERT's uncased normaliser and pre-tokenizer do. WordPiece then splits each of these tokens.

    The text is lower-cased. Accents (NFD, then category Mn removed) and control characters are removed. It is split at
    white space, and on both sides of punctuation and CJK ideographs. Every step works character by character. This is
    possible even for NFD, because nothing of category Mn remains.

    Character properties are those of Python's Unicode version. `tokenizers` uses an older version. They differ in marks
    and punctuation added to Unicode since about 2015.
    """
    return text.translate(_FOLDED).split()


class _Folded(dict[int, str]):
    """Cache from a code point to its folded text."""

    def __missing__(self, code: int) -> str:
        self[code] = folded = _fold(chr(code))
        return folded


_FOLDED = _Folded()
_FOLDED_LINES = _Folded({ord("\n"): "\n"})  # for one word per line


def _fold(character: str) -> str:
    """Normalise a character as BERT does, with spaces where a basic token ends."""
    if character in "\t\n\r":
        return " "
    if character == "\ufffd" or unicodedata.category(character) in ("Cc", "Cf", "Co", "Cs"):
        return ""
    if character.isspace():
        return " "
    if any(first <= ord(character) <= last for first, last in _IDEOGRAPHS):
        return f" {unicodedata.normalize('NFD', character)} "
    parts = [part for part in unicodedata.normalize("NFD", character) if unicodedata.category(part) != "Mn"]
    punctuation = (part in _ASCII_PUNCTUATION or unicodedata.category(part).startswith("P") for part in parts)
    return "".join(f" {part} " if alone else part.lower() for part, alone in zip(parts, punctuation, strict=True))


def quantised(vectors: Floats) -> tuple[NDArray[np.int8], Floats]:
    """Round rows (V, E) to whole numbers from -127 to 127. Also return their scales (V,), the factors to undo it."""
    scales = np.abs(vectors).max(axis=1, initial=0) / np.float32(127)
    scales[scales < np.finfo(np.float32).tiny] = 1  # rows of zeros, or nearly so
    return np.rint(vectors / scales[:, None]).astype(np.int8), scales


def _read_pieces(path: Path) -> list[str]:
    try:
        pieces = path.read_text(encoding="utf-8").removesuffix("\n").split("\n")
    except OSError as error:
        raise UserError(f"{path}: cannot read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: damaged: not UTF-8 at byte {error.start}; copy it again") from error
    lines: dict[str, int] = {}
    for number, piece in enumerate(pieces, start=1):
        if not piece:
            raise UserError(f"{path}:{number}: damaged: an empty line; copy it again")
        if (earlier := lines.setdefault(piece, number)) != number:
            raise UserError(f"{path}:{number}: damaged: {piece!r} is in line {earlier} too; copy it again")
    return pieces


def _read_vectors(path: Path) -> tuple[Floats | Bytes, Floats | None]:
    """Read the vectors (V, E): int8 with scales (V,) if stored so, else float32."""
    with library_failures_told(path, "damaged", "copy it again"):  # also for types unknown to NumPy
        tensors = load_file(path)
    if problem := _problem(tensors):
        raise UserError(f"{path}: {problem}; copy it again, or make it with scripts/distill_vectors.py")
    vectors, scales = tensors["vectors"], tensors.get("scales")
    if vectors.dtype != np.int8:
        vectors = vectors.astype(np.float32)
    if scales is not None:
        scales = scales.astype(np.float32)
    require_sound(vectors, path, scales)
    return vectors, scales


def require_sound(vectors: Floats | Bytes, path: Path, scales: Floats | None = None) -> None:
    """Check vectors (V, E), of which a row is to be multiplied with its scale (V,).

    Raises:
        UserError: a row has a number that is infinite, NaN or huge.
    """
    largest = np.maximum(vectors.max(axis=1).astype(np.float32), -vectors.min(axis=1).astype(np.float32))  # (V,)
    if scales is not None:
        with np.errstate(all="ignore"):
            largest = np.abs(largest * scales)
    sound = largest < TOO_LARGE  # also False for NaN
    if not sound.all():
        raise UserError(f"{path}: damaged: row {int(np.argmin(sound))} holds no sensible numbers; copy it again")


def _problem(tensors: Mapping[str, NDArray[np.generic]]) -> str | None:
    """Describe what is wrong with names, types or shapes. None if nothing is."""
    vectors, scales = tensors.get("vectors"), tensors.get("scales")
    if vectors is None:
        return f"no tensor `vectors`, only {sorted(tensors)}"
    if vectors.ndim != 2 or not vectors.shape[1] or vectors.dtype not in (np.int8, np.float16, np.float32):
        return f"`vectors` is {vectors.dtype} {vectors.shape}, expected int8, float16 or float32 (pieces, width)"
    if vectors.dtype == np.int8 and scales is None:
        return "`vectors` is int8, but there is no tensor `scales`"
    if scales is not None and (scales.shape != vectors.shape[:1] or scales.dtype not in (np.float16, np.float32)):
        return f"`scales` is {scales.dtype} {scales.shape}, expected float32 {vectors.shape[:1]}"
    return None
