"""A look inside the gates for a report: which of its sentences to take apart, and how they come to stand in it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from textwrap import shorten

from tagger.evaluation.assessment import Assessment
from tagger.evaluation.page.report_html import GateExplanations
from tagger.inspection.explainer import FORMAT, MOST_TOKENS, Explainer
from tagger.inspection.gates_page import gates_section, gates_style


def explained(found: Assessment, model: Path, encoder: str | None, count: int) -> GateExplanations | None:
    """Take sentences of a report apart: first those with errors, then others with entities, then the rest.

    Args:
        found: a model's predictions, by sentences.
        model: its folder, or `hub:ORG/NAME@REVISION`.
        encoder: where its contextual encoder lies, if not where it lay in training.
        count: how many at most; those of more than `MOST_TOKENS` tokens are passed over.

    Returns:
        None where there is not one.
    """
    explainer = Explainer.load(model, encoder)
    chosen = [place for place, _ in zip(_in_order(found), range(count), strict=False)]
    several = len(chosen) > 1
    explanations = [explainer.explain(found.sentences[place].tokens) for place in chosen]
    if not explanations:
        return None
    layers = range(len(explainer.folder.config.encoder.stack))
    sentences = [
        {"place": found.sentences[place].place, **explanation.to_mapping(layers)}
        for place, explanation in zip(chosen, explanations, strict=True)
    ]
    return GateExplanations(
        style=gates_style(),
        sections=[
            (shorten(" ".join(one.tokens), 80, placeholder=" …"), gates_section(one, number=number, several=several))
            for number, one in enumerate(explanations, start=1)
        ],
        data={"format": FORMAT, "model": str(model), "sentences": sentences},
    )


def _in_order(found: Assessment) -> Iterator[int]:
    """Numbers of the sentences that can be taken apart, the most telling ones first."""

    def dullness(place: int) -> int:
        gold, predicted = found.sentences[place].tags or [], found.predicted[place]
        return 0 if list(gold) != list(predicted) else 1 if any(tag != "O" for tag in predicted) else 2

    able = [place for place, one in enumerate(found.sentences) if 0 < len(one.tokens) <= MOST_TOKENS]
    yield from sorted(able, key=dullness)
