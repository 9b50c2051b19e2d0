"""Choose sentences of a report to explain, and explain them: gates, memory, and reasons of decisions."""

from __future__ import annotations

from pathlib import Path
from textwrap import shorten

from tagger.evaluation.assessment import Assessment
from tagger.evaluation.page.report_html import GateExplanations
from tagger.inspection.explainer import FORMAT, MOST_TOKENS, Explainer
from tagger.inspection.gates_page import gates_section, gates_style


def explain_sentences(found: Assessment, model: Path, encoder: str | None, count: int) -> GateExplanations | None:
    """Explain sentences of a report: first those with errors, then others with entities, then the rest.

    Args:
        found: the predictions of a model, by sentence.
        model: its folder, or `hub:ORG/NAME@REVISION`.
        encoder: where its contextual encoder is, if not where it was in training.
        count: how many at most; sentences of more than `MOST_TOKENS` tokens are left out.

    Returns:
        None if there is no such sentence.
    """
    explainer = Explainer.load(model, encoder)
    chosen = _ranked(found)[:count]
    if not chosen:
        return None
    explanations = [explainer.explain(found.sentences[number].tokens) for number in chosen]
    layers = range(len(explainer.folder.config.encoder.stack))
    sentences = [
        {"place": found.sentences[number].place, **explanation.to_mapping(layers)}
        for number, explanation in zip(chosen, explanations, strict=True)
    ]
    several = len(chosen) > 1
    return GateExplanations(
        style=gates_style(),
        sections=[
            (shorten(" ".join(one.tokens), 80, placeholder=" …"), gates_section(one, number=number, several=several))
            for number, one in enumerate(explanations, start=1)
        ],
        data={"format": FORMAT, "model": str(model), "sentences": sentences},
    )


def _ranked(found: Assessment) -> list[int]:
    """Return the numbers of the sentences short enough to be explained, the most interesting first."""

    def rank(number: int) -> int:
        gold, predicted = found.sentences[number].tags or [], found.predicted[number]
        return 0 if list(gold) != list(predicted) else 1 if any(tag != "O" for tag in predicted) else 2

    short = [number for number, one in enumerate(found.sentences) if 0 < len(one.tokens) <= MOST_TOKENS]
    return sorted(short, key=rank)
