"""Gold and predicted entities side by side, in characters of a text, however they were given."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from typing import NamedTuple

from tagger.corpus.schemes import Scheme, spans_from_tags
from tagger.corpus.sentence import Sentence, Span
from tagger.evaluation.pairing import Pair, pair_up
from tagger.evaluation.scores import readable_tags
from tagger.evaluation.strict import strict_spans

# schemes in the same letters: what is written in one of the others where IOB2 is due breaks IOB2
_LIKE_IOB2 = (Scheme.IOB1, Scheme.IO)
_EMPTY = "∅"  # a token without characters, which only JSON can give, has a place all the same


class Side(NamedTuple):
    """One side's entities, read leniently and strictly, in characters."""

    spans: list[Span]
    strict: list[Span]


@dataclass(frozen=True)
class Compared:
    """A sentence, or a running text, with both sides' entities. All spans are half-open, in characters of `text`.

    Attributes:
        text: tokens joined by blanks, or the running text.
        words: where its tokens stand.
        gold, predicted: the two sides.
        sentence: number of the first sentence in it.
        place: where it was read, as `file:line`.
    """

    text: str
    words: list[tuple[int, int]]
    gold: Side
    predicted: Side
    sentence: int
    place: str

    @cached_property
    def pairs(self) -> list[Pair]:
        """Gold and predicted entities beside each other."""
        return pair_up(self.gold.spans, self.predicted.spans)

    def form(self, span: Span) -> str:
        """The words of an entity as they stand in the text."""
        return self.text[span.start : span.end]

    def words_of(self, span: Span) -> list[str]:
        """The tokens that a stretch of the text touches."""
        return [self.text[start:end] for start, end in self.words if start < span.end and end > span.start]


def compare_tags(
    sentences: Sequence[Sentence], predicted: Sequence[Sequence[str]], gold_scheme: Scheme, predicted_scheme: Scheme
) -> Iterator[Compared]:
    """Sentences whose entities are marked on tokens.

    Args:
        sentences: with gold tags as read.
        predicted: tags of each, as many as it has tokens.
        gold_scheme, predicted_scheme: of the tags, for reading them strictly.
    """
    for number, (sentence, tags) in enumerate(zip(sentences, predicted, strict=True)):
        text, words = laid_out(sentence.tokens)
        gold = side_of(sentence.tags or [], gold_scheme, words)
        found = side_of(tags, predicted_scheme, words)
        yield Compared(text, words, gold, found, number, sentence.place)


def laid_out(tokens: Sequence[str]) -> tuple[str, list[tuple[int, int]]]:
    """Tokens joined by blanks, and where each stands."""
    written = [token or _EMPTY for token in tokens]
    ends = list(accumulate(len(token) + 1 for token in written))
    return " ".join(written), [(end - 1 - len(token), end - 1) for token, end in zip(written, ends, strict=True)]


def side_of(tags: Sequence[str], scheme: Scheme, words: Sequence[tuple[int, int]]) -> Side:
    """The entities that tags mark on words, in the characters in which the words are given."""
    if not any(tag != "O" for tag in tags):
        return Side([], [])
    readable = readable_tags(tags, scheme)
    lenient = [_in_characters(span, words) for span in spans_from_tags(readable)]
    return Side(lenient, [_in_characters(span, words) for span in strict_spans(readable, scheme)])


def held_to(found: Scheme, gold: Scheme) -> Scheme:
    """The scheme to hold predictions to: that in which they are written, but IOB2 where gold is and letters are its."""
    return gold if gold is Scheme.IOB2 and found in _LIKE_IOB2 else found


def _in_characters(span: Span, words: Sequence[tuple[int, int]]) -> Span:
    return Span(words[span.start][0], words[span.end - 1][1], span.label)
