"""Matrix products of a few rows and columns, whose sums stay in registers. Written for numba in LLVM's own terms.

In float32 a sum is a chain of multiplications and additions in the order of the terms, fused if the processor can do
so. In int16, pairs of products are added to exact sums in int32. Processors have an instruction for that (on x86
`vpmaddwd`, or `vpdpwssd` with VNNI), which does twice the work of one in float32.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from tagger.kernels.packed_weights import LANES

_INT32, _INT64, _FLOAT = ir.IntType(32), ir.IntType(64), ir.FloatType()
_FLOATS, _WHOLES = ir.VectorType(_FLOAT, LANES), ir.VectorType(_INT32, LANES)
_PAIRS, _PRODUCTS = ir.VectorType(ir.IntType(16), 2 * LANES), ir.VectorType(_INT32, 2 * LANES)


@intrinsic(prefer_literal=True)
def add_products(typingctx, states, first, weights, begin, sums, place, stride, depth, rows, blocks):  # type: ignore[no-untyped-def]
    """Compute sums of `depth` products for `rows` rows and 16 · `blocks` columns.

    Args:
        states: pointer to (…, depth), float32 or int16; depth is even.
        first: where in it the first row begins.
        weights: pointer to the same type, of which (depth, blocks, 16) are read, of int16 (depth / 2, blocks, 16, 2).
        begin: where in it they begin.
        sums: pointer to float32 or int32, (…, stride); 16 · `blocks` numbers of each row become the result.
        place: where in it the first one begins.
        stride: from row to row.
        depth: K.
        rows, blocks: literals.
    """
    if not all(isinstance(size, types.IntegerLiteral) for size in (rows, blocks)):
        return None
    shape = rows.literal_value, blocks.literal_value
    tile = _Integers() if states.dtype == types.int16 else _Floats()

    def codegen(context: Any, builder: ir.IRBuilder, signature: Any, arguments: list[ir.Value]) -> ir.Value:
        states, first, weights, begin, sums, place, stride, depth, *_ = arguments
        rows_at = builder.bitcast(builder.gep(states, [first]), tile.step.as_pointer())
        columns_at = builder.bitcast(builder.gep(weights, [begin]), tile.columns.as_pointer())
        found = _loop(builder, tile, rows_at, columns_at, builder.udiv(depth, _INT64(tile.together)), shape)
        for (row, block), total in found.items():
            begins = builder.add(place, builder.mul(stride, _INT64(row)))
            at = builder.gep(sums, [builder.add(begins, _INT64(block * LANES))])
            builder.store(total, builder.bitcast(at, tile.sums.as_pointer()), align=4)
        return context.get_dummy_value()

    size = types.int64
    return types.void(states, size, weights, size, sums, size, size, size, rows, blocks), codegen


@intrinsic
def fetch_ahead(typingctx, numbers, place):  # type: ignore[no-untyped-def]
    """Prefetch the cache line of `numbers[place]`."""

    def codegen(context: Any, builder: ir.IRBuilder, signature: Any, arguments: list[ir.Value]) -> ir.Value:
        at = builder.bitcast(builder.gep(*arguments[:1], arguments[1:]), ir.IntType(8).as_pointer())
        kind = ir.FunctionType(ir.VoidType(), [at.type, _INT32, _INT32, _INT32])
        prefetch = builder.module.declare_intrinsic("llvm.prefetch", (at.type,), kind)
        builder.call(prefetch, [at, _INT32(0), _INT32(3), _INT32(1)])  # for reading, kept in all caches, data
        return context.get_dummy_value()

    return types.void(numbers, types.int64), codegen


class _Floats:
    """Sums in float32."""

    together = 1  # products that one instruction adds
    step, columns, sums = _FLOAT, _FLOATS, _FLOATS

    def added(self, builder: ir.IRBuilder, total: ir.Value, state: ir.Value, columns: ir.Value) -> ir.Value:
        return builder.fadd(total, builder.fmul(state, columns, flags=["contract"]), flags=["contract"])


class _Integers:
    """Sums in int32 of products of int16."""

    together = 2
    step, columns, sums = _INT32, _PAIRS, _WHOLES

    def added(self, builder: ir.IRBuilder, total: ir.Value, state: ir.Value, columns: ir.Value) -> ir.Value:
        """LLVM recognises the instruction by this pattern."""
        wide = [builder.sext(one, _PRODUCTS) for one in (builder.bitcast(state, _PAIRS), columns)]
        products, nothing = builder.mul(*wide), ir.Constant(_PRODUCTS, ir.Undefined)
        of_each = [ir.Constant(_WHOLES, [*range(odd, 2 * LANES, 2)]) for odd in (0, 1)]
        halves = [builder.shuffle_vector(products, nothing, places) for places in of_each]
        return builder.add(total, builder.add(*halves))


def _loop(
    builder: ir.IRBuilder,
    tile: _Floats | _Integers,
    rows: ir.Value,
    columns: ir.Value,
    steps: ir.Value,
    shape: tuple[int, int],
) -> dict[tuple[int, int], ir.Value]:
    """Build the loop; return the sums of each row and block after all steps."""
    before, body, after = builder.block, builder.append_basic_block(), builder.append_basic_block()
    builder.branch(body)
    builder.position_at_end(body)
    step, totals = builder.phi(_INT64), {place: builder.phi(tile.sums) for place in np.ndindex(shape)}
    in_rows = [builder.add(builder.mul(steps, _INT64(row)), step) for row in range(shape[0])]
    in_columns = [builder.add(builder.mul(step, _INT64(shape[1])), _INT64(block)) for block in range(shape[1])]
    states = [builder.load(builder.gep(rows, [place]), align=2 * tile.together) for place in in_rows]
    weights = [builder.load(builder.gep(columns, [place]), align=4) for place in in_columns]
    everywhere = [_everywhere(builder, state) for state in states]
    new = {
        (row, block): tile.added(builder, total, everywhere[row], weights[block])
        for (row, block), total in totals.items()
    }
    following = builder.add(step, _INT64(1))
    for value, end in [(step, following), *((totals[place], new[place]) for place in new)]:
        value.add_incoming(_zeros(value.type), before)
        value.add_incoming(end, body)
    builder.cbranch(builder.icmp_unsigned("<", following, steps), body, after)
    builder.position_at_end(after)
    return new


def _everywhere(builder: ir.IRBuilder, value: ir.Value) -> ir.Value:
    """Build a vector of one value, repeated."""
    nothing = ir.Constant(ir.VectorType(value.type, LANES), ir.Undefined)
    return builder.shuffle_vector(builder.insert_element(nothing, value, _INT32(0)), nothing, _zeros(_WHOLES))


def _zeros(kind: ir.Type) -> ir.Constant:
    return ir.Constant(kind, None)
