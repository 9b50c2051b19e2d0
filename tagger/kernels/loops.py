"""Inner loops, compiled by numba ahead of time. Each is one pass over memory where NumPy needs a dozen.

`python -m tagger.kernels.loops FILE` writes their machine code for this processor into FILE, an object file. `compiled`
loads it without numba, whose import alone takes 0.4 s and 90 MB. The file depends on no library, so that any linker can
make a shared library of it. Each function takes the addresses of its arrays and their sizes, returns nothing and raises
nothing.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import llvmlite.binding as llvm
import numba
import numpy as np
from numba import carray, types

from tagger.kernels.gru import FINITE, columns_at_once, projections_of, states_of

_FLOATS = types.CPointer(types.float32)
_INTS = types.CPointer(types.int64)
_CODES = types.CPointer(types.uint32)
_KEYS = types.CPointer(types.uint64)
_BYTES = types.CPointer(types.int8)
_SHORTS = types.CPointer(types.int16)
_WHOLES = types.CPointer(types.int32)
_SIZE = types.int64

_SPACE, _LINE = ord(" "), ord("\n")
# FNV-like hashes of 64 bits, with one start value for pieces that begin a word and one for pieces inside
_BEGINS, _INSIDE, _FACTOR = np.uint64(0xCBF29CE484222325), np.uint64(0x84222325CBF29CE4), np.uint64(0x9E3779B97F4A7C15)

_NO_NAN = {"nnan", "nsz"}  # for numbers that may be infinite; lets LLVM take a maximum in registers


def best_paths(emissions_, batch_sizes_, steps, out_of_, start_, end_, reached_, path_, tags, width):  # type: ignore[no-untyped-def]
    """Find the best path of each sentence; `decoding.decoder.Decoder.best_paths` computes the same sums.

    Args:
        emissions_: (N, K) packed by time.
        batch_sizes_: (T,) sentences at each time step.
        steps: T.
        out_of_: (W, W) scores from row to column, minus infinity where forbidden. W is K, padded to fill registers.
        start_, end_: (W,) of the first and the last tag.
        reached_: (T, W) scratch space.
        path_: (N,) the result.
        tags, width: K and W, which divides by 4.
    """
    batch_sizes, reached = carray(batch_sizes_, steps), carray(reached_, (steps, width))
    out_of, start, end = carray(out_of_, (width, width)), carray(start_, width), carray(end_, width)
    for sentence in range(batch_sizes[0]):
        place, length = sentence, 1
        for tag in range(width):
            reached[0, tag] = start[tag] + (emissions_[place * tags + tag] if tag < tags else np.float32(0))
        while length < steps and batch_sizes[length] > sentence:
            place += batch_sizes[length - 1]
            before, now = reached[length - 1], reached[length]
            now[:] = -np.inf
            for source in range(0, width, 4):
                b0, b1, b2, b3 = before[source], before[source + 1], before[source + 2], before[source + 3]
                o0, o1, o2, o3 = out_of[source], out_of[source + 1], out_of[source + 2], out_of[source + 3]
                for tag in range(width):
                    best = max(max(b0 + o0[tag], b1 + o1[tag]), max(b2 + o2[tag], b3 + o3[tag]))
                    now[tag] = max(now[tag], best)
            largest = np.float32(-np.inf)
            for tag in range(tags):
                now[tag] += emissions_[place * tags + tag]
                largest = max(largest, now[tag])
            for tag in range(width):
                now[tag] -= largest
            length += 1
        tag = 0
        for other in range(1, tags):
            if reached[length - 1, other] + end[other] > reached[length - 1, tag] + end[tag]:
                tag = other
        path_[place] = tag
        for step in range(length - 1, 0, -1):
            place -= batch_sizes[step - 1]
            best_source = 0
            for source in range(1, tags):
                score = reached[step - 1, source] + out_of[source, tag]
                if score > reached[step - 1, best_source] + out_of[best_source, tag]:
                    best_source = source
            tag = best_source
            path_[place] = tag


@numba.njit(error_model="numpy")
def _found(keys, values, key):  # type: ignore[no-untyped-def]
    """Look a key up in a table with open addressing: its value, or -1."""
    slot = np.int64(key >> np.uint64(20)) & (len(keys) - 1)
    while values[slot] >= 0 and keys[slot] != key:
        slot = (slot + 1) & (len(keys) - 1)
    return values[slot]


def index_pieces(codes_, ends_, inside_, pieces, keys_, values_, slots):  # type: ignore[no-untyped-def]
    """Fill a table from hashes of word pieces to their rows, for `split_words`.

    Args:
        codes_: code points of the pieces, one after the other, without the prefix of those inside a word.
        ends_: (V,) where each piece ends.
        inside_: (V,) 1 for a piece inside a word, 0 for one that begins it.
        pieces: V.
        keys_, values_: (slots,) the table; all values are -1.
        slots: a power of 2, larger than V.
    """
    ends, inside = carray(ends_, pieces), carray(inside_, pieces)
    keys, values = carray(keys_, slots), carray(values_, slots)
    begin = 0
    for piece in range(pieces):
        key = _INSIDE if inside[piece] else _BEGINS
        for place in range(begin, ends[piece]):
            key = (key ^ np.uint64(codes_[place])) * _FACTOR
        slot = np.int64(key >> np.uint64(20)) & (slots - 1)
        while values[slot] >= 0:
            slot = (slot + 1) & (slots - 1)
        keys[slot], values[slot] = key, piece
        begin = ends[piece]


def split_words(codes_, length, longest, most, keys_, values_, slots, hashes_, rows_, ends_):  # type: ignore[no-untyped-def]
    """Find the rows of words' pieces; `features.vectors.wordpiece.WordPieceVectors` finds the same.

    Args:
        codes_: code points of the folded words. A space ends a token, a line end ends a word.
        length: of codes_.
        longest: characters of the longest piece.
        most: characters of the longest token that is split. A longer one is unknown, unless it is a piece.
        keys_, values_, slots: from `index_pieces`.
        hashes_: (longest + 1,) scratch space.
        rows_: (length,) the result, one word's after the other's.
        ends_: (words,) where each word's rows end.
    """
    keys, values, hashes = carray(keys_, slots), carray(values_, slots), carray(hashes_, longest + 1)
    count = word = begin = 0
    for stop in range(length):
        if codes_[stop] != _SPACE and codes_[stop] != _LINE:
            continue
        before, place = count, begin
        while place < stop:
            reach = min(stop - place, longest)
            hashes[0] = _INSIDE if place > begin else _BEGINS
            for distance in range(reach):
                hashes[distance + 1] = (hashes[distance] ^ np.uint64(codes_[place + distance])) * _FACTOR
            row = np.int64(-1)
            while reach > 0:
                row = _found(keys, values, hashes[reach])
                if row >= 0:
                    break
                reach -= 1
            if row < 0 or (stop - begin > most and reach < stop - begin):
                count = before
                break
            rows_[count] = row
            count += 1
            place += reach
        begin = stop + 1
        if codes_[stop] == _LINE:
            ends_[word] = count
            word += 1


def add_pieces(rows_, counts_, words, vectors_, scales_, width, sums_):  # type: ignore[no-untyped-def]
    """The sum of each word's pieces' vectors, added in their order.

    Args:
        rows_: (P,) rows of pieces, one word's after the other's.
        counts_: (U,) how many each word has.
        words: U.
        vectors_: (V, E).
        scales_: (V,) what the rows have yet to be multiplied by.
        width: E.
        sums_: (U, E) the result, zeros of a word without pieces.
    """
    counts, sums = carray(counts_, words), carray(sums_, (words, width))
    done = 0
    for word in range(words):
        sums[word] = 0
        for place in range(done, done + counts[word]):
            row = rows_[place]
            vector, scale = carray(vectors_, (row + 1, width))[row], scales_[row]
            for column in range(width):
                sums[word, column] += vector[column] * scale
        done += counts[word]


def convolve(characters_, words, length, contribution_, places, known, filters, bias_, room_, result_):  # type: ignore[no-untyped-def]
    """Convolve characters, take the maximum over a word, rectify; see `engines.numpy_embeddings.CharCNN`.

    Args:
        characters_: (U, C), padded with zeros on the right.
        words, length: U and C.
        contribution_: (W, V, F) what each character adds to each filter at each position of the kernel.
        places, known, filters: W, V and F.
        bias_: (F,).
        room_: (F,) scratch space.
        result_: (U, F), zeros for a word without characters.
    """
    characters, contribution = carray(characters_, (words, length)), carray(contribution_, (places, known, filters))
    bias, room, result = carray(bias_, filters), carray(room_, filters), carray(result_, (words, filters))
    for word in range(words):
        end = 0
        while end < length and characters[word, end] != 0:
            end += 1
        result[word] = -np.inf if end else np.float32(0)
        for middle in range(end):
            first = middle - places // 2
            room[:] = 0
            for place in range(places):
                if 0 <= first + place < end:
                    added = contribution[place, characters[word, first + place]]
                    for column in range(filters):
                        room[column] += added[column]
            for column in range(filters):
                result[word, column] = max(result[word, column], room[column])
        if end:
            for column in range(filters):
                result[word, column] = max(result[word, column] + bias[column], np.float32(0))


def _projections(numbers: types.Type, sums: types.Type) -> list[types.Type]:
    """Return the types of the arguments of `gru.projections_of`."""
    return [_FLOATS, _SIZE, _SIZE, numbers, _FLOATS, _FLOATS, numbers, _FLOATS, sums, numbers, _SIZE, _SIZE]


def _states(numbers: types.Type, sums: types.Type) -> list[types.Type]:
    """Return the types of the arguments of `gru.states_of`."""
    weights = [numbers, _FLOATS, _FLOATS]
    return [numbers, _INTS, _INTS, _INTS, _SIZE, *weights, numbers, _FLOATS, sums, _FLOATS, _SIZE, _SIZE]


KERNELS: dict[str, tuple[Callable[..., None], list[types.Type], set[str]]] = {  # arguments; what LLVM may assume
    "columns_at_once": (columns_at_once, [_INTS], set()),
    "gru_projections": (projections_of(fixed=False), _projections(_FLOATS, _FLOATS), FINITE),
    "gru_projections_fixed": (projections_of(fixed=True), _projections(_SHORTS, _WHOLES), FINITE),
    "gru_states": (states_of(fixed=False), _states(_FLOATS, _FLOATS), FINITE),
    "gru_states_fixed": (states_of(fixed=True), _states(_SHORTS, _WHOLES), FINITE),
    "index_pieces": (index_pieces, [_CODES, _INTS, _INTS, _SIZE, _KEYS, _INTS, _SIZE], set()),
    "split_words": (
        split_words,
        [_CODES, _SIZE, _SIZE, _SIZE, _KEYS, _INTS, _SIZE, _KEYS, _INTS, _INTS],
        set(),
    ),
    "add_pieces": (add_pieces, [_INTS, _INTS, _SIZE, _BYTES, _FLOATS, _SIZE, _FLOATS], set()),
    "convolve": (convolve, [_INTS, _SIZE, _SIZE, _FLOATS, _SIZE, _SIZE, _SIZE, *[_FLOATS] * 3], _NO_NAN),
    "best_paths": (best_paths, [_FLOATS, _INTS, _SIZE, *[_FLOATS] * 4, _INTS, _SIZE, _SIZE], _NO_NAN),
}


def machine_code() -> bytes:
    """Compile all kernels into one object file for this processor."""
    linked = None
    for name, (function, arguments, assumptions) in KERNELS.items():
        compiled = numba.njit(types.void(*arguments), fastmath=assumptions, error_model="numpy")(function)
        (signature,) = compiled.signatures
        long_name = compiled.overloads[signature].fndesc.llvm_func_name  # type: ignore[attr-defined]
        module = llvm.parse_assembly(compiled.inspect_llvm(signature).replace(long_name, name))
        if linked is None:
            linked = module
        else:
            linked.link_in(module)
    assert linked is not None
    target = llvm.Target.from_default_triple().create_target_machine(
        cpu=llvm.get_host_cpu_name(), features=llvm.get_host_cpu_features().flatten(), opt=3, reloc="pic"
    )
    _drop_wrappers(linked, target)
    return target.emit_object(linked)


def _drop_wrappers(module: llvm.ModuleRef, target: llvm.TargetMachine) -> None:
    """Drop numba's own wrappers, which call into Python."""
    for function in module.functions:
        if not function.is_declaration and function.name not in KERNELS:
            function.linkage = llvm.Linkage.internal
    builder = llvm.create_pass_builder(target, llvm.create_pipeline_tuning_options(speed_level=0))
    manager = llvm.create_new_module_pass_manager()
    manager.add_global_dead_code_eliminate_pass()
    manager.run(module, builder)


if __name__ == "__main__":
    Path(sys.argv[1]).write_bytes(machine_code())
