"""Write explanations of sentences as an HTML page. Every picture is a table with cells coloured by their numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tagger.config import Cell
from tagger.corpus.schemes import spans_from_tags
from tagger.html.palette import STYLE, label_hue
from tagger.html.rendering import render
from tagger.inspection.explainer import Explanation
from tagger.inspection.gates import KEEP_GATES, LayerTrace, Memory

UNITS_SHOWN = 10
MOST_COLUMNS = 40  # of a table with a column per word
_DISTANCES = (1, 2, 4, 8, 16, 32, 64)

Floats = NDArray[np.floating]


class Gate(NamedTuple):
    """A value of a cell on the page: its name in the trace, its symbol in the equations, its colour."""

    name: str
    symbol: str
    colour: str


STATE = Gate("state", "h", "signed")
GATES: dict[Cell, tuple[Gate, ...]] = {
    "gru": (Gate("update", "z", "keep"), Gate("reset", "r", "reset")),
    "gru_reset_before": (Gate("update", "z", "keep"), Gate("reset", "r", "reset")),
    "lstm": (Gate("forget", "f", "keep"), Gate("input", "i", "reset"), Gate("output", "o", "other")),
    "rnn": (),
}
TITLES: dict[Cell, str] = {
    "gru": "GRU",
    "gru_reset_before": "GRU with the reset gate before the product",
    "lstm": "LSTM",
    "rnn": "plain RNN",
}


def gates_page(explanations: Sequence[Explanation], *, model: str, layers: Sequence[int], units: Sequence[int]) -> str:
    """Write a page that fetches nothing.

    Args:
        explanations: one section each.
        model: name of the model.
        layers, units: their numbers, from 0. If no units are given, those whose keep gate varies most are shown.
    """
    several = len(explanations) > 1
    numbered = enumerate(explanations, start=1)
    sections = [gates_section(one, number=n, several=several, layers=layers, units=units) for n, one in numbered]
    return render("inspection/templates/page.html.j2", palette=STYLE, sections=sections, model=model)


def gates_style() -> str:
    """Return the CSS for sections, without the palette. It applies only inside elements of class `gates`."""
    return render("inspection/templates/style.css.j2")


def gates_section(
    explanation: Explanation,
    *,
    number: int = 1,
    several: bool = False,
    layers: Sequence[int] | None = None,
    units: Sequence[int] = (),
) -> str:
    """Write one sentence as a section of a page. The page must contain `gates_style()` and the palette.

    `number` is used in anchors, and shown in the heading if there are `several`. By default all layers are shown.
    """
    shown = range(len(explanation.trace.layers)) if layers is None else layers
    return render(
        "inspection/templates/section.html.j2",
        found=explanation,
        number=number,
        pieces=_pieces(explanation),
        layers=[_layer(explanation, place, units) for place in shown],
        several=several,
        changed=sum(step.alone != step.tag for step in explanation.path.steps),
        across=len(explanation.tokens) <= MOST_COLUMNS,
        most=MOST_COLUMNS,
    )


def _layer(explanation: Explanation, place: int, units: Sequence[int]) -> dict[str, Any]:
    """Collect what a page shows of a layer."""
    layer, memories = explanation.trace.layers[place], explanation.memories[place]
    kept = [memory.by_distance() for memory in memories.values() if memory]
    reach = len(explanation.tokens) if kept else 0
    return {
        "number": place + 1,
        "cell": layer.cell,
        "title": TITLES[layer.cell],
        "gates": GATES[layer.cell],
        "shown": (*GATES[layer.cell], STATE),
        "width": layer.forward["state"].shape[1],
        "directions": [_direction(layer, name, memories[name], units) for name in ("forward", "backward")],
        "steps": [(gap, *(shares[gap] for shares in kept)) for gap in _DISTANCES if gap < reach],
    }


def _direction(layer: LayerTrace, name: str, memory: Memory | None, units: Sequence[int]) -> dict[str, Any]:
    """Collect what a page shows of one direction of a layer with T words.

    `means` has T means over all units by gate, and `of_units` T rows of the units shown. `first` and `first_longest`
    are the share of the first word read that is left at each word: mean over all units, and over the slow ones.
    """
    computed, gates = layer.directions[name], GATES[layer.cell]
    chosen = list(units) or most_varying_units(computed[KEEP_GATES[layer.cell] or "state"], UNITS_SHOWN)
    forward = name == "forward"
    means = {gate.name: computed[gate.name].mean(axis=1).tolist() for gate in gates}
    return {
        "name": name,
        "arrow": "→" if forward else "←",
        "means": means | {"state": np.abs(computed["state"]).mean(axis=1).tolist()},
        "units": chosen,
        "of_units": {gate.name: computed[gate.name][:, chosen].tolist() for gate in (*gates, STATE)},
        "memory": memory,
        "first": memory.kept[0 if forward else -1].tolist() if memory else [],
        "first_longest": memory.kept_longest[0 if forward else -1].tolist() if memory else [],
    }


def most_varying_units(values: Floats, count: int) -> list[int]:
    """Find the units whose values (T, H) have the largest standard deviation over the sentence, largest first."""
    return np.argsort(-values.std(axis=0), kind="stable")[:count].tolist()


def _pieces(explanation: Explanation) -> list[dict[str, Any]]:
    """Split the sentence into labelled pieces (with probability and hue) and single other words."""
    chosen = {one.span: one.probability for one in explanation.decisions if one.chosen}
    spans = list(chosen) if explanation.plain else spans_from_tags(list(explanation.tags))
    hues = {label: label_hue(turn) for turn, label in enumerate(dict.fromkeys(span.label for span in spans))}
    pieces: list[dict[str, Any]] = []
    place = 0
    for span in spans:
        pieces += [{"words": [word], "label": ""} for word in explanation.tokens[place : span.start]]
        words = explanation.tokens[span.start : span.end]
        pieces.append({"words": words, "label": span.label, "probability": chosen[span], "hue": hues[span.label]})
        place = span.end
    return pieces + [{"words": [word], "label": ""} for word in explanation.tokens[place:]]
