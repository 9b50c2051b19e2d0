"""Sentence: the unit that every reader yields and every writer takes."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple


class Span(NamedTuple):
    """A labelled span of tokens, half-open: tokens `start` to `end - 1`."""

    start: int
    end: int
    label: str


class Entity(NamedTuple):
    """A labelled span of text, half-open: `text` is characters `start` to `end - 1` of the text it was found in.

    >>> import tagger
    >>> tagger.Entity(0, 3, "PER", "Ada").label
    'PER'

    `score` is the probability of the entity, if requested.
    """

    start: int
    end: int
    label: str
    text: str
    score: float | None = None


class Tagging(NamedTuple):
    """A tag sequence for a sentence: T tags, and the probability of the whole sequence."""

    tags: list[str]
    score: float


def sentence_key(tokens: Sequence[str]) -> bytes:
    """Return 8 bytes by which sentences of the same words are found. Case and white space do not count."""
    text = "".join("".join(tokens).split()).casefold()
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()


@dataclass(frozen=True, slots=True)
class PartialLabels:
    """A mark on sentences whose tags leave labels open. Sentences of one source share it.

    In such sentences the label `_` (`schemes.IGNORED`) marks tokens whose labels are not known.

    Attributes:
        known: the labels that were annotated; None for all. Entities of other labels are tagged O.
    """

    known: frozenset[str] | None = None


@dataclass(slots=True)
class Sentence:
    """Tokens of a sentence with their tags and positions.

    >>> import tagger
    >>> given = tagger.Sentence(["Ada", "lived", "in", "London", "."])
    >>> [one.tags for one in tagger.load("en-ner").tag_sentences([given])]
    [['B-PER', 'O', 'O', 'B-LOC', 'O']]

    Attributes:
        tokens: the T words, unchanged.
        tags: T tags as read, in the scheme of the source. None if it has none.
        text: the running text that `offsets` refer to. None if only tokens are known.
        offsets: T half-open character spans, `text[start:end] == token`.
        document: id of its document, if marked.
        place: `file:line` it was read from, for messages.
        scores: T probabilities of predicted tags, if requested. Plain tags have one each. In span schemes, all tokens
            of an entity have the entity's probability, and tokens outside have None.
        alternatives: the most probable tag sequences, best first, if requested.
        partial: what the tags leave open; None if they are complete.
    """

    tokens: list[str]
    tags: list[str] | None = None
    text: str | None = None
    offsets: list[tuple[int, int]] | None = None
    document: str | None = None
    place: str = field(default="", compare=False)
    scores: list[float | None] | None = None
    alternatives: list[Tagging] | None = None
    partial: PartialLabels | None = None

    def __post_init__(self) -> None:
        assert self.tags is None or len(self.tags) == len(self.tokens)
        assert self.offsets is None or len(self.offsets) == len(self.tokens)
        assert self.scores is None or len(self.scores) == len(self.tokens)

    def __len__(self) -> int:
        return len(self.tokens)
