"""A corpus in shards: runs of blocks that are read, tagged and written apart from each other.

Blocks are those that one process would cut, so that shards put behind each other are its output to the byte. To know
where they end without holding text, the sizes of all records are found first, source by source; what is wrong with the
input is found by that too, before anything is written.
"""

from __future__ import annotations

import io
import os
import re
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, islice
from pathlib import Path
from typing import NamedTuple

from tagger.bulk.blocks import Block, blocks
from tagger.bulk.formats.lines import OutputFormat
from tagger.bulk.inputs import Source
from tagger.bulk.job import Counts, TaggedBlock
from tagger.bulk.record_readers import read_records
from tagger.bulk.records import ReadOptions, Record
from tagger.errors import UserError
from tagger.files import written_whole

_COUNTED = (1 << 32) - 1  # what a size is told up to; a block is full long before
_SHARD = re.compile(r"part-\d{5,}-of-\d{5,}\.\w+|\.part-\d{5,}-of-\d{5,}\.\w+\.\w+\.part")


@dataclass(frozen=True)
class Shard:
    """A run of blocks that goes into one file.

    Attributes:
        number: its place among the shards, from 0.
        records: how many each of its blocks has.
    """

    number: int
    records: tuple[int, ...]


@dataclass(frozen=True)
class Stretch:
    """Shards that begin in the same source and are read in one go.

    Attributes:
        sources: what they are read from, in order, each with the number of all its records.
        skipped: records of the first source that belong to shards before.
        shards: in order.
    """

    sources: tuple[tuple[Source, int], ...]
    skipped: int
    shards: tuple[Shard, ...]


class _Cut(NamedTuple):
    """A block: the first source of its records, how many of that went before, the last, and how many records it has."""

    first: int
    skipped: int
    last: int
    records: int


def record_sizes(source: Source, reading: ReadOptions) -> array[int]:
    """What each record of a source counts for in a block.

    Raises:
        UserError: it cannot be read, or is malformed.
    """
    return array("I", (min(record.size, _COUNTED) for record in _records(source, reading)))


def plan_shards(sources: Sequence[Source], sizes: Sequence[array[int]], per_shard: int) -> Iterator[Stretch]:
    """All there is to read, in order.

    Args:
        sources: the input.
        sizes: `record_sizes` of each.
        per_shard: blocks in a shard; the last one may have fewer.
    """
    cuts = _cuts(sizes)
    runs = enumerate(iter(lambda: list(islice(cuts, per_shard)), []))
    for first, group in groupby(runs, lambda run: run[1][0].first):
        shards = list(group)
        read = range(first, shards[-1][1][-1].last + 1)
        yield Stretch(
            tuple((sources[number], len(sizes[number])) for number in read),
            shards[0][1][0].skipped,
            tuple(Shard(number, tuple(cut.records for cut in run)) for number, run in shards),
        )


def read_shards(stretch: Stretch, reading: ReadOptions) -> Iterator[tuple[int, list[Block]]]:
    """The blocks of each shard, with its number. All records stand under source 0.

    Raises:
        UserError: a source cannot be read, or has not the records it had.
    """
    records = _records_of(stretch, reading)
    for shard in stretch.shards:
        yield shard.number, [[(0, list(islice(records, count)))] for count in shard.records]
    next(records, None)  # where they end with a source, it must end too


def shard_name(number: int, shards: int, output_format: OutputFormat) -> str:
    """The file of a shard. Names sort as shards do, and say how many there are."""
    return f"part-{number:05}-of-{shards:05}.{output_format}"


def write_shard(path: Path, parts: Iterable[Block], tag: Callable[[Block], TaggedBlock]) -> Counts:
    """Tag the blocks of a shard into its file, which appears under its name when it is whole.

    Raises:
        UserError: it cannot be written.
    """
    counts = Counts()
    with written_whole(path) as stream:
        for block in parts:
            tagged = tag(block)
            for _, written in tagged.parts:
                assert isinstance(written, str), "a page cannot be put together from shards"
                stream.write(written)
            counts = Counts(*map(sum, zip(counts, tagged.counts, strict=True)))
    return counts


def unfinished(folder: Path, name: str = "") -> list[Path]:
    """What attempts at writing a shard, or any, left behind when their process was lost."""
    return list(folder.glob(f".{name or 'part-*'}.*.part"))


def in_the_way(folder: Path, sources: Iterable[Source], *, overwrite: bool) -> list[Path]:
    """See that shards can go into a folder and will be all that is in it; what has to be removed for that.

    Args:
        folder: made where it is missing.
        sources: the input, which must not lie in it.
        overwrite: shards of another run, and what is left of such, may be removed.

    Raises:
        UserError: it is no folder, cannot be written, or holds anything (with `overwrite`: anything else).
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        there = sorted(folder.iterdir())
    except OSError as error:
        raise UserError(f"{folder}: cannot write: {error.strerror or error}; choose another --output") from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise UserError(f"{folder}: cannot write: no permission; choose another --output")
    if there and not overwrite:
        raise UserError(f"{folder}: is not empty; shards need a folder of their own, or --overwrite for old ones")
    inputs = {source.path.resolve() for source in sources if source.path is not None}
    for path in there:
        if not _SHARD.fullmatch(path.name) or path.resolve() in inputs:
            raise UserError(f"{folder}: holds {path.name}, which is no shard of another run; choose another --output")
    return there


def _cuts(sizes: Sequence[array[int]]) -> Iterator[_Cut]:
    records = ((source, Record("", size=size)) for source, of_it in enumerate(sizes) for size in of_it)
    last = position = 0  # in the last source so far
    for block in blocks(records):
        first, (end, records_of_end) = block[0][0], block[-1]
        skipped = position if first == last else 0
        position = len(records_of_end) + (skipped if end == first else 0)
        last = end
        yield _Cut(first, skipped, last, sum(len(part) for _, part in block))


def _records_of(stretch: Stretch, reading: ReadOptions) -> Iterator[Record]:
    skipped = stretch.skipped
    for source, count in stretch.sources:
        found = 0
        for found, record in enumerate(_records(source, reading), start=1):
            if found > count:
                break
            if found > skipped:
                yield record
        if found != count:
            raise UserError(f"{source.name}: has changed since it was first read; leave it alone and begin anew")
        skipped = 0


def _records(source: Source, reading: ReadOptions) -> Iterator[Record]:
    assert source.path is not None, "standard input cannot be read by others"
    with source.open(io.BytesIO()) as stream:
        yield from read_records(stream, source.name, source.input_format, reading)
