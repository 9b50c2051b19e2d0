"""Measures the rates at which this machine could do a model's arithmetic, and counts that arithmetic.

    python floor_worker.py MODEL TOKENS.jsonl

Counted are the matrix products and the exponential functions (a sigmoid counts as one tanh), each as often as they must
be done: the first layer's input projection and the character convolution once per distinct word, all else once per
token. Left out: what moves data, decoding, and adding and multiplying element by element.
"""

from __future__ import annotations

import itertools
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from exchange import read_lines
from tasks import event

from tagger.config import GATES, Cell
from tagger.model_folder.folder import ModelFolder
from tagger.tensor_shapes import CHARACTER_FILTERS, EMISSIONS, FEED_FORWARD, cell_tensors, layer_prefix

TANH = {"rnn": 1, "gru": 3, "gru_reset_before": 3, "lstm": 5}  # per hidden unit: gates, and what comes of the cell
_BATCHES = (64, 128, 256)  # sentences at one time step
_REPEATS = 7
_AT_LEAST = 0.05  # seconds that a repeat takes


def products(folder: ModelFolder, tokens: int, words: int, characters: int) -> dict[str, int]:
    """Floating-point operations of the matrix products, two for each multiplication and addition.

    Args:
        folder: the model.
        tokens: in all.
        words: distinct ones among them.
        characters: in these, as far as the model looks at them.

    Returns:
        `recurrence`: h @ U; `projections`: what is read by the first layer, once per word; `rest`: of later layers and
        of the emissions.
    """
    sizes = {name: tensor.size for name, tensor in folder.tensors.items()}
    layers = [cell_tensors(layer_prefix(number)) for number in range(folder.config.encoder.depth)]
    recurrence = sum(sizes[way.hidden] for layer in layers for way in layer)
    first = sum(sizes[way.input] for way in layers[0]) + sum(sizes.get(linear.weight, 0) for linear in FEED_FORWARD)
    later = sum(sizes[way.input] for layer in layers[1:] for way in layer)
    spelling = sizes.get(CHARACTER_FILTERS.weight, 0)
    return {
        "recurrence": 2 * tokens * recurrence,
        "projections": 2 * (words * first + characters * spelling),
        "rest": 2 * tokens * (later + sizes[EMISSIONS.weight]),
    }


def tanhs(cells: Mapping[int, tuple[Cell, int]], tokens: int) -> int:
    """Evaluations of tanh in the recurrent layers, each given by its cell and its H."""
    return tokens * sum(2 * TANH[cell] * hidden for cell, hidden in cells.values())


def rate(work: Callable[[], object], amount: float) -> float:
    """How much a second is done by work of so much: the median of some repeats."""
    work()
    began = time.perf_counter()
    work()
    times = max(1, int(_AT_LEAST / max(1e-9, time.perf_counter() - began)))
    found = []
    for _ in range(_REPEATS):
        began = time.perf_counter()
        for _ in itertools.repeat(None, times):
            work()
        found.append(times * amount / (time.perf_counter() - began))
    return statistics.median(found)


def matrix_rates(hidden: int, stacked: int) -> dict[str, float]:
    """fp32 operations per second of (sentences, H) @ (H, GH), for some numbers of sentences."""
    found = {}
    for sentences in _BATCHES:
        left, right = _random(sentences, hidden), _random(hidden, stacked)
        product = np.empty((sentences, stacked), np.float32)
        amount = 2.0 * sentences * hidden * stacked
        found[str(sentences)] = rate(lambda a=left, b=right, c=product: np.matmul(a, b, out=c), amount)
    return found


def tanh_rates(hidden: int) -> dict[str, float]:
    """Elements per second, of an array that stays in the cache, by each library that is installed."""
    values = _random(_BATCHES[-1], hidden)
    out = np.empty_like(values)
    found = {"numpy": rate(lambda: np.tanh(values, out=out), values.size)}
    try:
        import torch
    except ImportError:
        return found
    tensor = torch.from_numpy(values)
    result = torch.empty_like(tensor)
    return {**found, "torch": rate(lambda: torch.tanh(tensor, out=result), values.size)}


def _random(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


def main() -> None:
    model, source = map(Path, sys.argv[1:])
    folder = ModelFolder.load(model)
    sentences = read_lines(source)
    words = {token for tokens in sentences for token in tokens}
    tokens = sum(map(len, sentences))
    layers = {n: (layer.cell, layer.hidden_size) for n, layer in enumerate(folder.config.encoder.stack)}
    cell, hidden = layers[0]
    spelling = folder.config.embeddings.characters
    characters = sum(min(len(word), spelling.max_length) for word in words) if spelling else 0
    event(
        tokens=tokens,
        distinct_words=len(words),
        hidden=hidden,
        operations=products(folder, tokens, len(words), characters),
        tanhs=tanhs(layers, tokens),
        matrix_rates=matrix_rates(hidden, GATES[cell] * hidden),
        tanh_rates=tanh_rates(hidden),
    )


if __name__ == "__main__":
    main()
