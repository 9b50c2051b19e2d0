"""python-crfsuite with the usual template of features; c1 and c2 tried on dev. See exchange.py.

The template is that of CRFsuite's and sklearn-crfsuite's examples for named entities, with a window of two words to
either side instead of one.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import pycrfsuite
from exchange import Facts, Task, bytes_of, spans, timed, versions

GRID = tuple(itertools.product((0.0, 0.01, 0.1), (0.01, 0.1, 1.0)))  # c1 (L1), c2 (L2)
ITERATIONS = 100
WINDOW = 2
_OFFSETS = (*range(-WINDOW, 0), *range(1, WINDOW + 1))
_KEPT_WORDS = 1 << 13
_AFFIXES = (1, 2, 3, 4)
_REPEATED = re.compile(r"(.)\1+")


def shape(word: str) -> str:
    """`"McDonald's"` → `"XxXxxxxx'x"`; letters without case are `"a"`."""
    return "".join(_kind(character) for character in word)


def _kind(character: str) -> str:
    if character.isupper():
        return "X"
    if character.islower():
        return "x"
    if character.isdigit():
        return "0"
    return "a" if character.isalpha() else character


class Word(NamedTuple):
    """What is seen of a word: its own features, its lower case, and the features it gives to neighbours by offset."""

    own: tuple[str, ...]
    low: str
    beside: dict[int, tuple[str, str]]


@lru_cache(maxsize=_KEPT_WORDS)
def look_at(token: str) -> Word:
    """What is seen of a word; remembered for the words met last, which saves a sixth of the time of tagging."""
    low, seen = token.lower(), shape(token)
    short = _REPEATED.sub(r"\1", seen)
    own = ["bias", f"word={token}", f"lower={low}", f"shape={seen}", f"short={short}"]
    own += [f"prefix={low[:length]}" for length in _AFFIXES if length <= len(low)]
    own += [f"suffix={low[-length:]}" for length in _AFFIXES if length <= len(low)]
    asked = {"upper": token.isupper(), "title": token.istitle(), "digits": token.isdigit(), "hyphen": "-" in token}
    own += [name for name, holds in asked.items() if holds]
    return Word((*own,), low, {offset: (f"{offset}:lower={low}", f"{offset}:short={short}") for offset in _OFFSETS})


def features(tokens: Sequence[str]) -> list[list[str]]:
    """The features of each token of a sentence: its own, those of its neighbours, and word pairs."""
    words = [look_at(token) for token in tokens]
    rows = []
    for here, word in enumerate(words):
        row = [*word.own]
        for offset in _OFFSETS:
            there = here + offset
            row += words[there].beside[offset] if 0 <= there < len(words) else (f"{offset}:outside",)
        row.append(f"pair={words[here - 1].low if here else ''}|{word.low}")
        row.append(f"pair+={word.low}|{words[here + 1].low if here + 1 < len(words) else ''}")
        rows.append(row)
    return rows


def train(trainer: pycrfsuite.Trainer, c1: float, c2: float, model: Path) -> float:
    """Train with these penalties; returns the seconds it took."""
    trainer.set_params({"c1": c1, "c2": c2, "max_iterations": ITERATIONS, "feature.possible_transitions": True})
    return timed(lambda: trainer.train(str(model)))


def tag(model: Path, sentences: Sequence[list[list[str]]]) -> list[list[str]]:
    """The tags of sentences given by their features."""
    tagger = pycrfsuite.Tagger()
    tagger.open(str(model))
    return [tagger.tag(pycrfsuite.ItemSequence(rows)) if rows else [] for rows in sentences]


def right(gold: Sequence[Sequence[str]], predicted: Sequence[Sequence[str]], kind: str) -> float:
    """What settings are chosen by: micro F1 of entities, or accuracy."""
    if kind == "tags":
        pairs = [pair for both in zip(gold, predicted, strict=True) for pair in zip(*both, strict=True)]
        return sum(one == other for one, other in pairs) / len(pairs)
    gold_spans, predicted_spans = (
        {(number, *span) for number, tags in enumerate(side) for span in spans(tags)} for side in (gold, predicted)
    )
    return 2 * len(gold_spans & predicted_spans) / max(1, len(gold_spans) + len(predicted_spans))


def main() -> None:
    task = Task.from_command_line(__doc__)
    trainer = pycrfsuite.Trainer(algorithm="lbfgs", verbose=False)
    for tokens, tags in task.sentences("train"):
        if tokens:
            trainer.append(pycrfsuite.ItemSequence(features(tokens)), tags)
    dev = [features(tokens) for tokens, _ in task.sentences("dev")]
    gold = [tags for _, tags in task.sentences("dev")]
    best, total = (-1.0, 0.0, (0.0, 0.0)), 0.0
    trial, model = task.folder / "trial.crfsuite", task.folder / "model.crfsuite"
    for c1, c2 in GRID:
        seconds = train(trainer, c1, c2, trial)
        total += seconds
        score = right(gold, tag(trial, dev), task.kind)
        print(f"c1 {c1} c2 {c2}: dev {score:.4f}, {seconds:.0f} s", flush=True)
        if score > best[0]:
            best = (score, seconds, (c1, c2))
            trial.replace(model)
    test = [tokens for tokens, _ in task.sentences("test")]
    predicted: list[list[str]] = []
    spent = timed(lambda: predicted.extend(tag(model, [features(tokens) for tokens in test])))
    _, seconds, (c1, c2) = best
    facts = Facts(
        settings={"c1": c1, "c2": c2, "max_iterations": ITERATIONS},
        seconds=seconds,
        search_seconds=total,
        tokens_per_second=sum(map(len, test)) / spent,
        model_bytes=bytes_of(model),
        versions=versions("python-crfsuite"),
    )
    task.answer(tag(model, dev), predicted, facts)


if __name__ == "__main__":
    main()
