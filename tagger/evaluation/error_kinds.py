"""Count errors by kind and label, confusions of labels, and matches by length."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from tagger.evaluation.entity_alignment import AlignedText
from tagger.evaluation.estimates import CORRECT, GOLD, PREDICTED, Event
from tagger.evaluation.pairing import Kind

ENTITY_LENGTHS = ("1", "2", "3", "4", "5 and more")
SENTENCE_LENGTHS = ("1–5", "6–10", "11–20", "21–40", "41 and more")
_BOUNDS = (5, 10, 20, 40)


@dataclass(frozen=True)
class ErrorCounts:
    """Counts of entities by kind of error. For plain tags, `wrong_type` is the only error.

        gold      = correct + wrong_type + wrong_boundary + wrong_both + missing
        predicted = correct + wrong_type + wrong_boundary + wrong_both + spurious   (over all labels together)

    For a single label, errors count under the gold label. Its `predicted` is the sum of its column in the confusions.
    """

    gold: int = 0
    predicted: int = 0
    correct: int = 0
    wrong_type: int = 0
    wrong_boundary: int = 0
    wrong_both: int = 0
    missing: int = 0
    spurious: int = 0


@dataclass(frozen=True)
class Confusion:
    """A gold label, the predicted label paired with it, and their count. None means no entity."""

    gold: str | None
    predicted: str | None
    count: int


@dataclass(frozen=True)
class Errors:
    """Error counts of all gold and predicted entities or plain tags.

    Attributes:
        all: over all labels.
        types: by label.
        confusions: the most frequent first; their counts sum to the number of pairs.
    """

    all: ErrorCounts
    types: Mapping[str, ErrorCounts]
    confusions: Sequence[Confusion]


def entity_errors(texts: Iterable[AlignedText]) -> Errors:
    """Count the errors of entities."""
    pairs: Counter[tuple[Kind, str | None, str | None]] = Counter(
        (kind, gold.label if gold else None, predicted.label if predicted else None)
        for text in texts
        for kind, gold, predicted in text.pairs
    )
    return _account(pairs)


def tag_errors(sides: Iterable[tuple[Sequence[str], Sequence[str]]]) -> Errors:
    """Count the errors of plain tags, given as gold and predicted tags of each sentence."""
    together = Counter(pair for gold, predicted in sides for pair in zip(gold, predicted, strict=True))
    pairs: Counter[tuple[Kind, str | None, str | None]] = Counter()
    for (one, other), count in together.items():
        pairs[Kind.CORRECT if one == other else Kind.WRONG_TYPE, one, other] += count
    return _account(pairs)


def by_entity_length(texts: Sequence[AlignedText]) -> Iterator[Event]:
    """Group entities by their number of tokens."""
    for number, text in enumerate(texts):
        right = set(text.gold.spans) & set(text.predicted.spans)
        for column, spans in ((CORRECT, right), (PREDICTED, text.predicted.spans), (GOLD, text.gold.spans)):
            for span in spans:
                words = min(len(text.words_of(span)), len(ENTITY_LENGTHS))
                yield number, ENTITY_LENGTHS[words - 1], column, 1


def by_sentence_length(events: Iterable[Event], lengths: Sequence[int]) -> Iterator[Event]:
    """Group events by the number of tokens of their sentence."""
    names = [SENTENCE_LENGTHS[sum(length > bound for bound in _BOUNDS)] for length in lengths]
    return ((number, names[number], column, amount) for number, _, column, amount in events)


def _account(pairs: Mapping[tuple[Kind, str | None, str | None], int]) -> Errors:
    counts: dict[str, Counter[str]] = {}
    confusions: Counter[tuple[str | None, str | None]] = Counter()
    total: Counter[str] = Counter()
    for (kind, gold, predicted), count in pairs.items():
        confusions[gold, predicted] += count
        label = gold if gold is not None else predicted
        assert label is not None
        counts.setdefault(label, Counter())[kind] += count
        total[kind] += count
        if gold is not None:
            counts[gold]["gold"] += count
            total["gold"] += count
        if predicted is not None:
            counts.setdefault(predicted, Counter())["predicted"] += count
            total["predicted"] += count
    ordered = sorted(confusions.items(), key=lambda item: (-item[1], item[0][0] or "", item[0][1] or ""))
    return Errors(
        ErrorCounts(**total),
        {label: ErrorCounts(**counts[label]) for label in sorted(counts)},
        [Confusion(gold, predicted, count) for (gold, predicted), count in ordered],
    )
