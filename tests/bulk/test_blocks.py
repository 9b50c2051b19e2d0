"""Blocks: every record once and in order, cut by the input alone, small at first and then bounded."""

from __future__ import annotations

from itertools import count, islice

from hypothesis import given
from hypothesis import strategies as st

from tagger.bulk.blocks import blocks
from tagger.bulk.records import Record

RECORDS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3000)), max_size=60).map(
    lambda pairs: [(source, Record(str(number), size=size)) for number, (source, size) in enumerate(sorted(pairs))]
)


@given(records=RECORDS)
def test_every_record_is_in_one_block_in_order_under_its_source(records: list[tuple[int, Record]]) -> None:
    found = [(source, record) for block in blocks(records) for source, part in block for record in part]
    assert found == records
    assert all(part for block in blocks(records) for _, part in block)


@given(records=RECORDS, empty=st.sets(st.integers(0, 5)))
def test_sources_without_records_stand_in_order_and_change_no_block(
    records: list[tuple[int, Record]], empty: set[int]
) -> None:
    with_empty = [*records, *((source, None) for source in empty - {source for source, _ in records})]
    found = list(blocks(sorted(with_empty, key=lambda pair: pair[0])))
    filled = [[(source, part) for source, part in block if part] for block in found]
    assert [block for block in filled if block] == list(blocks(records))
    sources = [source for block in found for source, _ in block]
    assert sources == sorted(sources)
    assert set(sources) == {source for source, _ in with_empty}


@given(records=RECORDS, first=st.integers(1, 100), largest=st.integers(100, 5000))
def test_a_block_ends_with_the_record_that_fills_it(
    records: list[tuple[int, Record]], first: int, largest: int
) -> None:
    for block in list(blocks(records, first=first, largest=largest))[:-1]:
        parts = [record for _, part in block for record in part]
        assert sum(record.size for record in parts[:-1]) < largest


@given(records=RECORDS, begun=st.integers(0, 20), first=st.integers(1, 100), largest=st.integers(50, 5000))
def test_blocks_after_some_are_cut_as_with_them(
    records: list[tuple[int, Record]], begun: int, first: int, largest: int
) -> None:
    whole = list(blocks(records, first=first, largest=largest))
    passed = sum(len(part) for block in whole[:begun] for _, part in block)
    assert list(blocks(records[passed:], first=first, largest=largest, begun=begun)) == whole[begun:]


def test_blocks_grow_up_to_a_size() -> None:
    records = ((0, Record("", size=4)) for _ in range(1000))
    counts = [sum(len(part) for _, part in block) for block in blocks(records, first=20, largest=400)]
    assert counts[:6] == [1, 2, 4, 8, 16, 20]
    assert set(counts[5:-1]) == {20}


def test_no_more_is_read_than_blocks_are_asked_for() -> None:
    numbers = count()
    records = ((0, Record("Ada", size=300)) for _ in numbers)
    assert len(list(islice(blocks(records), 3))) == 3
    assert next(numbers) == 1 + 2 + 4


def test_empty_records_do_not_pile_up() -> None:
    block = next(blocks(((0, Record("")) for _ in count()), first=1 << 18))
    assert sum(len(part) for _, part in block) < 20_000
