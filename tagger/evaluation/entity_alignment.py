"""Put the gold and predicted entities of a text side by side, as spans in characters."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from typing import NamedTuple

from tagger.corpus.schemes import Scheme, spans_from_tags
from tagger.corpus.sentence import Sentence, Span
from tagger.evaluation.pairing import Pair, pair_entities
from tagger.evaluation.scores import readable_tags
from tagger.evaluation.strict import strict_spans

# schemes with the same letters as IOB2; where IOB2 is expected, tags in these break it
_LIKE_IOB2 = (Scheme.IOB1, Scheme.IO)
_EMPTY = "∅"  # shown for a token without characters, which only JSON input can contain


class Side(NamedTuple):
    """Entities of one side, in characters: as read leniently, and as read strictly."""

    spans: list[Span]
    strict: list[Span]


@dataclass(frozen=True)
class AlignedText:
    """A sentence or a running text with its gold and predicted entities.

    All spans are half-open, in characters of `text`.

    Attributes:
        text: tokens joined by blanks, or the running text.
        words: the spans of its tokens.
        gold, predicted: the two sides.
        sentence: number of its first sentence.
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
        """Gold and predicted entities in pairs."""
        return pair_entities(self.gold.spans, self.predicted.spans)

    def form(self, span: Span) -> str:
        """Return the text of an entity."""
        return self.text[span.start : span.end]

    def words_of(self, span: Span) -> list[str]:
        """Return the tokens that a span touches."""
        return [self.text[start:end] for start, end in self.words if start < span.end and end > span.start]


def align_tags(
    sentences: Sequence[Sentence], predicted: Sequence[Sequence[str]], gold_scheme: Scheme, predicted_scheme: Scheme
) -> Iterator[AlignedText]:
    """Align the gold and predicted entities of sentences, both given as tags on tokens.

    Args:
        sentences: with gold tags as read.
        predicted: tags of each sentence, one per token.
        gold_scheme, predicted_scheme: the schemes for reading the tags strictly.
    """
    for number, (sentence, tags) in enumerate(zip(sentences, predicted, strict=True)):
        text, words = join_tokens(sentence.tokens)
        gold = side_from_tags(sentence.tags or [], gold_scheme, words)
        found = side_from_tags(tags, predicted_scheme, words)
        yield AlignedText(text, words, gold, found, number, sentence.place)


def join_tokens(tokens: Sequence[str]) -> tuple[str, list[tuple[int, int]]]:
    """Join tokens by blanks. Return the text and the span of each token."""
    written = [token or _EMPTY for token in tokens]
    ends = list(accumulate(len(token) + 1 for token in written))
    return " ".join(written), [(end - 1 - len(token), end - 1) for token, end in zip(written, ends, strict=True)]


def side_from_tags(tags: Sequence[str], scheme: Scheme, words: Sequence[tuple[int, int]]) -> Side:
    """Read the entities that tags mark on words. `words` are spans in characters."""
    if not any(tag != "O" for tag in tags):
        return Side([], [])
    readable = readable_tags(tags, scheme)
    lenient = [_in_characters(span, words) for span in spans_from_tags(readable)]
    return Side(lenient, [_in_characters(span, words) for span in strict_spans(readable, scheme)])


def scheme_to_enforce(found: Scheme, gold: Scheme) -> Scheme:
    """Return the scheme for reading predictions strictly.

    This is the scheme they are written in. Where gold is IOB2 and predictions use its letters, it is IOB2.
    """
    return gold if gold is Scheme.IOB2 and found in _LIKE_IOB2 else found


def _in_characters(span: Span, words: Sequence[tuple[int, int]]) -> Span:
    return Span(words[span.start][0], words[span.end - 1][1], span.label)
