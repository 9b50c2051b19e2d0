"""A tagging job, and the tagging of a part of it."""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from hashlib import sha256
from itertools import groupby, islice
from typing import Any, NamedTuple, Protocol

from tagger.bulk.formats.csv_rows import CsvWriter
from tagger.bulk.formats.html import HtmlPage
from tagger.bulk.formats.lines import OutputFormat, WriteOptions, conll_lines, json_line, null_line, table_rows
from tagger.bulk.min_scores import MinimumScores
from tagger.bulk.parts import Part, Piece
from tagger.bulk.records import BadRecord, InputFormat, ReadOptions, Record, Splitter
from tagger.corpus.document import Document
from tagger.corpus.schemes import OUTSIDE
from tagger.corpus.sentence import Sentence
from tagger.corpus.tokenizers import get_tokenizer, split_text
from tagger.errors import UserError

Block = list[tuple[int, list[Record | BadRecord]]]  # records by the number of the piece they come from

_BLOCK_CHARACTERS = 1 << 18
_OVERHEAD = 16  # characters added to each record, so that empty ones fill a block too


class SentenceTagger(Protocol):
    """The interface of a model (see `tagger.predict.Tagger`)."""

    tokenizer: str
    plain: bool
    labels: list[str]

    def tag_sentences(
        self, sentences: Iterable[Sentence], *, scores: bool = False, n_best: int = 0
    ) -> Iterator[Sentence]:
        """Yield the same sentences in order, with predicted tags and, if asked for, scores and alternatives."""


class OnError(StrEnum):
    """Treatment of a malformed record: end the run, leave it out, or write it without entities."""

    STOP = "stop"
    SKIP = "skip"
    NULL = "null"


@dataclass(frozen=True, kw_only=True)
class Job:
    """Options of a job."""

    reading: ReadOptions = field(default_factory=ReadOptions)
    tokenizer: str | None = None  # splits text; None: the tokenizer that the model is meant for
    output_format: OutputFormat = OutputFormat.JSONL
    writing: WriteOptions = field(default_factory=WriteOptions)
    minimum: MinimumScores | None = None  # less probable entities are left out
    n_best: int = 0  # taggings of each sentence that are written
    on_error: OnError = OnError.STOP


class Counts(NamedTuple):
    """Account of what was read: records = tagged + empty + rejected."""

    records: int = 0
    tagged: int = 0  # records with tokens
    empty: int = 0  # records without tokens; they are written without entities
    rejected: int = 0  # malformed records
    sentences: int = 0
    tokens: int = 0
    marked: int = 0  # blocks in which any token got another tag than O

    def plus(self, other: Counts) -> Counts:
        """Add up two accounts."""
        return Counts(*map(sum, zip(self, other, strict=True)))


class Reject(NamedTuple):
    """A rejected record: its line or row in the piece, the reason, and the record as it was read."""

    place: int
    reason: str
    record: str


class FinishedPiece(NamedTuple):
    """A tagged piece."""

    source: str  # the input's name
    number: int  # of the input among the inputs
    begin: int  # bytes that were read of it
    end: int
    sha256: str  # of these bytes
    is_last: bool  # nothing of the input follows
    size: int  # bytes of its output
    lines: int  # line ends in it
    counts: Counts
    rejects: list[Reject]
    marks: dict[str, int]  # of an HTML page, how often each label was marked


class FinishedPart(NamedTuple):
    """A tagged part."""

    number: int
    pieces: list[FinishedPiece]
    sha256: str  # of the output of all pieces, one behind the other
    labels: list[str]  # of an HTML page, the labels that the model knows
    output: bytes | None = None  # None where it is in a file
    is_kept: bool = False  # an earlier run tagged it


class BadRecordError(UserError):
    """A malformed record ends the run: the number of its input, its line or row in the piece, what is wrong with it."""

    def __init__(self, source: int, place: int, reason: str) -> None:
        super().__init__(reason)
        self.source, self.place, self.reason = source, place, reason

    def __reduce__(self) -> tuple[type[BadRecordError], tuple[int, int, str]]:
        return BadRecordError, (self.source, self.place, self.reason)


