"""Blocks of records: sentences of a block go through the model together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby

from tagger.bulk.records import BadRecord, Record

Block = list[tuple[int, list[Record | BadRecord]]]  # records by the number of the piece they come from

_LARGEST = 1 << 18
_OVERHEAD = 16  # characters added to each record, so that empty ones fill a block too


def cut_blocks(records: Iterable[tuple[int, Record | BadRecord]], *, largest: int = _LARGEST) -> Iterator[Block]:
    """Cut the records of a part into blocks. The cuts depend on these records alone.

    Args:
        records: each with the number of its piece, in order.
        largest: a block ends with the record that brings it to so many characters.
    """
    block: list[tuple[int, Record | BadRecord]] = []
    size = 0
    for numbered in records:
        block.append(numbered)
        size += numbered[1].size + _OVERHEAD
        if size >= largest:
            yield _by_piece(block)
            block, size = [], 0
    if block:
        yield _by_piece(block)


def _by_piece(block: list[tuple[int, Record | BadRecord]]) -> Block:
    return [(number, [record for _, record in records]) for number, records in groupby(block, lambda one: one[0])]
