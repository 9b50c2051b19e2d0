"""Put the gold and predicted entities of a text side by side, in characters, and pair them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from itertools import accumulate
from typing import NamedTuple

from tagger.corpus.schemes import OUTSIDE, Scheme, spans_from_tags
from tagger.corpus.sentence import Sentence, Span
from tagger.evaluation.scores import readable_tags
from tagger.evaluation.strict import strict_spans

# schemes with the same letters as IOB2; where IOB2 is expected, tags in these break it
_LIKE_IOB2 = (Scheme.IOB1, Scheme.IO)
_EMPTY = "∅"  # shown for a token without characters, which only JSON input can contain


class Kind(StrEnum):
    """Kinds of matches and errors."""

    CORRECT = "correct"
    WRONG_TYPE = "wrong_type"  # the same boundaries, another label
    WRONG_BOUNDARY = "wrong_boundary"  # the same label, an overlap
    WRONG_BOTH = "wrong_both"  # an overlap only
    MISSING = "missing"  # a gold entity without a partner
    SPURIOUS = "spurious"  # a predicted entity without a partner


class Pair(NamedTuple):
    """A gold entity and its predicted partner. One of the two is None where there is no partner."""

    kind: Kind
    gold: Span | None
    predicted: Span | None


class Side(NamedTuple):
    """Entities of one side, in characters: as read leniently, and as read strictly."""

    spans: list[Span]
    strict: list[Span]


@dataclass(frozen=True)
class AlignedText:
    """A sentence or a running text with its gold and predicted entities.

    All spans are half-open, in characters of `text`: the tokens joined by blanks, or the running text. `words` are the
    spans of its tokens, and `sentence` is the number of its first sentence.
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

    def words_of(self, span: Span) -> list[str]:
        """Return the tokens that a span touches."""
        return [self.text[start:end] for start, end in self.words if start < span.end and end > span.start]


def align_tags(
    sentences: Sequence[Sentence], predicted: Sequence[Sequence[str]], gold_scheme: Scheme, predicted_scheme: Scheme
) -> Iterator[AlignedText]:
    """Align the entities of sentences, both sides given as tags on tokens. Each side is read strictly by its scheme."""
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

    def in_characters(spans: Iterable[Span]) -> list[Span]:
        return [Span(words[start][0], words[end - 1][1], label) for start, end, label in spans]

    if all(tag == OUTSIDE for tag in tags):
        return Side([], [])
    readable = readable_tags(tags, scheme)
    return Side(in_characters(spans_from_tags(readable)), in_characters(strict_spans(readable, scheme)))


def scheme_to_enforce(found: Scheme, gold: Scheme) -> Scheme:
    """Return the scheme for reading predictions strictly.

    This is the scheme they are written in. Where gold is IOB2 and predictions use its letters, it is IOB2.
    """
    return gold if gold is Scheme.IOB2 and found in _LIKE_IOB2 else found


def pair_entities(gold: Iterable[Span], predicted: Iterable[Span]) -> list[Pair]:
    """Pair the gold and predicted entities of a sentence, in its order. Every entity is in exactly one pair.

    Pairs are made in four rounds: equal entities, the same boundaries, an overlap with the same label, any overlap. If
    several candidates overlap, the first free one is taken. Spans of one side must not overlap. So

        gold = correct + wrong type + wrong boundary + wrong both + missing
        predicted = correct + wrong type + wrong boundary + wrong both + spurious.
    """
    left, right = sorted(gold), sorted(predicted)
    pairs: list[Pair] = []
    for kind, matches in _ROUNDS.items():
        found = list(_match(left, right, matches))
        pairs += [Pair(kind, one, other) for one, other in found]
        taken, given = {one for one, _ in found}, {other for _, other in found}
        left, right = [one for one in left if one not in taken], [other for other in right if other not in given]
    pairs += [Pair(Kind.MISSING, one, None) for one in left]
    pairs += [Pair(Kind.SPURIOUS, None, other) for other in right]
    return sorted(pairs, key=lambda pair: (pair.gold or pair.predicted or ())[:2])


_ROUNDS: dict[Kind, Callable[[Span, Span], bool]] = {
    Kind.CORRECT: Span.__eq__,
    Kind.WRONG_TYPE: lambda one, other: one[:2] == other[:2],
    Kind.WRONG_BOUNDARY: lambda one, other: one.label == other.label,
    Kind.WRONG_BOTH: lambda one, other: True,
}


def _match(
    gold: list[Span], predicted: list[Span], matches: Callable[[Span, Span], bool]
) -> Iterator[tuple[Span, Span]]:
    """Pair each gold entity, from left to right, with the first free predicted one that matches."""
    free = list(predicted)
    first = 0  # earlier ones end before the gold entity, so they cannot match any more
    for one in gold:
        while first < len(free) and free[first].end <= one.start:
            first += 1
        for number in range(first, len(free)):
            if free[number].start >= one.end:
                break
            if matches(one, free[number]):
                yield one, free.pop(number)
                break
