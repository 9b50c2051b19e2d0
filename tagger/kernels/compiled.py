"""The machine code of `loops`, made once for this processor and kept; where numba is not installed there is none.

Where the system has a linker it is kept as a shared library, which costs nothing to load. Elsewhere llvmlite, which
numba brings along, links it anew each time: a tenth of the time and half of the memory of numba itself.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tagger.errors import UserError
from tagger.kernels import object_cache
from tagger.kernels.packed_weights import LANES, Numbers, Packed

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]
_WORTH_COMPILING = 2048  # tokens decoded: it takes some seconds, once for each processor
_ROWS = 8  # that are worked on together, at the most; see `gru.AT_ONCE`
_FIXED = {False: "", True: "_fixed"}  # how the names of kernels end
_SOURCE = "tagger.kernels.loops"
_LINKERS = ("cc", "gcc", "clang", "ld")  # each makes a shared library when told `-shared`
_LIBRARY, _OBJECT = object_cache.SUFFIXES


class Kernels:
    """The compiled loops, on NumPy's arrays.

    Attributes:
        blocks: how a GRU's weights have to be packed.
    """

    def __init__(self, code: Path) -> None:
        """`code` is an object file that `loops` made, or a shared library made of it."""
        self._address = _loaded(code) if code.suffix == _LIBRARY else _linked_here(code)
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
        """A kernel as a function of that many addresses and sizes."""
        function = ctypes.CFUNCTYPE(ctypes.c_int, *[ctypes.c_int64] * (2 + arguments))(self._address(name))
        unused = ctypes.create_string_buffer(64)  # where numba's functions put what they return or raise
        nothing = ctypes.addressof(unused)

        def call(*values: int, keep: object = unused) -> None:
            function(nothing, nothing, *values)

        return call

    def gru_projections(self, weights: Packed, bias: Floats, vectors: Floats) -> Numbers:
        """(M, 6H) what vectors (M, E) add to a GRU's gates; a row does not depend on the others, to the bit.

        Args:
            weights: (2, E, 3, H), packed.
            bias: (2, 3, H).
            vectors: any number.

        Returns:
            float32; in fixed point int16, times `ADDED_ONE`.
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
        self, weights: Packed, bias: Floats, projections: Numbers, rows: Ints, running: Ints, backward: Ints
    ) -> Floats:
        """A GRU layer's states (N, 2H), as `numpy_layers.GRULayer.run` gives them.

        Args:
            weights: (2, H, 3, H), packed.
            bias: (2, H) of the candidate.
            projections: (M, 6H), of the weights' kind.
            rows, running, backward: as there.
        """
        sentences, hidden = int(running[0]), bias.shape[1]
        states = np.empty((len(rows), 2 * hidden), dtype=np.float32)
        room = np.empty((sentences, weights.depth), dtype=np.float32)
        multiplied = np.empty(room.shape, dtype=np.int16) if weights.fixed else room
        of_tokens = [np.ascontiguousarray(array, dtype=np.int64) for array in (rows, backward, running)]
        before = [_data(array) for array in (projections, *of_tokens)]
        arrays = (weights.numbers, weights.factors, bias, multiplied, room, _sums(weights), states)
        after = [_data(array) for array in arrays]
        self._gru_states[weights.fixed](*before, len(running), *after, hidden, weights.depth)
        return states

    def best_paths(self, emissions: Floats, running: Ints, *, out_of: Floats, start: Floats, end: Floats) -> Ints:
        """(N,) the best paths, as `decoder.Decoder.best_paths` gives them.

        Args:
            emissions, running: as there.
            out_of, start, end: (W, W), (W,) and (W,), as `padded` makes them.
        """
        (width,) = end.shape
        path = np.empty(len(emissions), dtype=np.int64)
        reached = np.empty((len(running), width), dtype=np.float32)
        running = np.ascontiguousarray(running, dtype=np.int64)
        at = [_data(array) for array in (emissions, running, out_of, start, end, reached, path)]
        self._best_paths(*at[:2], len(running), *at[2:], emissions.shape[1], width)
        return path

    def sums_of_pieces(self, rows: Ints, counts: Ints, vectors: NDArray[np.int8], scales: Floats) -> Floats:
        """The sum of each word's pieces' vectors, (U, E).

        Args:
            rows: (P,) rows of pieces, one word's after the other's.
            counts: (U,) how many each word has.
            vectors, scales: (V, E), and (V,) what the rows have yet to be multiplied by.
        """
        sums = np.empty((len(counts), vectors.shape[1]), dtype=np.float32)
        counts = np.ascontiguousarray(counts)
        at = [_data(array) for array in (rows, counts, vectors, scales, sums)]
        self._add_pieces(*at[:2], len(counts), *at[2:4], vectors.shape[1], at[4])
        return sums

    def convolved(self, characters: Ints, contribution: Floats, bias: Floats) -> Floats:
        """(U, F), as `word_vectors.ConvolvedCharacters` gives them.

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
    """Word pieces by their hashes, for words to be split into, as `features.vectors.wordpiece` does by a dictionary."""

    def __init__(self, kernels: Kernels, pieces: Sequence[str], inside: str) -> None:
        """`inside` is how those of the pieces begin that continue a word."""
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
        """Rows of the pieces of words, one word's after the other's, and (U,) how many each has.

        Args:
            folded: words, a line each, whose tokens stand between spaces.
            words: U.
            most: characters of a token that is to be split.
        """
        codes = code_points(f"{folded}\n")
        hashes = np.empty(self._longest + 1, dtype=np.uint64)
        rows, ends = np.empty(len(codes), dtype=np.int64), np.empty(words, dtype=np.int64)
        table = (_data(self._keys), _data(self._values), len(self._keys))
        about = (len(codes), self._longest, most)
        self._kernels._split_words(_data(codes), *about, *table, _data(hashes), _data(rows), _data(ends))
        return rows[: ends[-1]], np.diff(ends, prepend=0)


def code_points(text: str) -> NDArray[np.uint32]:
    """(P,)."""
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4")


def padded(scores: Floats) -> Floats:
    """Scores (K,) or (K, K) with so many of minus infinity more that they fill registers: (W,) or (W, W)."""
    return np.ascontiguousarray(np.pad(scores, (0, -len(scores) % LANES), constant_values=-np.inf))


class Supply:
    """The kernels of this process: from the cache, or compiled when there is enough for them to do.

    Attributes:
        lack: why there are none, once that is decided.
        remark: what a user should know of them: that they could not be kept.
    """

    def __init__(self) -> None:
        self.lack = self.remark = ""
        self._asked = 0
        self._found: Kernels | None = None
        self._settled = False

    def __call__(self, tokens: int) -> Kernels | None:
        """None without numba, or where it cannot compile, or if what was asked of them so far does not repay it.

        Args:
            tokens: that are now to get their tags; 0 for all loops but the decoder's, as its tokens are theirs.
        """
        if not self._settled:
            self._asked += tokens
            self._settle()
        return self._found

    def settle(self) -> bool:
        """Decide now whether there are any, compiling them if need be; returns whether there are.

        States differ in the last bits with and without them. Whoever wants the same input tagged alike by several
        processes, or in several runs, has to begin with what he ends with.
        """
        return self(_WORTH_COMPILING) is not None

    @cached_property
    def _place(self) -> Path | None:
        return object_cache.place()

    @cached_property
    def _kept_at_first(self) -> Path | None:
        """What was kept when it was first asked for: small batches are not to look for it again and again."""
        return self._place and object_cache.found(self._place)

    def _settle(self) -> None:
        place, worth = self._place, self._asked >= _WORTH_COMPILING
        code = place and (object_cache.found(place) if worth else self._kept_at_first)
        if place is None or code or worth:
            self._settled = True
        if place is None:
            self.lack = "numba is not installed (pip install 'tagger[fast]')"
        elif self._settled:
            try:
                self._found = Kernels(code) if code else self._made(place)
            except (OSError, RuntimeError, subprocess.SubprocessError) as error:
                self.lack = f"they cannot be {'loaded' if code else 'compiled'} here ({error})"

    def _made(self, place: Path) -> Kernels:
        """Compiled, and kept for the next time."""
        with tempfile.TemporaryDirectory() as temporary:
            code = _compiled(Path(temporary))
            try:
                object_cache.keep(code, place)
            except UserError as error:
                self.remark = f"compiled loops cannot be kept, and are made anew each time: {error}; set TAGGER_CACHE"
            return Kernels(code)


kernels = Supply()


def _compiled(folder: Path) -> Path:
    """Machine code, in a folder, made in a process of its own: a shared library where the system has a linker."""
    made = folder / f"kernels{_OBJECT}"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-m", _SOURCE, str(made)], env=environment, check=True, capture_output=True)
    return _linked(made) or made


def _linked(made: Path) -> Path | None:
    """A shared library of an object file, beside it; None where the system has nothing to make it with."""
    library = made.with_suffix(_LIBRARY)
    for linker in filter(None, map(shutil.which, _LINKERS)):
        done = subprocess.run([linker, "-shared", "-o", str(library), str(made)], capture_output=True)
        if done.returncode == 0:
            return library
    return None


def _loaded(library: Path) -> Callable[[str], int]:
    """The addresses of a shared library's functions, by name."""
    functions = ctypes.CDLL(str(library))
    return lambda name: _address_of(getattr(functions, name))


def _linked_here(code: Path) -> Callable[[str], int]:
    """The addresses of an object file's functions, by name, linked in memory."""
    import llvmlite.binding as llvm

    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    target = llvm.Target.from_default_triple().create_target_machine(jit=True)
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), target)
    engine.add_object_file(llvm.object_file.ObjectFileRef.from_data(code.read_bytes()))
    engine.finalize_object()
    return engine.get_function_address


def _sums(weights: Packed) -> NDArray[Any]:
    """Room for a tile's sums."""
    _, gates, wide = weights.factors.shape
    return np.empty((_ROWS, gates, wide), dtype=np.int32 if weights.fixed else np.float32)


def _data(array: NDArray[Any]) -> int:
    assert array.flags.c_contiguous
    return array.ctypes.data


def _address_of(function: Callable[..., object]) -> int:
    address = ctypes.cast(function, ctypes.c_void_p).value  # type: ignore[arg-type]
    assert address is not None
    return address
