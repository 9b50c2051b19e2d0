"""The sentence: what every reader gives and every writer takes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple


class Span(NamedTuple):
    """A labelled stretch of tokens, half-open: tokens `start` to `end - 1`."""

    start: int
    end: int
    label: str


class Entity(NamedTuple):
    """A labelled stretch of text, half-open: `text` is characters `start` to `end - 1` of the text it was found in.

    `score` is the probability of the entity, where it was asked for.
    """

    start: int
    end: int
    label: str
    text: str
    score: float | None = None


class Tagging(NamedTuple):
    """One way to tag a sentence: T tags, and the probability of them all together."""

    tags: list[str]
    score: float


@dataclass(slots=True)
class Sentence:
    """Tokens with what is known of them.

    Attributes:
        tokens: the T words, unchanged.
        tags: T tags as read, in whatever scheme the source has; None where the source has none.
        text: the running text that `offsets` count in; None where only tokens are known.
        offsets: T half-open character spans, `text[start:end] == token`.
        document: the id of the document the sentence stands in, where marked.
        place: where it was read, as `file:line`, for messages.
        scores: T probabilities of predicted tags, where asked for: of plain tags that of each, else on all tokens of an
            entity that of the entity, and None outside.
        alternatives: the most probable ways to tag it, best first, where asked for.
    """

    tokens: list[str]
    tags: list[str] | None = None
    text: str | None = None
    offsets: list[tuple[int, int]] | None = None
    document: str | None = None
    place: str = field(default="", compare=False)
    scores: list[float | None] | None = None
    alternatives: list[Tagging] | None = None

    def __post_init__(self) -> None:
        assert self.tags is None or len(self.tags) == len(self.tokens)
        assert self.offsets is None or len(self.offsets) == len(self.tokens)
        assert self.scores is None or len(self.scores) == len(self.tokens)

    def __len__(self) -> int:
        return len(self.tokens)
