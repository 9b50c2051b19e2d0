"""Documents through a tagger, in order, without holding more of them than the tagger reads ahead."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import chain, islice
from typing import Protocol

from tagger.corpus.sentence import Sentence
from tagger.inference.documents import Document

_MOST_WAITING = 65_536


class SentenceTagger(Protocol):
    """What tagging needs of a model (see `tagger.inference.tagger.Tagger`)."""

    tokenizer: str
    plain: bool

    def tag_sentences(self, sentences: Iterable[Sentence]) -> Iterator[Sentence]:
        """The same sentences in order, with predicted tags; lazy."""


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


def tag_documents(tagger: SentenceTagger, documents: Iterable[Document]) -> Iterator[Document]:
    """The same documents in order, their sentences tagged.

    Args:
        tagger: the model.
        documents: any number, also without sentences; they are taken as the tagger asks for more.

    Yields:
        A document as soon as its last sentence is tagged.
    """
    documents = iter(documents)
    for first in documents:
        # Documents without sentences never make the tagger answer, so that without this limit a long run of empty
        # lines would pile up in memory.
        yield from _tag_some(tagger, chain([first], islice(documents, _MOST_WAITING - 1)))


def _tag_some(tagger: SentenceTagger, documents: Iterable[Document]) -> Iterator[Document]:
    waiting: deque[Document] = deque()

    def untagged() -> Iterator[Sentence]:
        for document in documents:
            waiting.append(document)
            yield from document.sentences

    done: list[Sentence] = []
    for sentence in tagger.tag_sentences(untagged()):
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
