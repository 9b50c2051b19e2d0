"""Products of a few rows with 3 · 16 columns whose sums stay in registers: told to numba in LLVM's own terms.

In float32 a sum is a chain of multiplications and additions, fused where the processor can, in the order of the
summands. In int16 two neighbouring products are added at a time, to sums in int32, which are exact. Processors have an
instruction for that: on x86 `vpmaddwd` or, where there is VNNI, `vpdpwssd`, which does the work of two in float32.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from tagger.kernels.packed import LANES

GATES = 3  # whose columns are worked on together

_INT32, _INT64, _FLOAT = ir.IntType(32), ir.IntType(64), ir.FloatType()
_FLOATS, _WHOLES = ir.VectorType(_FLOAT, LANES), ir.VectorType(_INT32, LANES)
_PAIRS, _PRODUCTS = ir.VectorType(ir.IntType(16), 2 * LANES), ir.VectorType(_INT32, 2 * LANES)


@intrinsic(prefer_literal=True)
def add_products(typingctx, states, first, weights, begin, sums, place, stride, depth, rows):  # type: ignore[no-untyped-def]
    """Sums of `depth` products for each of `rows` rows and 48 columns.

    Args:
        states: pointer to (…, depth), float32 or int16; depth is even.
        first: where in it the first row begins.
        weights: pointer to the same type, of which (depth, 3, 16) are read, of int16 (depth / 2, 3, 16, 2).
        begin: where in it they begin.
        sums: pointer to float32 or int32, (…, 3, stride), of which each row's 3 times 16 become the result.
        place: where in it the first ones begin.
        stride: from 16 columns to the next 16.
        depth: K.
        rows: a literal.
    """
    if not isinstance(rows, types.IntegerLiteral):
        return None
    count, tile = rows.literal_value, _Integers() if states.dtype == types.int16 else _Floats()

    def codegen(context: Any, builder: ir.IRBuilder, signature: Any, arguments: list[ir.Value]) -> ir.Value:
        states, first, weights, begin, sums, place, stride, depth, _ = arguments
        rows_at = builder.bitcast(builder.gep(states, [first]), tile.step.as_pointer())
        columns_at = builder.bitcast(builder.gep(weights, [begin]), tile.columns.as_pointer())
        found = _loop(builder, tile, rows_at, columns_at, builder.udiv(depth, _INT64(tile.together)), count)
        for number, total in enumerate(found):
            at = builder.gep(sums, [builder.add(place, builder.mul(stride, _INT64(number)))])
            builder.store(total, builder.bitcast(at, tile.sums.as_pointer()), align=4)
        return context.get_dummy_value()

    size = types.int64
    return types.void(states, size, weights, size, sums, size, size, size, rows), codegen


class _Floats:
    """Sums in float32."""

    together = 1  # products that are added at once
    step, columns, sums = _FLOAT, _FLOATS, _FLOATS

    def added(self, builder: ir.IRBuilder, total: ir.Value, state: ir.Value, columns: ir.Value) -> ir.Value:
        return builder.fadd(total, builder.fmul(state, columns, flags=["contract"]), flags=["contract"])


class _Integers:
    """Sums in int32 of products of int16."""

    together = 2
    step, columns, sums = _INT32, _PAIRS, _WHOLES

    def added(self, builder: ir.IRBuilder, total: ir.Value, state: ir.Value, columns: ir.Value) -> ir.Value:
        """LLVM knows the instruction for it by this pattern."""
        wide = [builder.sext(one, _PRODUCTS) for one in (builder.bitcast(state, _PAIRS), columns)]
        products, nothing = builder.mul(*wide), ir.Constant(_PRODUCTS, ir.Undefined)
        of_each = [ir.Constant(_WHOLES, [*range(odd, 2 * LANES, 2)]) for odd in (0, 1)]
        halves = [builder.shuffle_vector(products, nothing, places) for places in of_each]
        return builder.add(total, builder.add(*halves))


def _loop(
    builder: ir.IRBuilder, tile: _Floats | _Integers, rows: ir.Value, columns: ir.Value, steps: ir.Value, count: int
) -> list[ir.Value]:
    """The sums of `count` rows, gate by gate each, after all steps."""
    before, body, after = builder.block, builder.append_basic_block(), builder.append_basic_block()
    builder.branch(body)
    builder.position_at_end(body)
    step, totals = builder.phi(_INT64), [builder.phi(tile.sums) for _ in range(count * GATES)]
    first = builder.mul(step, _INT64(GATES))
    places = [builder.gep(columns, [builder.add(first, _INT64(gate))]) for gate in range(GATES)]
    read = [builder.load(place, align=4) for place in places]
    new = []
    for row in range(count):
        place = builder.gep(rows, [builder.add(builder.mul(steps, _INT64(row)), step)])
        state = _everywhere(builder, builder.load(place, align=2 * tile.together))
        own = totals[row * GATES : (row + 1) * GATES]
        new += [tile.added(builder, total, state, weights) for total, weights in zip(own, read, strict=True)]
    following = builder.add(step, _INT64(1))
    for value, end in zip([step, *totals], [following, *new], strict=True):
        value.add_incoming(_zeros(value.type), before)
        value.add_incoming(end, body)
    builder.cbranch(builder.icmp_unsigned("<", following, steps), body, after)
    builder.position_at_end(after)
    return new


def _everywhere(builder: ir.IRBuilder, value: ir.Value) -> ir.Value:
    """A vector of one value."""
    nothing = ir.Constant(ir.VectorType(value.type, LANES), ir.Undefined)
    return builder.shuffle_vector(builder.insert_element(nothing, value, _INT32(0)), nothing, _zeros(_WHOLES))


def _zeros(kind: ir.Type) -> ir.Constant:
    return ir.Constant(kind, None)
