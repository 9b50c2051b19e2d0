"""Blocks of records through a tagger."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import chain, islice
from typing import IO, NamedTuple, Protocol

from tagger.bulk.blocks import Block
from tagger.bulk.formats.lines import OutputFormat, line_writer, table_rows
from tagger.bulk.inputs import Source
from tagger.bulk.min_scores import MinimumScores
from tagger.bulk.output_paths import Outputs
from tagger.bulk.outputs import Written
from tagger.bulk.records import InputFormat, ReadOptions, Splitter
from tagger.corpus.document import Document
from tagger.corpus.schemes import OUTSIDE
from tagger.corpus.sentence import Sentence
from tagger.corpus.tokenizers import get_tokenizer, split_text
from tagger.errors import UserError


class SentenceTagger(Protocol):
    """What tagging needs of a model (see `tagger.predict.Tagger`)."""

    tokenizer: str
    plain: bool
    labels: list[str]

    def tag_sentences(
        self, sentences: Iterable[Sentence], *, scores: bool = False, n_best: int = 0
    ) -> Iterator[Sentence]:
        """The same sentences in order, with predicted tags and, if asked for, scores and alternatives; lazy."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """What is to be tagged, and how.

    Attributes:
        sources: the inputs, in order.
        outputs: a file for each; None: all go to standard output.
        reading: how input is read.
        tokenizer: what splits text; None: the tokenizer the model is meant for.
        output_format: how output is written.
        tokens: JSON lines also hold tokens and tags.
        scores: the probability of each entity or plain tag is written.
        minimum: entities less probable than this are left out.
        n_best: JSON lines also hold so many of the best taggings of each sentence.
        settled: loops are compiled, where they can be, before the first block rather than when they have become worth
            it, so that each block is tagged alike to the last bit, whoever tags it.
    """

    sources: Sequence[Source]
    outputs: Outputs | None = None
    reading: ReadOptions = field(default_factory=ReadOptions)
    tokenizer: str | None = None
    output_format: OutputFormat = OutputFormat.JSONL
    tokens: bool = False
    scores: bool = False
    minimum: MinimumScores | None = None
    n_best: int = 0
    settled: bool = False

    def settle(self) -> bool:
        """Have loops compiled, if that is to be; returns whether they are."""
        if not self.settled:
            return False
        from tagger.kernels.compiled import kernels  # here, as it imports NumPy

        return kernels.settle()

    @staticmethod
    def remarks() -> list[str]:
        """What there is to say of compiled loops, after tagging."""
        from tagger.kernels.compiled import kernels

        return [kernels.remark] if kernels.remark else []

    def without_files(self) -> Job:
        """The same for those who tag blocks, who need not know the inputs: one source of each kind is left."""
        kinds = {source.input_format: source for source in self.sources}
        return replace(self, sources=list(kinds.values()), outputs=None)


class Counts(NamedTuple):
    """What went through.

    Attributes:
        records, sentences, tokens: how many.
        empty: sources without records.
        marked: blocks in which something is known to be tagged; of them a process looks only for the first.
    """

    records: int = 0
    sentences: int = 0
    tokens: int = 0
    empty: int = 0
    marked: int = 0


class TaggedBlock(NamedTuple):
    """What came of a block: what is to be written of each source that it has records of."""

    parts: list[tuple[int, Written]]
    counts: Counts


class BlockTagger:
    """Tags the records of blocks, each block for itself."""

    def __init__(self, job: Job, tagger: SentenceTagger) -> None:
        """
        Args:
            job: what to do.
            tagger: the model.

        Raises:
            UserError: the job does not fit the model.
        """
        job.settle()
        _require_entities(job, tagger)
        self._job, self._tagger, self._split = job, tagger, _splitter(job, tagger)
        self._scores = job.scores or job.minimum is not None
        self._has_marked = False

    def __call__(self, block: Block) -> TaggedBlock:
        """Tag a block; what comes of it depends on nothing else."""
        with _no_cycles_sought():
            return self._tagged(block)

    def _tagged(self, block: Block) -> TaggedBlock:
        parts = [[record.document(self._split) for record in records] for _, records in block]
        documents = list(chain.from_iterable(parts))
        counts = self._tag(documents)._replace(empty=sum(not records for _, records in block))
        numbers = (source for source, _ in block)
        return TaggedBlock(list(zip(numbers, map(self._written, parts), strict=True)), counts)

    def _tag(self, documents: list[Document]) -> Counts:
        """Put tagged sentences into documents in place of those that are there."""
        untagged = (sentence for document in documents for sentence in document.sentences)
        tagged = self._tagger.tag_sentences(untagged, scores=self._scores, n_best=self._job.n_best)
        sentences = tokens = 0
        for document in documents:
            before, document.plain = document.sentences, self._tagger.plain
            document.sentences = list(islice(tagged, len(before)))
            for one, other in zip(before, document.sentences, strict=True):
                assert one.tokens == other.tokens, "a sentence lost or out of order"
                tokens += len(one)
            sentences += len(before)
            self._has_marked = self._has_marked or any(map(_is_marked, document.sentences))
            if self._job.minimum is not None:
                document.sentences = list(map(self._job.minimum.applied, document.sentences))
        return Counts(len(documents), sentences, tokens, marked=int(self._has_marked))

    def _written(self, documents: list[Document]) -> Written:
        job, reading = self._job, self._job.reading
        if job.output_format is OutputFormat.HTML:
            return documents
        how = {"tokens": job.tokens, "scores": job.scores, "alternatives": job.n_best > 0}
        if job.output_format is OutputFormat.PARQUET:
            how["plain"] = self._tagger.plain
            return table_rows(documents, id_field=reading.id_field, text_field=reading.text_field, **how)
        return "".join(line_writer(job.output_format, text_field=reading.text_field, **how)(documents))


def _is_marked(sentence: Sentence) -> bool:
    """Whether there is any tag but O."""
    return any(tag != OUTSIDE for tag in sentence.tags or [])


@contextmanager
def _no_cycles_sought() -> Iterator[None]:
    """Keep Python from going through all tokens again and again in search of garbage that is not there."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


