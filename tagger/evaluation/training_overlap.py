"""What was met in training: mentions and words, and what difference that makes."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from tagger.corpus.schemes import spans_from_tags
from tagger.corpus.sentence import Sentence, Span
from tagger.evaluation.entity_alignment import Compared
from tagger.evaluation.estimates import CORRECT, GOLD, PREDICTED, Estimate, Event, Tally


class Words(StrEnum):
    """Where the words of a mention, or a word, are known from; the partition of Ma & Hovy 2016, section 4.6."""

    IN_VOCABULARY = "in_vocabulary"  # every word stands in the training data and has a vector
    OUT_OF_TRAINING = "out_of_training"  # a word was not in training; every one has a vector
    OUT_OF_VECTORS = "out_of_vectors"  # a word has no vector; every one was in training
    OUT_OF_BOTH = "out_of_both"  # one was not in training, and one has no vector


class Mentions(StrEnum):
    """Whether a mention's words stand as an entity in the training data."""

    SAME_TYPE = "same_type"  # with this label
    OTHER_TYPE = "other_type"  # with others only
    NEW = "new"


@dataclass(frozen=True)
class Known:
    """What was there to learn from.

    Attributes:
        words: tells of words whether each was in training, and whether each has a vector; with words that have none
            because the model has no vectors at all, `vectors` is False.
        vectors: whether there are vectors.
        mentions: the labels of each mention of the training data; None where these are not known.
        source: which training data, in words.
    """

    words: Callable[[Sequence[str]], tuple[Sequence[bool], Sequence[bool]]]
    vectors: bool
    mentions: Mapping[str, Collection[str]] | None
    source: str


@dataclass(frozen=True)
class TokenShare:
    """Tokens of a class: how many, and the share of them with the right tag; None where there are none."""

    count: int
    correct: int
    accuracy: float | None


@dataclass(frozen=True)
class Seen:
    """Scores by what was seen in training.

    Attributes:
        source: which training data.
        vectors: whether there are vectors; without, no word counts as having none.
        mentions: entities by `Mentions`; empty for plain tags and where the training mentions are not known.
        words: entities by `Words`; empty for plain tags.
        tokens: tokens by `Words` of each alone.
    """

    source: str
    vectors: bool
    mentions: Mapping[str, Estimate]
    words: Mapping[str, Estimate]
    tokens: Mapping[str, TokenShare]


def training_mentions(sentences: Iterable[Sentence]) -> dict[str, set[str]]:
    """The labels of each mention, by its words joined with blanks; of sentences with tags of a span scheme."""
    found: dict[str, set[str]] = {}
    for sentence in sentences:
        for start, end, label in spans_from_tags(sentence.tags or []):
            found.setdefault(" ".join(sentence.tokens[start:end]), set()).add(label)
    return found


def training_words(sentences: Iterable[Sentence]) -> Callable[[Sequence[str]], tuple[Sequence[bool], Sequence[bool]]]:
    """For `Known`: words as they are written in these sentences, without vectors."""
    known = {token for sentence in sentences for token in sentence.tokens}
    return lambda words: ([word in known for word in words], [True] * len(words))


def seen(
    known: Known,
    texts: Sequence[Compared],
    tally: Tally,
    tokens: Sequence[tuple[Sequence[str], Sequence[bool]]],
    kind: Literal["entities", "tags"],
) -> Seen:
    """Scores by what was seen.

    Args:
        known: what was there to learn from.
        texts: what was compared.
        tally: for estimates.
        tokens: of each sentence its tokens and whether the tag of each is right.
        kind: whether `texts` hold entities.
    """
    classes = _Classes(known, {word for words, _ in tokens for word in words}.union(*map(_all_words, texts)))
    mentions: dict[str, Estimate] = {}
    if kind == "entities" and known.mentions is not None:
        mentions = tally.groups(_events(texts, classes.of_mention), list(Mentions))
    words = tally.groups(_events(texts, classes.of_words), list(Words)) if kind == "entities" else {}
    counts = {name: [0, 0] for name in Words}
    for written, right in tokens:
        for word, is_right in zip(written, right, strict=True):
            count = counts[classes.of_word(word)]
            count[0] += 1
            count[1] += is_right
    shares = {
        str(name): TokenShare(total, right, right / total if total else None) for name, (total, right) in counts.items()
    }
    return Seen(known.source, known.vectors, mentions, words, shares)


class _Classes:
    """Which class a word or a mention belongs to."""

    def __init__(self, known: Known, words: Collection[str]) -> None:
        ordered = sorted(words)
        in_training, with_vector = known.words(ordered)
        self._trained = dict(zip(ordered, in_training, strict=True))
        self._vector = dict(zip(ordered, with_vector, strict=True))
        self._mentions = known.mentions or {}

    def of_word(self, word: str) -> Words:
        return _OF[bool(self._trained[word]), bool(self._vector[word])]

    def of_words(self, text: Compared, span: Span) -> Words:
        words = text.words_of(span)
        return _OF[all(self._trained[word] for word in words), all(self._vector[word] for word in words)]

    def of_mention(self, text: Compared, span: Span) -> Mentions:
        labels = self._mentions.get(" ".join(text.words_of(span)), ())
        return Mentions.SAME_TYPE if span.label in labels else Mentions.OTHER_TYPE if labels else Mentions.NEW


_OF = {
    (True, True): Words.IN_VOCABULARY,
    (False, True): Words.OUT_OF_TRAINING,
    (True, False): Words.OUT_OF_VECTORS,
    (False, False): Words.OUT_OF_BOTH,
}


def _all_words(text: Compared) -> set[str]:
    return {word for side in (text.gold, text.predicted) for span in side.spans for word in text.words_of(span)}


def _events(texts: Sequence[Compared], class_of: Callable[[Compared, Span], str]) -> Iterator[Event]:
    for number, text in enumerate(texts):
        right = set(text.gold.spans) & set(text.predicted.spans)
        for column, spans in ((CORRECT, right), (PREDICTED, text.predicted.spans), (GOLD, text.gold.spans)):
            for span in spans:
                yield number, class_of(text, span), column, 1
