"""All inputs read one after another: blocks of records, and where in the input each block ends."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import IO, NamedTuple, cast

from tagger.bulk.blocks import Block, blocks
from tagger.bulk.compression import compression_of
from tagger.bulk.fingerprints import Digest, Fingerprint, Watched, digest_of, digested_lines
from tagger.bulk.inputs import Source
from tagger.bulk.record_readers import read_records
from tagger.bulk.records import InputFormat, ReadOptions, Record
from tagger.errors import UserError

_BUFFER = 1 << 17


class Place(NamedTuple):
    """A place in the input, between two blocks.

    Attributes:
        block: how many blocks lie before it.
        source: the number of the source that the last record before it came from.
        records: how many of that source's records lie before it.
    """

    block: int = 0
    source: int = 0
    records: int = 0


BEGIN = Place()


class BlockEnd(NamedTuple):
    """Where a block ends.

    Attributes:
        place: in the input.
        read: what was read of its source by then, if need be a little ahead of its records; None of pipes.
        finished: what was read in all of the sources that came to their ends since the block before.
        amount: bytes read of all sources.
    """

    place: Place
    read: Fingerprint | None
    finished: dict[int, Fingerprint | None]
    amount: int


class BlockReader:
    """Reads sources and cuts what is in them into blocks."""

    def __init__(
        self,
        sources: Sequence[Source],
        options: ReadOptions,
        standard_input: IO[bytes],
        attending: Callable[[IO[bytes]], IO[bytes]] = lambda stream: stream,
        begin: Place = BEGIN,
    ) -> None:
        """
        Args:
            sources: the inputs.
            options: how they are read.
            standard_input: read where it is one of them.
            attending: puts something around pipes (see `Hands`).
            begin: where to begin: what lies before it is passed over, and blocks are cut as if it had been read.
        """
        self._sources, self._options, self._standard_input = sources, options, standard_input
        self._attending, self._begin = attending, begin
        self._now: _Reading | None = None
        self._amount = 0  # of sources before the one being read
        self.finished: dict[int, Fingerprint | None] = {}  # since the last block

    def __iter__(self) -> Iterator[tuple[Block, BlockEnd]]:
        """The blocks in order.

        Raises:
            UserError: a source cannot be read or is malformed, or standard input is empty.
        """
        place = self._begin
        for block in blocks(self._records(), begun=place.block):
            source, records = block[-1][0], len(block[-1][1])
            if source == place.source:
                records += place.records
            place = Place(place.block + 1, source, records)
            finished, self.finished = self.finished, {}
            now = self._now
            read = now.fingerprint if now else finished.get(source)
            yield block, BlockEnd(place, read, finished, self._amount + (now.amount if now else 0))

    def _records(self) -> Iterator[tuple[int, Record | None]]:
        for number in range(self._begin.source, len(self._sources)):
            source = self._sources[number]
            begun = number == self._begin.source and self._begin.block > 0
            passed = self._begin.records if begun else 0
            nothing = not begun
            with _Reading(source, self._options, self._standard_input, self._attending) as self._now:
                for record in islice(self._now, passed, None):
                    nothing = False
                    yield number, record
                self.finished[number] = self._now.fingerprint
                self._amount += self._now.amount
            self._now = None
            if nothing and source.path is None:
                raise UserError(f"{source.name}: nothing to tag: empty or blank; check what should have come")
            if nothing:
                yield number, None


class _Reading:
    """A source being read."""

    def __init__(
        self,
        source: Source,
        options: ReadOptions,
        standard_input: IO[bytes],
        attending: Callable[[IO[bytes]], IO[bytes]],
    ) -> None:
        self._source, self._options = source, options
        self._digest: Digest | None = None
        self._by_bytes = compression_of(source.path) if source.path else ""
        if source.rereadable:
            self._stream = source.open(standard_input, self._watched)
        else:
            self._stream = attending(source.open(standard_input))
        self._close = source.path is not None

    def _watched(self, file: IO[bytes]) -> IO[bytes]:
        if self._source.input_format is InputFormat.PARQUET:  # read here and there
            assert self._source.path is not None
            self._digest = digest_of(self._source.path)
            return file
        self._digest = Digest()
        return io.BufferedReader(Watched(file, self._digest if self._by_bytes else None), _BUFFER)

    def __iter__(self) -> Iterator[Record]:
        stream = self._stream
        if self._digest is not None and not self._by_bytes and self._source.input_format is not InputFormat.PARQUET:
            stream = cast("IO[bytes]", digested_lines(stream, self._digest))
        return read_records(stream, self._source.name, self._source.input_format, self._options)

    def __enter__(self) -> _Reading:
        return self

    def __exit__(self, *_: object) -> None:
        if self._close:
            self._stream.close()

    @property
    def fingerprint(self) -> Fingerprint | None:
        """Of what was read so far: of lines those that records were made of, of what is compressed a little more, of
        Parquet the whole file, of pipes None.
        """
        return None if self._digest is None else self._digest.fingerprint

    @property
    def amount(self) -> int:
        """How many bytes of it were read."""
        if self._digest is None:
            return 0
        if self._source.input_format is not InputFormat.PARQUET:
            return self._digest.size
        return min(self._stream.tell(), self._digest.size)
