"""The loops of a GRU, in float32 or in fixed point; `engines.numpy_layers.GRULayer` computes the same in NumPy.

In fixed point, states, inputs, weights and projections are int16. Sums are exact in int32. Gates are in float32.
"""

from __future__ import annotations

from collections.abc import Callable

import llvmlite.binding as llvm
import numpy as np
from numba import carray, njit

from tagger.kernels.packed_weights import ADDED_ONE, LANES, ROW_ONE
from tagger.kernels.tiles import add_products, fetch_ahead

FINITE = {"nnan", "ninf", "nsz", "contract", "reassoc"}  # what LLVM may assume, to fill registers; division is exact
# rows and blocks of columns whose sums fill the registers: 32 of 512 bits, or 16 of 256 and the like
AT_ONCE, BLOCKS = (8, 3) if llvm.get_host_cpu_features().get("avx512f") else (6, 1)

GATES = 3
_LINE = 64  # bytes of a cache line
_ONE, _HALF = np.float32(1), np.float32(0.5)
_LARGEST = np.float32(np.iinfo(np.int16).max)
_FURTHEST = np.float32(7.90531110763549805)  # beyond it tanh is 1 in float32
# tanh x ≈ x P(x²) / Q(x²) in [-7.9, 7.9], the rational function of Eigen's `ptanh`
_P = tuple(np.float32(c) for c in (-2.76076847742355e-16, 2.00018790482477e-13, -8.60467152213735e-11))
_P += tuple(np.float32(c) for c in (5.12229709037114e-08, 1.48572235717979e-05, 6.37261928875436e-04))
_P += (np.float32(4.89352455891786e-03),)
_Q = tuple(np.float32(c) for c in (1.19825839466702e-06, 1.18534705686654e-04, 2.26843463243900e-03))
_Q += (np.float32(4.89352518554385e-03),)


def columns_at_once(blocks_):  # type: ignore[no-untyped-def]
    """Write the number of blocks of columns that are worked on together into (1,)."""
    blocks_[0] = BLOCKS


@njit(fastmath=FINITE, error_model="numpy")
def _tanh(x):  # type: ignore[no-untyped-def]
    """Compute tanh to 5 units in the last place."""
    x = min(max(x, -_FURTHEST), _FURTHEST)
    y = x * x
    above = ((((((_P[0] * y + _P[1]) * y + _P[2]) * y + _P[3]) * y + _P[4]) * y + _P[5]) * y + _P[6]) * x
    return above / (((_Q[0] * y + _Q[1]) * y + _Q[2]) * y + _Q[3])


@njit(fastmath=FINITE, error_model="numpy")
def _updated(for_reset, for_update, added, kept, state):  # type: ignore[no-untyped-def]
    """Compute a unit's new state."""
    reset, update = _HALF * (_tanh(for_reset) + _ONE), _HALF * (_tanh(for_update) + _ONE)
    candidate = _tanh(added + reset * kept)
    return candidate + update * (state - candidate)


@njit(error_model="numpy")
def _multiply(rows_, first, left, weights_, direction, groups, sums_, depth):  # type: ignore[no-untyped-def]
    """Compute the sums of the next rows, at most `AT_ONCE`, for all columns; see `add_products`."""
    blocks, stride = GATES * groups, GATES * groups * LANES
    for block in range(0, blocks, BLOCKS):
        begin, row, place = (direction * blocks + block) * depth * LANES, first * depth, block * LANES
        if left >= AT_ONCE:
            add_products(rows_, row, weights_, begin, sums_, place, stride, depth, AT_ONCE, BLOCKS)
            continue
        if left & 4:
            add_products(rows_, row, weights_, begin, sums_, place, stride, depth, 4, BLOCKS)
            row, place = row + 4 * depth, place + 4 * stride
        if left & 2:
            add_products(rows_, row, weights_, begin, sums_, place, stride, depth, 2, BLOCKS)
            row, place = row + 2 * depth, place + 2 * stride
        if left & 1:
            add_products(rows_, row, weights_, begin, sums_, place, stride, depth, 1, BLOCKS)


