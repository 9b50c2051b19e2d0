"""Blocks: every record once and in order, cut by the records alone, of a bounded size."""

from __future__ import annotations

from itertools import count, islice

from hypothesis import given
from hypothesis import strategies as st

from tagger.bulk.job import cut_blocks
from tagger.bulk.records import Record

RECORDS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3000)), max_size=60).map(
    lambda pairs: [(piece, Record(str(number), size=size)) for number, (piece, size) in enumerate(sorted(pairs))]
)


@given(records=RECORDS, largest=st.integers(1, 5000))
def test_every_record_is_in_one_block_in_order_under_its_piece(records: list[tuple[int, Record]], largest: int) -> None:
    blocks = list(cut_blocks(records, largest=largest))
    assert [(piece, record) for block in blocks for piece, some in block for record in some] == records
    assert all(some for block in blocks for _, some in block)


@given(records=RECORDS, largest=st.integers(1, 5000))
def test_a_block_ends_with_the_record_that_fills_it(records: list[tuple[int, Record]], largest: int) -> None:
    for block in list(cut_blocks(records, largest=largest))[:-1]:
        sizes = [record.size + 16 for _, some in block for record in some]
        assert sum(sizes[:-1]) < largest <= sum(sizes)


def test_no_more_is_read_than_blocks_are_asked_for() -> None:
    numbers = count()
    records = ((0, Record("Ada", size=300)) for _ in numbers)
    assert len(list(islice(cut_blocks(records, largest=600), 3))) == 3
    assert next(numbers) == 3 * 2


def test_empty_records_do_not_pile_up() -> None:
    block = next(cut_blocks((0, Record("")) for _ in count()))
    assert sum(len(some) for _, some in block) < 20_000