Take = Callable[[TaggedBlock], None]
OpenTagger = Callable[[Job], Callable[[Block], TaggedBlock]]


class Hands(Protocol):
    """Who tags blocks: this process, or others. Results come in the order of the blocks, some later than others."""

    def give(self, block: Block, take: Take) -> None:
        """Have a block tagged, and pass to `take` what is ready by then of this one and those before."""
        ...

    def finish(self, take: Take) -> None:
        """Pass on all that is left."""
        ...

    def attending(self, stream: IO[bytes], take: Take) -> IO[bytes]:
        """A stream of the same bytes; whoever waits for input from it lets results through to `take` meanwhile."""
        ...


class OwnHands:
    """Tags in this process."""

    def __init__(self, tag: Callable[[Block], TaggedBlock]) -> None:
        self._tag = tag

    def give(self, block: Block, take: Take) -> None:
        """Tag it now. See `Hands`."""
        take(self._tag(block))

    def finish(self, take: Take) -> None:
        """Nothing is ever left. See `Hands`."""

    def attending(self, stream: IO[bytes], take: Take) -> IO[bytes]:
        """The stream itself. See `Hands`."""
        return stream


def _require_entities(job: Job, tagger: SentenceTagger) -> None:
    if job.minimum is None:
        return
    if tagger.plain:
        raise UserError("--min-score: the model gives every token a plain tag, and no entities to leave out; drop it")
    job.minimum.require_known(tagger.labels)


def _splitter(job: Job, tagger: SentenceTagger) -> Splitter:
    """Text to sentences. The tokenizer is made at once where it is named or sure to be needed, else when it is."""
    tokenizer = cache(lambda: get_tokenizer(job.tokenizer or tagger.tokenizer))
    if job.tokenizer or any(source.input_format is InputFormat.TEXT for source in job.sources):
        tokenizer()
    return lambda text: split_text(text, tokenizer())
