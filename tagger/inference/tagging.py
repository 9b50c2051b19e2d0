"""From inputs to written output: documents through a tagger, in order, no more held than the tagger reads ahead."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import chain, groupby, islice
from pathlib import Path
from typing import IO, Protocol

from tagger.corpus.sentence import Sentence
from tagger.corpus.tokenizers import get_tokenizer, split_text
from tagger.errors import UserError
from tagger.files import written_whole
from tagger.inference.documents import Document, InputFormat, ReadOptions, Splitter, read_documents
from tagger.inference.sources import Source
from tagger.inference.thresholds import MinimumScores
from tagger.inference.writers import OutputFormat, Writer, get_writer

_MOST_WAITING = 65_536
_QUICKLY_READ = (InputFormat.TEXT, InputFormat.JSONL)  # columns take a third of the time that tagging them does


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


@dataclass
class Counts:
    """What went through."""

    records: int = 0
    sentences: int = 0
    tokens: int = 0

    def of(self, documents: Iterable[Document]) -> Iterator[Document]:
        """The same documents, counted as they pass."""
        for document in documents:
            self.records += 1
            self.sentences += len(document.sentences)
            self.tokens += sum(map(len, document.sentences))
            yield document


def carry_out(job: Job, tagger: SentenceTagger, standard_input: IO[bytes], standard_output: IO[bytes]) -> Counts:
    """Tag the inputs and write what came of them.

    Files are read through once before anything is tagged, so that what is wrong with the last one is known before the
    first is written; pipes cannot be, and files of columns are where standard output could not be taken back. Each
    output file is written whole or not at all. Standard output gets whole records as they are ready; an HTML page,
    which no part of stands alone, in one go.

    Args:
        job: what to do.
        tagger: the model.
        standard_input: read where it is one of the sources.
        standard_output: written where the job names no output files.

    Returns:
        What was tagged.

    Raises:
        UserError: something cannot be read or written, or is malformed, or the job does not fit the model.
        BrokenPipeError: nobody reads standard output any more.
    """
    _require_entities(job, tagger)
    split = _splitter(job, tagger)
    for source in job.sources:
        if source.rereadable and (job.outputs is None or source.input_format in _QUICKLY_READ):
            for _ in _read(source, job.reading, _unsplit, standard_input):
                pass
    counts = Counts()
    documents = chain.from_iterable(_read(source, job.reading, split, standard_input) for source in job.sources)
    scores = job.scores or job.minimum is not None
    tagged = counts.of(tag_documents(tagger, documents, scores=scores, n_best=job.n_best))
    if job.minimum is not None:
        tagged = _without_unsure(tagged, job.minimum)
    writer = get_writer(
        job.output_format,
        tokens=job.tokens,
        text_field=job.reading.text_field,
        scores=job.scores,
        alternatives=job.n_best > 0,
    )
    if job.outputs is None:
        pieces = writer(tagged)
        _write_stream(standard_output, list(pieces) if job.output_format is OutputFormat.HTML else pieces)
    else:
        _write_files(job.outputs, tagged, writer)
    return counts


def _require_entities(job: Job, tagger: SentenceTagger) -> None:
    if job.minimum is None:
        return
    if tagger.plain:
        raise UserError("--min-score: the model gives every token a plain tag, and no entities to leave out; drop it")
    job.minimum.require_known(tagger.labels)


def _without_unsure(documents: Iterable[Document], minimum: MinimumScores) -> Iterator[Document]:
    for document in documents:
        yield replace(document, sentences=[minimum.applied(sentence) for sentence in document.sentences])


def _splitter(job: Job, tagger: SentenceTagger) -> Splitter:
    """Text to sentences. The tokenizer is made at once where it is named or sure to be needed, else when it is."""
    tokenizer = cache(lambda: get_tokenizer(job.tokenizer or tagger.tokenizer))
    if job.tokenizer or any(source.input_format is InputFormat.TEXT for source in job.sources):
        tokenizer()
    return lambda text: split_text(text, tokenizer())


def _unsplit(text: str) -> list[Sentence]:
    return []


def _read(source: Source, options: ReadOptions, split: Splitter, standard_input: IO[bytes]) -> Iterator[Document]:
    stream = source.open(standard_input)
    try:
        yield from read_documents(stream, source.name, source.input_format, options, split)
    finally:
        if stream is not standard_input:
            stream.close()


def _write_stream(stream: IO[bytes], pieces: Iterable[str]) -> None:
    try:
        for piece in pieces:
            stream.write(piece.encode("utf-8"))
        stream.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise UserError(f"standard output: cannot write: {error.strerror or error}") from error


def _write_files(outputs: Iterable[Path], tagged: Iterable[Document], writer: Writer) -> None:
    # One stream of documents over all files, so that many small files still make full batches.
    by_source = groupby(tagged, key=lambda document: document.source)
    for output, (_, documents) in zip(outputs, by_source, strict=True):
        with written_whole(output) as stream:
            stream.writelines(writer(documents))


def tag_documents(
    tagger: SentenceTagger, documents: Iterable[Document], *, scores: bool = False, n_best: int = 0
) -> Iterator[Document]:
    """The same documents in order, their sentences tagged.

    Args:
        tagger: the model.
        documents: any number, also without sentences; they are taken as the tagger asks for more.
        scores, n_best: what the tagger is to give beside tags.

    Yields:
        A document as soon as its last sentence is tagged.
    """
    documents = iter(documents)
    for first in documents:
        # Documents without sentences never make the tagger answer, so that without this limit a long run of empty
        # lines would pile up in memory.
        some = chain([first], islice(documents, _MOST_WAITING - 1))
        yield from _tag_some(tagger, some, scores=scores, n_best=n_best)


def _tag_some(
    tagger: SentenceTagger, documents: Iterable[Document], *, scores: bool, n_best: int
) -> Iterator[Document]:
    waiting: deque[Document] = deque()

    def untagged() -> Iterator[Sentence]:
        for document in documents:
            waiting.append(document)
            yield from document.sentences

    done: list[Sentence] = []
    for sentence in tagger.tag_sentences(untagged(), scores=scores, n_best=n_best):
        while not waiting[0].sentences:
            yield replace(waiting.popleft(), plain=tagger.plain)
        assert sentence.tags is not None
        assert sentence.tokens == waiting[0].sentences[len(done)].tokens, "a sentence lost or out of order"
        done.append(sentence)
        if len(done) == len(waiting[0].sentences):
            yield replace(waiting.popleft(), sentences=done, plain=tagger.plain)
            done = []
    assert not any(document.sentences for document in waiting), "sentences lost"
    yield from (replace(document, plain=tagger.plain) for document in waiting)
