"""Count matches under each criterion and by length, and errors by kind and label."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from tagger.corpus.sentence import Span
from tagger.evaluation.entity_alignment import AlignedText, Kind, Side
from tagger.evaluation.estimates import CORRECT, GOLD, PREDICTED, Event

# Credit of a pair under each measure of SemEval-2013 task 9 (Segura-Bedmar et al. 2013). Partners are chosen once for
# all measures; nervaluate chooses them again for each (docs/evaluation.md).
CREDITS: dict[str, dict[Kind, float]] = {
    "partial": {Kind.CORRECT: 1, Kind.WRONG_TYPE: 1, Kind.WRONG_BOUNDARY: 0.5, Kind.WRONG_BOTH: 0.5},
    "type_only": {Kind.CORRECT: 1, Kind.WRONG_BOUNDARY: 1},
    "boundary_only": {Kind.CORRECT: 1, Kind.WRONG_TYPE: 1},
}
PARTNER_RULE = (
    "Partial overlap and type only give each entity one partner, the same for all measures. nervaluate chooses "
    "partners for each measure, so its partial may be higher and its ent_type lower."
)
ENTITY_LENGTHS = ("1", "2", "3", "4", "5 and more")
SENTENCE_LENGTHS = ("1–5", "6–10", "11–20", "21–40", "41 and more")
_BOUNDS = (5, 10, 20, 40)
_Labels = tuple[str | None, str | None]  # of a gold entity or tag, and of the predicted one


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
    """Error counts over all labels and by label, and confusions, the most frequent first."""

    all: ErrorCounts
    types: Mapping[str, ErrorCounts]
    confusions: Sequence[Confusion]


def by_label(text: AlignedText, span: Span) -> str:
    """Return the label of an entity."""
    return span.label


def by_length(text: AlignedText, span: Span) -> str:
    """Return the class of an entity by its number of tokens."""
    return ENTITY_LENGTHS[min(len(text.words_of(span)), len(ENTITY_LENGTHS)) - 1]


def exact_matches(
    texts: Sequence[AlignedText], group: Callable[[AlignedText, Span], str] = by_label, *, strict: bool = False
) -> Iterator[Event]:
    """Count entities by group, with those as correct whose boundaries and label match. `strict` reads tags strictly."""
    for number, text in enumerate(texts):
        for column, spans in _columns(text.gold, text.predicted, strict=strict):
            for span in spans:
                yield number, group(text, span), column, 1


def by_sentence_length(events: Iterable[Event], lengths: Sequence[int]) -> Iterator[Event]:
    """Group events by the number of tokens of their sentence."""
    names = [SENTENCE_LENGTHS[sum(length > bound for bound in _BOUNDS)] for length in lengths]
    return ((number, names[number], column, amount) for number, _, column, amount in events)


def credited_pairs(texts: Sequence[AlignedText], credits: dict[Kind, float]) -> Iterator[Event]:
    """Count entities of all labels together. `credits` gives the value of a pair by its kind."""
    for number, text in enumerate(texts):
        for kind, gold, predicted in text.pairs:
            if worth := credits.get(kind):
                yield number, "", CORRECT, worth
            if predicted is not None:
                yield number, "", PREDICTED, 1
            if gold is not None:
                yield number, "", GOLD, 1


def surface_forms(texts: Sequence[AlignedText]) -> list[set[tuple[int, str]]]:
    """Collect the distinct pairs of words and label of the correct, the predicted and the gold entities.

    The surface F1 of WNUT-17 counts them (Derczynski et al. 2017, section 4). A pair is right if some entity with it is
    right in place and type.
    """
    found: list[set[tuple[int, str]]] = [set(), set(), set()]
    for number, text in enumerate(texts):
        for column, spans in _columns(text.gold, text.predicted):
            found[column].update((number, f"{label}\0{text.text[start:end]}") for start, end, label in spans)
    return found


def plain_tag_matches(sides: Iterable[tuple[Sequence[str], Sequence[str]]]) -> Iterator[Event]:
    """Count plain tags token by token. `sides` has the gold and predicted tags of each sentence."""
    for number, (gold, predicted) in enumerate(sides):
        for one, other in zip(gold, predicted, strict=True):
            yield number, one, GOLD, 1
            yield number, other, PREDICTED, 1
            if one == other:
                yield number, one, CORRECT, 1


def entity_errors(texts: Iterable[AlignedText]) -> Errors:
    """Count the errors of entities."""
    pairs: Counter[tuple[Kind, _Labels]] = Counter()
    for text in texts:
        for kind, gold, predicted in text.pairs:
            pairs[kind, (gold.label if gold else None, predicted.label if predicted else None)] += 1
    return _account(pairs)


def tag_errors(sides: Iterable[tuple[Sequence[str], Sequence[str]]]) -> Errors:
    """Count the errors of plain tags, given as gold and predicted tags of each sentence."""
    pairs = Counter(pair for gold, predicted in sides for pair in zip(gold, predicted, strict=True))
    return _account(
        {(Kind.CORRECT if one == two else Kind.WRONG_TYPE, (one, two)): n for (one, two), n in pairs.items()}
    )


def _columns(gold: Side, predicted: Side, *, strict: bool = False) -> Iterator[tuple[int, Iterable[Span]]]:
    left, right = (gold.strict, predicted.strict) if strict else (gold.spans, predicted.spans)
    yield from ((CORRECT, set(left) & set(right)), (PREDICTED, right), (GOLD, left))


def _account(pairs: Mapping[tuple[Kind, _Labels], int]) -> Errors:
    counts: dict[str, Counter[str]] = {}
    confusions: Counter[_Labels] = Counter()
    total: Counter[str] = Counter()
    for (kind, (gold, predicted)), count in pairs.items():
        confusions[gold, predicted] += count
        label = gold if gold is not None else predicted
        for name, of in ((kind, label), ("gold", gold), ("predicted", predicted)):
            if of is not None:
                counts.setdefault(of, Counter())[name] += count
                total[name] += count
    ordered = sorted(confusions.items(), key=lambda item: (-item[1], item[0][0] or "", item[0][1] or ""))
    return Errors(
        ErrorCounts(**total),
        {label: ErrorCounts(**counts[label]) for label in sorted(counts)},
        [Confusion(gold, predicted, count) for (gold, predicted), count in ordered],
    )
