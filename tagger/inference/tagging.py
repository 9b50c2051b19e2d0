"""From inputs to written output: records in blocks through a tagger, in order."""

from __future__ import annotations

import gc
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache, partial
from itertools import chain, islice
from pathlib import Path
from typing import IO, NamedTuple, Protocol

from tagger.corpus.sentence import Sentence
from tagger.corpus.tokenizers import get_tokenizer, split_text
from tagger.errors import UserError
from tagger.inference.blocks import Block, blocks
from tagger.inference.documents import Document, InputFormat, ReadOptions, Record, Splitter, read_records
from tagger.inference.outputs import FilesOutput, Output, StreamOutput, Written
from tagger.inference.page import HtmlPage
from tagger.inference.sources import Source
from tagger.inference.thresholds import MinimumScores
from tagger.inference.writers import OutputFormat, line_writer

_QUICKLY_READ = (InputFormat.TEXT, InputFormat.JSONL)  # columns take a third of the time that tagging them does
_LOOKED_AT = 1  # records of what is not quickly read


class SentenceTagger(Protocol):
    """What tagging needs of a model (see `tagger.inference.tagger.Tagger`)."""

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
    """

    sources: list[Source]
    outputs: list[Path] | None = None
    reading: ReadOptions = field(default_factory=ReadOptions)
    tokenizer: str | None = None
    output_format: OutputFormat = OutputFormat.JSONL
    tokens: bool = False
    scores: bool = False
    minimum: MinimumScores | None = None
    n_best: int = 0


class Counts(NamedTuple):
    """What went through."""

    records: int = 0
    sentences: int = 0
    tokens: int = 0


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
        _require_entities(job, tagger)
        self._job, self._tagger, self._split = job, tagger, _splitter(job, tagger)
        self._scores = job.scores or job.minimum is not None

    def __call__(self, block: Block) -> TaggedBlock:
        """Tag a block; what comes of it depends on nothing else."""
        with _no_cycles_sought():
            return self._tagged(block)

    def _tagged(self, block: Block) -> TaggedBlock:
        names = [self._job.sources[source].name for source, _ in block]
        parts = [
            [record.document(self._split, name) for record in records]
            for name, (_, records) in zip(names, block, strict=True)
        ]
        documents = list(chain.from_iterable(parts))
        counts = self._tag(documents)
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
            if self._job.minimum is not None:
                document.sentences = list(map(self._job.minimum.applied, document.sentences))
        return Counts(len(documents), sentences, tokens)

    def _written(self, documents: list[Document]) -> Written:
        if self._job.output_format is OutputFormat.HTML:
            return documents
        writer = line_writer(
            self._job.output_format,
            tokens=self._job.tokens,
            text_field=self._job.reading.text_field,
            scores=self._job.scores,
            alternatives=self._job.n_best > 0,
        )
        return "".join(writer(documents))


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


def carry_out(job: Job, hands: Hands, standard_input: IO[bytes], standard_output: IO[bytes]) -> Counts:
    """Tag the inputs and write what came of them.

    Files are read through once before anything is tagged, so that what is wrong with the last one is known before the
    first is written; pipes cannot be, and files of columns and Parquet are where standard output could not be taken
    back, else their first record is. Each output file is written whole or not at all. Standard output gets whole
    records as they are ready; an HTML page, which no part of stands alone, in one go.

    Args:
        job: what to do.
        hands: who tags, with a `BlockTagger` of the same job.
        standard_input: read where it is one of the sources.
        standard_output: written where the job names no output files.

    Returns:
        What was tagged.

    Raises:
        UserError: something cannot be read or written, or is malformed, or the job does not fit the model.
        BrokenPipeError: nobody reads standard output any more.
    """
    for source in job.sources:
        if source.rereadable:
            whole = job.outputs is None or source.input_format in _QUICKLY_READ
            with source.open(standard_input) as stream:
                deque(islice(_read(source, job.reading, stream), None if whole else _LOOKED_AT), maxlen=0)
    done = Counts()
    with _output(job, standard_output) as output:

        def take(tagged: TaggedBlock) -> None:
            nonlocal done
            for source, written in tagged.parts:
                output.take(source, written)
            done = Counts(*map(sum, zip(done, tagged.counts, strict=True)))

        for block in blocks(_records(job, partial(hands.attending, take=take), standard_input)):
            hands.give(block, take)
        hands.finish(take)
    return done


def _output(job: Job, standard_output: IO[bytes]) -> Output:
    open_page = partial(HtmlPage, scores=job.scores)
    if job.outputs is None:
        return StreamOutput(standard_output, open_page)
    return FilesOutput(job.outputs, open_page)


def _records(
    job: Job, attending: Callable[[IO[bytes]], IO[bytes]], standard_input: IO[bytes]
) -> Iterator[tuple[int, Record]]:
    for number, source in enumerate(job.sources):
        stream = source.open(standard_input)
        try:
            for record in _read(source, job.reading, stream if source.rereadable else attending(stream)):
                yield number, record
        finally:
            if stream is not standard_input:
                stream.close()


def _read(source: Source, options: ReadOptions, stream: IO[bytes]) -> Iterator[Record]:
    return read_records(stream, source.name, source.input_format, options)


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
