"""Show what the model computes for a sentence: its gates, what its states keep, and what its decisions rest on.

    python -m tagger explain --model runs/latest/model "Ada met Bob in London." --output gates.html

For every token, layer and direction: gates, candidate and state, computed by the reference cells from the stored
weights. Also how long states keep what they read, how far the probability of each entity falls when a word is replaced
by an unknown one, and the CRF's part in the tags. A short table is always printed. --output writes a page that explains
itself, --json all the numbers. Text of several sentences gives one part for each. A model with a contextual encoder
needs PyTorch. Of a language model, the table says how probable each word was after those before it.
"""

from __future__ import annotations

import json
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from pathlib import Path

from tagger.commands.main import command_parser
from tagger.corpus.tokenizers import NAMES, get_tokenizer, split_text
from tagger.errors import UserError
from tagger.files import written_whole
from tagger.inspection.explainer import MOST_TOKENS, Explainer, Explanation
from tagger.inspection.gates_page import GATES, gates_page
from tagger.inspection.word_predictions import WordPredictions, word_predictions
from tagger.model_folder.language_model import LanguageModelFolder, is_language_model
from tagger.runs.tables import as_text

FORMAT = 1  # of the JSON file; raised when a key changes its meaning or goes away


def main(arguments: Sequence[str]) -> int:
    """Explain the sentences of a text; returns 0.

    Raises:
        UserError: the model, the text or an option is wrong, or a file cannot be written.
    """
    given = _parser().parse_args(arguments)
    if is_language_model(Path(given.model)):
        _explain_language_model(given)
        return 0
    explainer = Explainer.load(given.model, given.encoder)
    stack = explainer.folder.config.encoder.stack
    layers = _layers(given.layer, len(stack))
    units = _units(given.units, [stack[number].hidden_size for number in layers])
    explanations = _explain(explainer, given.text, given.tokenizer)
    print("\n\n".join(_table(one, layers) for one in explanations))
    if given.json:
        sentences = [one.to_mapping(layers, units or None) for one in explanations]
        with written_whole(given.json) as stream:
            json.dump({"format": FORMAT, "model": given.model, "sentences": sentences}, stream)
    if given.output:
        page = gates_page(explanations, model=given.model, layers=layers, units=units)
        with written_whole(given.output) as stream:
            stream.write(page)
    return 0


def _explain_language_model(given: Namespace) -> None:
    """Print how well a language model foresaw each word of a text, and the gates with which it read it.

    Raises:
        UserError: the model, the text or an option is wrong, or a file cannot be written.
    """
    if given.output or given.layer or given.units or given.encoder:
        raise UserError("--output, --layer, --units and --encoder are for taggers, and the model is a language model; "
            "leave them out")  # fmt: skip
    folder = LanguageModelFolder.load(Path(given.model))
    sentences = split_text(given.text, get_tokenizer(given.tokenizer or folder.tokenizer))
    if not 0 < sum(map(len, sentences)) <= MOST_TOKENS:
        raise UserError(f"a text of {sum(map(len, sentences)):,} tokens; give one of 1 to {MOST_TOKENS}")
    found = [word_predictions(folder, sentence.tokens) for sentence in sentences]
    print("\n\n".join(map(_table_of_predictions, found)))
    if given.json:
        with written_whole(given.json) as stream:
            json.dump({"format": FORMAT, "model": given.model, "sentences": list(map(_as_mapping, found))}, stream)


def _table_of_predictions(found: WordPredictions) -> str:
    """Return a table of words, their probabilities, the most probable words, and the mean of each gate."""
    gates = [gate for gate in GATES[found.cell] if gate.name in found.gates]
    means = [[f"{value:.2f}" for value in found.gates[gate.name].mean(axis=1)] + [""] for gate in gates]
    rows = zip(
        [*found.words, "(end)"],
        [one or "(end)" for one in found.expected],
        [f"{one:.4f}" for one in found.probabilities],
        *means,
        strict=True,
    )
    return as_text(["word", "expected", "probability", *(gate.symbol for gate in gates)], list(map(list, rows)), left=2)


