"""Blocks of records: the portions in which input is tagged, cut by the input alone.

Sentences of a block go through the model together, and the last bits of what it computes depend on which do. As blocks
never depend on who tags them, nor on how fast input comes, any number of processes gives the same output.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from tagger.bulk.records import Record

Block = list[tuple[int, list[Record]]]  # records by the number of the source they come from, in order; some have none

_FIRST = 256
_LARGEST = 1 << 18
_BESIDE = 16  # characters that a record counts more than it has, so that empty ones end a block too


def blocks(
    records: Iterable[tuple[int, Record | None]], *, first: int = _FIRST, largest: int = _LARGEST, begun: int = 0
) -> Iterator[Block]:
    """Cut records into blocks, each about twice as large as the one before until they reach the largest size.

    The first sentences are so tagged after a few lines of input, and a long input in portions that keep the model busy.

    Args:
        records: each with the number of its source, read as blocks are asked for; None stands for a source without
            records, which is part of a block but ends none.
        first, largest: characters that the first and every block are to have at the least and about at the most; a
            record is never cut, whatever its size.
        begun: how many blocks were cut before these.
    """
    for _ in range(begun):
        if first >= largest:
            break
        first = min(2 * first, largest)
    block: Block = []
    size = 0
    for source, record in records:
        if not block or block[-1][0] != source:
            block.append((source, []))
        if record is None:
            continue
        block[-1][1].append(record)
        size += record.size + _BESIDE
        if size >= first:
            yield block
            block, size, first = [], 0, min(2 * first, largest)
    if block:
        yield block
