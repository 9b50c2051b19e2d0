"""Score mentions and words by whether they occurred in training."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Literal

from tagger.corpus.schemes import spans_from_tags
from tagger.corpus.sentence import Sentence, Span, sentence_key
from tagger.evaluation.counting import exact_matches
from tagger.evaluation.entity_alignment import AlignedText
from tagger.evaluation.estimates import Estimate, Tally
from tagger.files import bytes_written_whole


class WordClass(StrEnum):
    """Class of a word, or of all words of a mention: the partition of Ma & Hovy 2016, section 4.6."""

    IN_VOCABULARY = "in_vocabulary"  # every word was in training and has a vector
    OUT_OF_TRAINING = "out_of_training"  # a word was not in training; all have a vector
    OUT_OF_VECTORS = "out_of_vectors"  # a word has no vector; all were in training
    OUT_OF_BOTH = "out_of_both"  # a word was not in training, and a word has no vector


class MentionClass(StrEnum):
    """Class of a mention by how its words occur as an entity in the training data."""

    SAME_TYPE = "same_type"  # with this label
    OTHER_TYPE = "other_type"  # with others only
    NEW = "new"


@dataclass(frozen=True)
class TrainingKnowledge:
    """Words and mentions that a model could learn from.

    Attributes:
        words: for a list of words, returns whether each was in training and whether each has a vector. Without any
            vectors it returns True for the latter.
        vectors: whether the model has vectors.
        mentions: the labels of each mention of the training data; None if unknown.
        source: description of the training data.
    """

    words: Callable[[Sequence[str]], tuple[Sequence[bool], Sequence[bool]]]
    vectors: bool
    mentions: Mapping[str, Collection[str]] | None
    source: str


@dataclass(frozen=True)
class TokenShare:
    """Tokens of a class: their number, and the share with the right tag. The share of none is None."""

    count: int
    correct: int
    accuracy: float | None


@dataclass(frozen=True)
class TrainingOverlap:
    """Scores of entities by `MentionClass` and by the `WordClass` of their words, and of tokens by `WordClass`.

    Those of entities are empty for plain tags. `mentions` is empty, too, if the training mentions are unknown.
    """

    source: str
    vectors: bool
    mentions: Mapping[str, Estimate]
    words: Mapping[str, Estimate]
    tokens: Mapping[str, TokenShare]


def training_mentions(sentences: Iterable[Sentence]) -> dict[str, set[str]]:
    """Collect the labels of each mention, by its words joined with blanks. Tags must be of a span scheme."""
    found: dict[str, set[str]] = {}
    for sentence in sentences:
        for start, end, label in spans_from_tags(sentence.tags or []):
            found.setdefault(" ".join(sentence.tokens[start:end]), set()).add(label)
    return found


def write_keys(path: Path, sentences: Iterable[Sentence]) -> None:
    """Write 8 bytes for each different sentence, by which it is found again. Raises UserError if that fails."""
    with bytes_written_whole(path) as stream:
        stream.write(b"".join(sorted({sentence_key(sentence.tokens) for sentence in sentences})))


def overlap_warning(path: Path, sentences: Sequence[Sentence], name: str) -> str:
    """Warn of sentences of more than three tokens that are among the training sentences `write_keys` has written.

    Returns "" if there are none, or no such file, as in older runs.
    """
    try:
        content = path.read_bytes()
    except OSError:
        return ""
    known = {content[place : place + 8] for place in range(0, len(content), 8)}
    seen = sum(len(one) > 3 and sentence_key(one.tokens) in known for one in sentences)
    if not seen:
        return ""
    return (
        f"{name}: {seen:,} of {len(sentences):,} sentences ({seen / len(sentences):.1%}) were in the model's training "
        "data: the scores say less about new text"
    )


def training_words(sentences: Iterable[Sentence]) -> Callable[[Sequence[str]], tuple[Sequence[bool], Sequence[bool]]]:
    """Return a lookup for `TrainingKnowledge.words`: words as written in these sentences, without vectors."""
    known = {token for sentence in sentences for token in sentence.tokens}
    return lambda words: ([word in known for word in words], [True] * len(words))


def score_overlap(
    known: TrainingKnowledge,
    texts: Sequence[AlignedText],
    tally: Tally,
    tokens: Sequence[tuple[Sequence[str], Sequence[bool]]],
    kind: Literal["entities", "tags"],
) -> TrainingOverlap:
    """Score entities (or plain tags, by `kind`) and tokens by occurrence in training.

    `tokens` has the tokens of each sentence, and whether the tag of each is right.
    """
    words = {word for written, _ in tokens for word in written}
    for text in texts:
        words.update(
            word for side in (text.gold, text.predicted) for span in side.spans for word in text.words_of(span)
        )
    ordered = sorted(words)
    trained, with_vector = (dict(zip(ordered, found, strict=True)) for found in known.words(ordered))
    labels = known.mentions or {}

    def class_of_words(text: AlignedText, span: Span) -> WordClass:
        found = text.words_of(span)
        return _OF[all(trained[word] for word in found), all(with_vector[word] for word in found)]

    def class_of_mention(text: AlignedText, span: Span) -> MentionClass:
        seen = labels.get(" ".join(text.words_of(span)))
        if not seen:
            return MentionClass.NEW
        return MentionClass.SAME_TYPE if span.label in seen else MentionClass.OTHER_TYPE

    by_mention: dict[str, Estimate] = {}
    by_words: dict[str, Estimate] = {}
    if kind == "entities":
        by_words = tally.groups(exact_matches(texts, class_of_words), list(WordClass))
        if known.mentions is not None:
            by_mention = tally.groups(exact_matches(texts, class_of_mention), list(MentionClass))
    right: dict[WordClass, list[bool]] = {name: [] for name in WordClass}
    for written, are_right in tokens:
        for word, is_right in zip(written, are_right, strict=True):
            right[_OF[bool(trained[word]), bool(with_vector[word])]].append(is_right)
    shares = {
        str(name): TokenShare(len(found), sum(found), sum(found) / len(found) if found else None)
        for name, found in right.items()
    }
    return TrainingOverlap(known.source, known.vectors, by_mention, by_words, shares)


_OF = {  # by whether all words were in training, and whether all have a vector
    (True, True): WordClass.IN_VOCABULARY,
    (False, True): WordClass.OUT_OF_TRAINING,
    (True, False): WordClass.OUT_OF_VECTORS,
    (False, False): WordClass.OUT_OF_BOTH,
}
