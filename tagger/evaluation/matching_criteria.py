"""Count correct, predicted and gold entities under each criterion for a match."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from tagger.corpus.sentence import Span
from tagger.evaluation.entity_alignment import AlignedText
from tagger.evaluation.estimates import CORRECT, GOLD, PREDICTED, Event
from tagger.evaluation.pairing import Kind

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


def exact_matches(sides: Iterable[tuple[int, Sequence[Span], Sequence[Span]]]) -> Iterator[Event]:
    """Count entities whose boundaries and label must match.

    Args:
        sides: number of a sentence, its gold entities and its predicted ones.
    """
    for number, gold, predicted in sides:
        for span in set(gold) & set(predicted):
            yield number, span.label, CORRECT, 1
        for span in predicted:
            yield number, span.label, PREDICTED, 1
        for span in gold:
            yield number, span.label, GOLD, 1


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
        for column, spans in (
            (CORRECT, set(text.gold.spans) & set(text.predicted.spans)),
            (PREDICTED, text.predicted.spans),
            (GOLD, text.gold.spans),
        ):
            found[column].update((number, f"{span.label}\0{text.form(span)}") for span in spans)
    return found


def plain_tag_matches(sides: Iterable[tuple[Sequence[str], Sequence[str]]]) -> Iterator[Event]:
    """Count plain tags token by token. `sides` has the gold and predicted tags of each sentence."""
    for number, (gold, predicted) in enumerate(sides):
        for one, other in zip(gold, predicted, strict=True):
            yield number, one, GOLD, 1
            yield number, other, PREDICTED, 1
            if one == other:
                yield number, one, CORRECT, 1