def _as_mapping(found: WordPredictions) -> dict[str, object]:
    gates = {name: values.tolist() for name, values in found.gates.items()}
    probabilities = found.probabilities.tolist()
    return {"words": found.words, "expected": found.expected, "probabilities": probabilities, "forward": gates}


def _parser() -> ArgumentParser:
    parser = command_parser("explain", __doc__)
    add = parser.add_argument
    add("text", metavar="TEXT", help="a sentence, or a few")
    add("--model", required=True, metavar="DIR", help="the model folder, as runs/latest/model, or hub:ORG/NAME")
    add("--encoder", metavar="PATH", help="where the model's contextual encoder is, if not where it was in training")
    add("--tokenizer", metavar="NAME", help=f"what splits the text: {NAMES}; default: the model's own")
    add("--output", type=Path, metavar="FILE", help="write an HTML page (needs the extra report)")
    add("--json", type=Path, metavar="FILE", help="write all numbers")
    add("--layer", type=int, action="append", default=[], metavar="N", help="only this layer, from 1; may be repeated")
    add("--units", metavar="N,N,…", help="only these units, from 0; default: on the page the ones that move most")
    return parser


def _explain(explainer: Explainer, text: str, tokenizer: str | None) -> list[Explanation]:
    """Explain each sentence of a text.

    Raises:
        UserError: the text has no word or too many, or the tokenizer is unknown.
    """
    sentences = split_text(text, get_tokenizer(tokenizer or explainer.folder.tokenizer))
    tokens = sum(map(len, sentences))
    if not tokens:
        raise UserError("there is no word in the text; give a sentence")
    if tokens > MOST_TOKENS:
        raise UserError(f"a text of {tokens:,} tokens; at most {MOST_TOKENS} are explained at once: give a part of it")
    return [explainer.explain(sentence.tokens) for sentence in sentences]


def _layers(numbers: Sequence[int], depth: int) -> list[int]:
    """Return layers counted from 0, for numbers counted from 1; all layers if there are no numbers.

    Raises:
        UserError: there is no such layer.
    """
    for number in numbers:
        if not 1 <= number <= depth:
            layers = "only layer 1" if depth == 1 else f"layers 1 to {depth}"
            raise UserError(f"--layer {number}: the model has {layers}; give one that it has")
    return [number - 1 for number in dict.fromkeys(numbers)] or list(range(depth))


def _units(text: str | None, widths: Sequence[int]) -> list[int]:
    """Return the units named in a text such as `3,17`; none without a text.

    Args:
        text: the numbers.
        widths: units of each chosen layer.

    Raises:
        UserError: the text has something else than numbers, or a layer lacks one of the units.
    """
    if text is None:
        return []
    try:
        units = list(dict.fromkeys(int(number) for number in text.split(",")))
    except ValueError:
        raise UserError(f"--units {text}: expected numbers of units with commas between, such as 3,17") from None
    for unit in units:
        if not 0 <= unit < min(widths):
            raise UserError(f"--units {unit}: the layer has units 0 to {min(widths) - 1}; give some of these")
    return units


def _table(explanation: Explanation, layers: Sequence[int]) -> str:
    """Return a table of words, tags, and the mean of each gate over the units."""
    names, columns = [], []
    for number in layers:
        layer = explanation.trace.layers[number]
        for direction, computed in layer.directions.items():
            for gate in GATES[layer.cell]:
                names.append(f"{number + 1} {direction} {gate.symbol}")
                columns.append([f"{value:.2f}" for value in computed[gate.name].mean(axis=1)])
    rows = [list(row) for row in zip(explanation.tokens, explanation.tags, *columns, strict=True)]
    return as_text(["word", "tag", *names], rows, left=2)
