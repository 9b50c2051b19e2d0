"""The ways to compare two sides' entities, as things to count."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from tagger.corpus.sentence import Span
from tagger.evaluation.entity_alignment import Compared
from tagger.evaluation.estimates import CORRECT, GOLD, PREDICTED, Event
from tagger.evaluation.pairing import Kind

# how much a pair is worth under each reading; Segura-Bedmar et al. 2013 (SemEval-2013 task 9) name the four
CREDITS: dict[str, dict[Kind, float]] = {
    "partial": {Kind.CORRECT: 1, Kind.WRONG_TYPE: 1, Kind.WRONG_BOUNDARY: 0.5, Kind.WRONG_BOTH: 0.5},
    "type_only": {Kind.CORRECT: 1, Kind.WRONG_BOUNDARY: 1},
    "boundary_only": {Kind.CORRECT: 1, Kind.WRONG_TYPE: 1},
}


def exact(sides: Iterable[tuple[int, Sequence[Span], Sequence[Span]]]) -> Iterator[Event]:
    """Entities of which boundaries and label count: the sentence's number, its gold and its predicted ones."""
    for number, gold, predicted in sides:
        for span in set(gold) & set(predicted):
            yield number, span.label, CORRECT, 1
        for span in predicted:
            yield number, span.label, PREDICTED, 1
        for span in gold:
            yield number, span.label, GOLD, 1


def credited(texts: Sequence[Compared], credits: dict[Kind, float]) -> Iterator[Event]:
    """All entities as of one label, each pair worth what `credits` says."""
    for number, text in enumerate(texts):
        for kind, gold, predicted in text.pairs:
            if worth := credits.get(kind):
                yield number, "", CORRECT, worth
            if predicted is not None:
                yield number, "", PREDICTED, 1
            if gold is not None:
                yield number, "", GOLD, 1


def surface_forms(texts: Sequence[Compared]) -> list[set[tuple[int, str]]]:
    """Distinct pairs of words and label among the correct, the predicted and the gold entities.

    The surface F1 of WNUT-17 counts them (Derczynski et al. 2017, section 4): a pair is right if an entity that is
    right in place and type has it.
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


def plain(sides: Iterable[tuple[Sequence[str], Sequence[str]]]) -> Iterator[Event]:
    """Plain tags, token by token: gold and predicted ones of each sentence."""
    for number, (gold, predicted) in enumerate(sides):
        for one, other in zip(gold, predicted, strict=True):
            yield number, one, GOLD, 1
            yield number, other, PREDICTED, 1
            if one == other:
                yield number, one, CORRECT, 1