class PartTagger:
    """Tags parts, each for itself: the output of a part depends on nothing else."""

    def __init__(self, job: Job, tagger: SentenceTagger) -> None:
        """Take options and a model. Raises UserError where they do not fit."""
        if job.minimum is not None and tagger.plain:
            raise UserError(
                "--min-score: the model gives every token a plain tag, and no entities to leave out; drop it"
            )
        if job.minimum is not None:
            job.minimum.require_known(tagger.labels)
        self._job, self._tagger = job, tagger
        tokenizer = cache(lambda: get_tokenizer(job.tokenizer or tagger.tokenizer))
        if job.tokenizer:
            tokenizer()
        self._split: Splitter = lambda text: split_text(text, tokenizer())
        self._page = HtmlPage(tagger.labels, scores=job.writing.scores)

    def __call__(self, part: Part) -> FinishedPart:
        """Tag a part.

        Raises:
            UserError: an input cannot be read.
            BadRecordError: a record is malformed, and the job stops at such.
        """
        with _no_cycle_search():
            read = [piece.read() for piece in part.pieces]
            pieces = [_PieceOutput() for _ in part.pieces]
            if self._job.output_format is OutputFormat.CSV:
                self._open_csv(part.pieces, [data for data, _ in read], pieces)
            for block in cut_blocks(self._records(part.pieces, [data for data, _ in read])):
                self._tag_block(block, part.pieces, pieces)
        finished, outputs = [], []
        for one, piece, (data, checksum) in zip(part.pieces, pieces, read, strict=True):
            outputs.append(b"".join(piece.chunks) or self._nothing(one))
            about = (one.source.name, one.number, one.begin, one.end, checksum, one.is_last)
            sizes = (len(outputs[-1]), data.count(b"\n"))
            finished.append(FinishedPiece(*about, *sizes, piece.counts, piece.rejects, dict(piece.marks)))
        output = b"".join(outputs)
        labels = self._tagger.labels if self._job.output_format is OutputFormat.HTML else []
        return FinishedPart(part.number, finished, sha256(output).hexdigest(), labels, output)

    def _open_csv(self, pieces: list[Piece], contents: list[bytes], outputs: list[_PieceOutput]) -> None:
        """Make the writers of CSV, and write the header of inputs that begin here."""
        reading, writing, plain = self._job.reading, self._job.writing, self._tagger.plain
        for piece, data, output in zip(pieces, contents, outputs, strict=True):
            head, source = piece.head if piece.begin else data, piece.source
            output.csv = CsvWriter.of(head, source.name, source.input_format, reading.separator, writing, plain)
            if piece.begin == 0 and (data or source.input_format is InputFormat.PARQUET):
                output.chunks.append(output.csv.head().encode("utf-8"))

    def _records(self, pieces: list[Piece], contents: list[bytes]) -> Iterator[tuple[int, Record | BadRecord]]:
        for number, (piece, data) in enumerate(zip(pieces, contents, strict=True)):
            for record in piece.records(data, self._job.reading):
                if isinstance(record, BadRecord) and self._job.on_error is OnError.STOP:
                    raise BadRecordError(piece.number, record.place, record.reason)
                yield number, record

    def _tag_block(self, block: Block, pieces: list[Piece], outputs: list[_PieceOutput]) -> None:
        documents: dict[int, list[Document | BadRecord]] = {}
        for number, records in block:
            name = pieces[number].source.name
            documents[number] = [
                record if isinstance(record, BadRecord) else record.document(self._split, name) for record in records
            ]
        marked = self._tag([one for some in documents.values() for one in some if isinstance(one, Document)])
        for number, some in documents.items():
            outputs[number].count(some, marked)
            outputs[number].chunks.append(self._written(some, pieces[number], outputs[number]))

    def _tag(self, documents: list[Document]) -> bool:
        """Put tagged sentences into documents. Returns whether any token got another tag than O."""
        job = self._job
        untagged = (sentence for document in documents for sentence in document.sentences)
        tagged = self._tagger.tag_sentences(
            untagged, scores=job.writing.scores or job.minimum is not None, n_best=job.n_best
        )
        marked = False
        for document in documents:
            before, document.plain = document.sentences, self._tagger.plain
            document.sentences = list(islice(tagged, len(before)))
            for one, other in zip(before, document.sentences, strict=True):
                assert one.tokens == other.tokens, "a sentence lost or out of order"
            marked = marked or any(tag != OUTSIDE for one in document.sentences for tag in one.tags or [])
            if job.minimum is not None:
                document.sentences = list(map(job.minimum.applied, document.sentences))
        return marked

    def _written(self, documents: list[Document | BadRecord], piece: Piece, output: _PieceOutput) -> bytes:
        output_format, writing, plain = self._job.output_format, self._job.writing, self._tagger.plain
        good = [document for document in documents if isinstance(document, Document)]
        if output_format is OutputFormat.PARQUET:
            return self._table(piece).packed(table_rows(good, writing, plain=plain))
        if output_format is OutputFormat.HTML:
            lines = [self._page.paragraph(document, output.marks) for document in good]
        elif output.csv is not None:
            lines = list(output.csv.rows(good))
        elif output_format is OutputFormat.CONLL:
            lines = list(conll_lines(good, scores=writing.scores))
        else:
            shown = documents if self._job.on_error is OnError.NULL else good
            lines = [
                json_line(one, writing) if isinstance(one, Document) else null_line(one, plain, writing)
                for one in shown
            ]
        return "".join(lines).encode("utf-8")

    def _nothing(self, piece: Piece) -> bytes:
        """Return the output of a piece without records."""
        return self._written([], piece, _PieceOutput()) if self._job.output_format is OutputFormat.PARQUET else b""

    def _table(self, piece: Piece) -> Any:
        from tagger.bulk.formats.parquet import ParquetTable, id_type  # its library is an extra's

        reading, ids = self._job.reading, None
        if piece.source.input_format is InputFormat.PARQUET:
            with piece.source.open_raw() as stream:
                ids = id_type(stream, piece.source.name, reading)
        return ParquetTable(
            id_field=reading.id_field, text_field=reading.text_field, scores=self._job.writing.scores, ids=ids
        )


class _PieceOutput:
    """The output of a piece, while it is tagged."""

    def __init__(self) -> None:
        self.chunks: list[bytes] = []
        self.counts = Counts()
        self.rejects: list[Reject] = []
        self.marks: Counter[str] = Counter()
        self.csv: CsvWriter | None = None  # if the output is CSV

    def count(self, documents: list[Document | BadRecord], marked: bool) -> None:
        """Enter the records of a block into the account."""
        good = [document for document in documents if isinstance(document, Document)]
        bad = [document for document in documents if isinstance(document, BadRecord)]
        self.rejects += [Reject(one.place, one.reason, one.raw) for one in bad]
        sentences = [sentence for document in good for sentence in document.sentences]
        empty = sum(not document.sentences for document in good)
        counts = Counts(
            len(documents), len(good) - empty, empty, len(bad), len(sentences), sum(map(len, sentences)), int(marked)
        )
        self.counts = self.counts.plus(counts)


@contextmanager
def _no_cycle_search() -> Iterator[None]:
    """Keep Python from searching all tokens for garbage again and again."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def cut_blocks(
    records: Iterable[tuple[int, Record | BadRecord]], *, largest: int = _BLOCK_CHARACTERS
) -> Iterator[Block]:
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
