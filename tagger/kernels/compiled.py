"""Call the compiled loops of `loops` with NumPy arrays.

A shared library loads at once. If the system has no linker, llvmlite (a part of numba) links the object file in each
process, in a tenth of the time and half of the memory that numba itself takes.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tagger.kernels.packed_weights import LANES, Numbers, Packed

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]
_ROWS = 8  # at most, that a product works on together; see `gru.AT_ONCE`
LIBRARY, OBJECT = ".so", ".o"  # a shared library, which loads by itself; an object file, which must be linked
_FIXED = {False: "", True: "_fixed"}  # endings of the names of loops, in float32 and in fixed point


class Kernels:
    """The compiled loops, called with NumPy arrays. Threads may share them: they keep nothing between calls.

    Attributes:
        blocks: blocks of columns per group in a GRU's packed weights; see `Packed`.
    """

    def __init__(self, code: Path) -> None:
        """Load an object file that `loops` wrote, or a shared library made of it.

        Raises:
            OSError, RuntimeError: it cannot be loaded.
        """
        self._address = _loaded(code) if code.suffix == LIBRARY else _linked_here(code)
        blocks = np.zeros(1, dtype=np.int64)
        self._function("columns_at_once", 1)(_data(blocks))
        self.blocks = int(blocks[0])
        self._gru_projections = {fixed: self._function(f"gru_projections{end}", 12) for fixed, end in _FIXED.items()}
        self._gru_states = {fixed: self._function(f"gru_states{end}", 14) for fixed, end in _FIXED.items()}
        self._best_paths = self._function("best_paths", 10)
        self._index_pieces = self._function("index_pieces", 7)
        self._split_words = self._function("split_words", 10)
        self._add_pieces = self._function("add_pieces", 7)
        self._convolve = self._function("convolve", 10)

    def _function(self, name: str, arguments: int) -> Callable[..., None]:
        """Look a loop up by its name, as a function of that many addresses and sizes."""
        function = ctypes.CFUNCTYPE(ctypes.c_int, *[ctypes.c_int64] * (2 + arguments))(self._address(name))
        unused = ctypes.create_string_buffer(64)  # numba's functions write results and errors there; nobody reads them
        nothing = ctypes.addressof(unused)

        def call(*values: int, keep: object = unused) -> None:
            function(nothing, nothing, *values)

        return call

    def gru_projections(self, weights: Packed, bias: Floats, vectors: Floats) -> Numbers:
        """Compute what M vectors add to a GRU's gates. A row has the same bits whichever rows are beside it.

        Args:
            weights: (2, E, 3, H), packed.
            bias: (2, 3, H).
            vectors: (M, E).

        Returns:
            (M, 6H) float32; in fixed point int16, multiplied by `ADDED_ONE`.
        """
        vectors = np.ascontiguousarray(vectors)
        result = np.empty((len(vectors), bias.size), dtype=weights.numbers.dtype)
        room = np.empty((_ROWS, weights.depth), dtype=weights.numbers.dtype)
        units = np.empty(_ROWS, dtype=np.float32)
        arrays = (weights.numbers, weights.factors, bias, room, units, _sums(weights), result)
        at = [_data(array) for array in arrays]
        self._gru_projections[weights.fixed](_data(vectors), *vectors.shape, *at, bias.shape[2], weights.depth)
        return result

    def gru_states(
        self, weights: Packed, bias: Floats, projections: Numbers, rows: Ints, batch_sizes: Ints, backward: Ints
    ) -> Floats:
        """Compute a GRU layer's states (N, 2H); see `numpy_layers.GRULayer.run`.

        Args:
            weights: (2, H, 3, H), packed.
            bias: (2, H) of the candidate.
            projections: (M, 6H), of the weights' type.
            rows, batch_sizes, backward: as there.
        """
        sentences, hidden = int(batch_sizes[0]), bias.shape[1]
        states = np.empty((len(rows), 2 * hidden), dtype=np.float32)
        room = np.empty((sentences, weights.depth), dtype=np.float32)
        multiplied = np.empty(room.shape, dtype=np.int16) if weights.fixed else room
        of_tokens = [np.ascontiguousarray(array, dtype=np.int64) for array in (rows, backward, batch_sizes)]
        before = [_data(array) for array in (projections, *of_tokens)]
        arrays = (weights.numbers, weights.factors, bias, multiplied, room, _sums(weights), states)
        after = [_data(array) for array in arrays]
        self._gru_states[weights.fixed](*before, len(batch_sizes), *after, hidden, weights.depth)
        return states

    def best_paths(self, emissions: Floats, batch_sizes: Ints, *, out_of: Floats, start: Floats, end: Floats) -> Ints:
        """Find the best paths (N,); see `decoder.Decoder.best_paths`.

        Args:
            emissions, batch_sizes: as there.
            out_of, start, end: (W, W), (W,) and (W,), from `padded`.
        """
        (width,) = end.shape
        path = np.empty(len(emissions), dtype=np.int64)
        reached = np.empty((len(batch_sizes), width), dtype=np.float32)
        batch_sizes = np.ascontiguousarray(batch_sizes, dtype=np.int64)
        at = [_data(array) for array in (emissions, batch_sizes, out_of, start, end, reached, path)]
        self._best_paths(*at[:2], len(batch_sizes), *at[2:], emissions.shape[1], width)
        return path

    def sums_of_pieces(self, rows: Ints, counts: Ints, vectors: NDArray[np.int8], scales: Floats) -> Floats:
        """Add up the vectors of each word's pieces, (U, E).

        Args:
            rows: (P,) rows of pieces, one word's after the other's.
            counts: (U,) pieces of each word.
            vectors, scales: (V, E), and (V,) factors of the rows.
        """
        sums = np.empty((len(counts), vectors.shape[1]), dtype=np.float32)
        counts = np.ascontiguousarray(counts)
        at = [_data(array) for array in (rows, counts, vectors, scales, sums)]
        self._add_pieces(*at[:2], len(counts), *at[2:4], vectors.shape[1], at[4])
        return sums

    def convolved(self, characters: Ints, contribution: Floats, bias: Floats) -> Floats:
        """Convolve words' characters, (U, F); see `numpy_embeddings.CharCNN`.

        Args:
            characters: (U, C).
            contribution, bias: (W, V, F) and (F,), as there.
        """
        words, length = characters.shape
        result, room = np.empty((words, len(bias)), dtype=np.float32), np.empty(len(bias), dtype=np.float32)
        at = [_data(array) for array in (characters, contribution, bias, room, result)]
        self._convolve(at[0], words, length, at[1], *contribution.shape, *at[2:])
        return result


class PieceIndex:
    """Splits words into word pieces by a hash table; `features.vectors.wordpiece` does the same by a dictionary."""

    def __init__(self, kernels: Kernels, pieces: Sequence[str], inside: str) -> None:
        """Index all word pieces. Those that continue a word have the prefix `inside`."""
        self._kernels = kernels
        continues = np.array([piece.startswith(inside) for piece in pieces], dtype=np.int64)
        bare = [piece.removeprefix(inside) for piece in pieces]
        ends = np.cumsum([len(piece) for piece in bare], dtype=np.int64)
        self._longest = max(map(len, bare), default=0)
        slots = 1 << (2 * len(pieces) + 1).bit_length()
        self._keys, self._values = np.zeros(slots, dtype=np.uint64), np.full(slots, -1, dtype=np.int64)
        codes = code_points("".join(bare))
        at = [_data(array) for array in (codes, ends, continues, self._keys, self._values)]
        kernels._index_pieces(*at[:3], len(pieces), *at[3:], slots)

    def split(self, folded: str, words: int, most: int) -> tuple[Ints, Ints]:
        """Return the rows of the words' pieces, one word's after the other's, and (U,) how many each word has.

        Args:
            folded: U words, a line each, their tokens separated by spaces.
            words: U.
            most: characters of the longest token that is split.
        """
        codes = code_points(f"{folded}\n")
        hashes = np.empty(self._longest + 1, dtype=np.uint64)
        rows, ends = np.empty(len(codes), dtype=np.int64), np.empty(words, dtype=np.int64)
        table = (_data(self._keys), _data(self._values), len(self._keys))
        about = (len(codes), self._longest, most)
        self._kernels._split_words(_data(codes), *about, *table, _data(hashes), _data(rows), _data(ends))
        return rows[: ends[-1]], np.diff(ends, prepend=0)


def code_points(text: str) -> NDArray[np.uint32]:
    """Return the code points of a text, (P,)."""
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4")


def padded(scores: Floats) -> Floats:
    """Pad scores (K,) or (K, K) with minus infinity to fill whole registers: (W,) or (W, W)."""
    return np.ascontiguousarray(np.pad(scores, (0, -len(scores) % LANES), constant_values=-np.inf))


def _loaded(library: Path) -> Callable[[str], int]:
    """Return the addresses of a shared library's functions, by name."""
    functions = ctypes.CDLL(str(library))
    return lambda name: ctypes.cast(getattr(functions, name), ctypes.c_void_p).value or 0


def _linked_here(code: Path) -> Callable[[str], int]:
    """Link an object file in memory and return the addresses of its functions, by name."""
    import llvmlite.binding as llvm

    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    target = llvm.Target.from_default_triple().create_target_machine(jit=True)
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), target)
    engine.add_object_file(llvm.object_file.ObjectFileRef.from_data(code.read_bytes()))
    engine.finalize_object()
    return engine.get_function_address


def _sums(weights: Packed) -> NDArray[Any]:
    """Make scratch space for a tile's sums."""
    _, gates, wide = weights.factors.shape
    return np.empty((_ROWS, gates, wide), dtype=np.int32 if weights.fixed else np.float32)


def _data(array: NDArray[Any]) -> int:
    assert array.flags.c_contiguous
    return array.ctypes.data
