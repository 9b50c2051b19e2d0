"""What a model computes for a sentence: its gates, what its states keep, and what its decisions rest on.

    python scripts/explain.py --model runs/latest/model "Ada met Bob in London." --output gates.html

For every token, layer and direction the gates, candidate and state, by the readable cells from the stored weights; how
long states keep what they read; by how much the probability of each entity falls when a word is replaced by an unknown
one; and the CRF's part in the tags. --output writes a page that explains itself, --json all the numbers; a short table
is always printed. Text of several sentences gives a part for each. A model with a contextual encoder needs PyTorch.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from tagger.corpus.tokenizers import NAMES, get_tokenizer, split_text
from tagger.errors import UserError
from tagger.files import written_whole
from tagger.inspection.explainer import MOST_TOKENS, Explainer, Explanation
from tagger.inspection.gates_page import GATES, gates_page
from tagger.runs.tables import as_text

FORMAT = 1  # of the JSON file; raised when a key changes its meaning or goes away


def explained(explainer: Explainer, text: str, tokenizer: str | None) -> list[Explanation]:
    """Each sentence of a text taken apart.

    Raises:
        UserError: there is no word in it, or too many, or the tokenizer is unknown.
    """
    sentences = split_text(text, get_tokenizer(tokenizer or explainer.folder.tokenizer))
    tokens = sum(map(len, sentences))
    if not tokens:
        raise UserError("there is no word in the text; give a sentence")
    if tokens > MOST_TOKENS:
        raise UserError(f"a text of {tokens:,} tokens; at most {MOST_TOKENS} are explained at once: give a part of it")
    return [explainer.explain(sentence.tokens) for sentence in sentences]


def chosen_layers(numbers: Sequence[int], depth: int) -> list[int]:
    """Layers counted from 0, from numbers that count from 1; all without any.

    Raises:
        UserError: there is no such layer.
    """
    for number in numbers:
        if not 1 <= number <= depth:
            there = "only layer 1" if depth == 1 else f"layers 1 to {depth}"
            raise UserError(f"--layer {number}: the model has {there}; give one that it has")
    return [number - 1 for number in dict.fromkeys(numbers)] or list(range(depth))


def chosen_units(text: str | None, widths: Sequence[int]) -> list[int]:
    """The units named in `3,17`; none without it.

    Raises:
        UserError: they are not numbers, or one of the layers, of so many units, lacks one.
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


def table(explanation: Explanation, layers: Sequence[int]) -> str:
    """Words, tags, and the mean of each gate over the units."""
    names, columns = [], []
    for number in layers:
        layer = explanation.trace.layers[number]
        for way, computed in layer.directions.items():
            for gate in GATES[layer.cell]:
                names.append(f"{number + 1} {way} {gate.symbol}")
                columns.append([f"{value:.2f}" for value in computed[gate.name].mean(axis=1)])
    rows = [list(row) for row in zip(explanation.tokens, explanation.tags, *columns, strict=True)]
    return as_text(["word", "tag", *names], rows, left=2)


def run(arguments: argparse.Namespace) -> None:
    """Explain as the command line asks.

    Raises:
        UserError: the model, the text or a setting is not what it should be, or a file cannot be written.
    """
    explainer = Explainer.load(arguments.model, arguments.encoder)
    stack = explainer.folder.config.encoder.stack
    layers = chosen_layers(arguments.layer, len(stack))
    units = chosen_units(arguments.units, [stack[number].hidden_size for number in layers])
    found = explained(explainer, arguments.text, arguments.tokenizer)
    print("\n\n".join(table(one, layers) for one in found))
    if arguments.json:
        sentences = [one.to_mapping(layers, units or None) for one in found]
        with written_whole(arguments.json) as stream:
            json.dump({"format": FORMAT, "model": arguments.model, "sentences": sentences}, stream)
    if arguments.output:
        page = gates_page(found, model=arguments.model, layers=layers, units=units)
        with written_whole(arguments.output) as stream:
            stream.write(page)


def parser() -> argparse.ArgumentParser:
    """The command line."""
    found = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    add = found.add_argument
    add("text", metavar="TEXT", help="a sentence, or a few")
    add("--model", required=True, metavar="DIR", help="the model folder, as runs/latest/model, or hub:ORG/NAME")
    add("--encoder", metavar="PATH", help="where the model's contextual encoder lies, if elsewhere than in training")
    add("--tokenizer", metavar="NAME", help=f"what splits the text: {NAMES}; default: what the model is meant for")
    add("--output", type=Path, metavar="FILE", help="write an HTML page (needs the extra report)")
    add("--json", type=Path, metavar="FILE", help="write everything that was computed")
    add("--layer", type=int, action="append", default=[], metavar="N", help="only this layer, from 1; may be repeated")
    add("--units", metavar="N,N,…", help="only these units, from 0; default: on the page the ones that move most")
    return found


def main(argv: Sequence[str] | None = None) -> int:
    """Parse the command line and explain; 0, or 2 for wrong use."""
    try:
        run(parser().parse_args(argv))
    except UserError as error:
        print(f"explain.py: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