def states_of(fixed: bool) -> Callable[..., None]:
    """Make the loop over time, in fixed point or in float32."""
    row_one, added_unit = np.float32(ROW_ONE), np.float32(1 / ADDED_ONE)
    line = _LINE // (2 if fixed else 4)

    def states(  # type: ignore[no-untyped-def]
        projections_, rows_, backward_, batch_sizes_, steps, weights_, factors_, bias_, multiplied_, state_, sums_,
        states_, hidden, depth,
    ):  # fmt: skip
        """Compute both directions' states of sentences packed by time.

        Args:
            projections_: (M, 2, 3, H) what the input adds to the gates; int16 in fixed point.
            rows_: (N,) each token's row in it.
            backward_: (N,) the token that the backward direction reads as its k-th.
            batch_sizes_: (T,) sentences at each time step.
            steps: T.
            weights_: (2, 3⌈H/16⌉/b, K, 16b), see `Packed`.
            factors_: (2, 3, 16⌈H/16⌉), see `Packed`.
            bias_: (2, H) of the candidate, multiplied by the reset gate.
            multiplied_: (B, K) scratch space for states in the type of the products.
            state_: (B, K) scratch space for states in float32; in float32 the same as `multiplied_`.
            sums_: (8, 3, 16⌈H/16⌉) scratch space.
            states_: (N, 2, H) the result.
            hidden, depth: H, and K: H or one more.
        """
        batch_sizes, groups = carray(batch_sizes_, steps), -(-hidden // LANES)
        sentences, tokens, wide = batch_sizes[0], batch_sizes.sum(), groups * LANES
        backward, rows, biases = carray(backward_, tokens), carray(rows_, tokens), carray(bias_, (2, hidden))
        all_factors, all_sums = carray(factors_, (2, GATES, wide)), carray(sums_, (AT_ONCE, GATES, wide))
        multiplied, all_states = carray(multiplied_, (sentences, depth)), carray(state_, (sentences, depth))
        result = carray(states_, (tokens, 2, hidden))
        for direction in range(2):
            factors, bias = all_factors[direction], biases[direction]
            multiplied[:], all_states[:] = 0, 0
            done = 0
            for step in range(steps):
                for sentence in range(batch_sizes[step]):
                    row = sentence % AT_ONCE
                    if row == 0:
                        left = batch_sizes[step] - sentence
                        for following in range(done + sentence, done + sentence + min(left, AT_ONCE)):
                            token = backward[following] if direction else following
                            begin = (2 * rows[token] + direction) * GATES * hidden
                            for place in range(begin, begin + GATES * hidden, line):
                                fetch_ahead(projections_, place)
                        _multiply(multiplied_, sentence, left, weights_, direction, groups, sums_, depth)
                    token = backward[done + sentence] if direction else done + sentence
                    added = carray(projections_, (rows[token] + 1, 2, GATES, hidden))[rows[token], direction]
                    sums, state = all_sums[row], all_states[sentence]
                    for unit in range(hidden):
                        if fixed:
                            state[unit] = _updated(
                                np.float32(sums[0, unit]) * factors[0, unit] + np.float32(added[0, unit]) * added_unit,
                                np.float32(sums[1, unit]) * factors[1, unit] + np.float32(added[1, unit]) * added_unit,
                                np.float32(added[2, unit]) * added_unit,
                                np.float32(sums[2, unit]) * factors[2, unit] + bias[unit],
                                state[unit],
                            )
                        else:
                            state[unit] = _updated(
                                sums[0, unit] + added[0, unit],
                                sums[1, unit] + added[1, unit],
                                added[2, unit],
                                sums[2, unit] + bias[unit],
                                state[unit],
                            )
                    for unit in range(hidden):
                        result[token, direction, unit] = state[unit]
                        if fixed:
                            multiplied[sentence, unit] = np.floor(state[unit] * row_one + _HALF)
                done += batch_sizes[step]

    return states


def projections_of(fixed: bool) -> Callable[..., None]:
    """Make the loop that computes what the input adds to the gates, in fixed point or in float32."""
    row_one, added_one = np.float32(ROW_ONE), np.float32(ADDED_ONE)

    def projections(vectors_, count, width, weights_, factors_, bias_, room_, units_, sums_, result_, hidden, depth):  # type: ignore[no-untyped-def]
        """Multiply vectors with both directions' input weights, each row independently.

        Args:
            vectors_: (M, E) float32.
            count, width: M and E.
            weights_: (2, 3⌈H/16⌉/b, K, 16b), see `Packed`.
            factors_: (2, 3, 16⌈H/16⌉), see `Packed`.
            bias_: (2, 3, H).
            room_: (8, K) scratch space for vectors in the type of the products.
            units_: (8,) scratch space for the largest magnitude of each vector, its divisor in fixed point.
            sums_: (8, 3, 16⌈H/16⌉) scratch space.
            result_: (M, 2, 3, H); int16 in fixed point.
            hidden, depth: H, and K: E or one more.
        """
        groups = -(-hidden // LANES)
        vectors, room = carray(vectors_, (count, width)), carray(room_, (AT_ONCE, depth))
        units, bias = carray(units_, AT_ONCE), carray(bias_, (2, GATES, hidden))
        factors = carray(factors_, (2, GATES, groups * LANES))
        sums, result = carray(sums_, (AT_ONCE, GATES, groups * LANES)), carray(result_, (count, 2, GATES, hidden))
        room[:] = 0
        for first in range(0, count, AT_ONCE):
            left = min(AT_ONCE, count - first)
            for row in range(left):
                vector = vectors[first + row]
                if fixed:
                    largest = np.float32(0)
                    for column in range(width):
                        largest = max(largest, abs(vector[column]))
                    scale = row_one / largest if largest > 0 else _ONE
                    units[row] = largest
                    for column in range(width):
                        room[row, column] = np.floor(vector[column] * scale + _HALF)
                else:
                    for column in range(width):
                        room[row, column] = vector[column]
            for direction in range(2):
                _multiply(room_, 0, left, weights_, direction, groups, sums_, depth)
                for row in range(left):
                    for gate in range(GATES):
                        own, factor = sums[row, gate], factors[direction, gate]
                        shift, kept = bias[direction, gate], result[first + row, direction, gate]
                        for unit in range(hidden):
                            if fixed:
                                value = np.float32(own[unit]) * (factor[unit] * units[row]) + shift[unit]
                                value = min(max(value * added_one, -_LARGEST), _LARGEST)
                                kept[unit] = np.floor(value + _HALF)
                            else:
                                kept[unit] = own[unit] + shift[unit]

    return projections
