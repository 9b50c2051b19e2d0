"""Compute what every layer of a model does on a sentence: gates, candidates, states, and how long it remembers.

The cells of `engines.reference_cells` run step by step, in double precision, from the stored weights. This is slow but
easy to read. Tests compare it with PyTorch's states and the engine's emissions.

`direction_memory` says how long a state keeps what it has read: products of its keep gate over later words. The state
of a GRU's unit is h_t = (1 - z_t) n_t + z_t h_{t-1}. From the zero state at the start this gives

    h_t = Σ over s ≤ t of (1 - z_s) z_{s+1} z_{s+2} … z_t n_s.

So the state is a weighted mean of the candidates n_s of all words read so far. The weights sum to 1 if the zero state's
weight is included. The same holds for the memory cell of an LSTM, with the forget gate for z and the input gate for
1 - z, but there the weights need not sum to 1. This is the direct way only: a candidate also depends on the states
before it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil

import numpy as np
from numpy.typing import NDArray

from tagger.config import Cell, EncoderConfig
from tagger.engines.reference_cells import (
    NORM_EPSILON,
    CellWeights,
    cell_weights,
    gru_cell,
    gru_cell_reset_before,
    lstm_cell,
    rnn_cell,
)
from tagger.tensor_shapes import EMISSIONS, FEED_FORWARD, layer_prefix, norm_tensors, skip_tensor

Floats = NDArray[np.floating]
Doubles = NDArray[np.float64]
KEEP_GATES: dict[Cell, str | None] = {"gru": "update", "gru_reset_before": "update", "lstm": "forget", "rnn": None}
LONGEST = 0.1  # the share of units that counts as slow
_GRU_CELLS = {"gru": gru_cell, "gru_reset_before": gru_cell_reset_before}


@dataclass(frozen=True)
class LayerTrace:
    """Trace of a bidirectional layer.

    Attributes:
        forward, backward: values of each direction by name, (T, H). Both are in the order of the tokens.
            GRU: reset, update, candidate, state. LSTM: input, forget, candidate, output, memory, state. RNN: state.
    """

    cell: Cell
    forward: Mapping[str, Floats]
    backward: Mapping[str, Floats]

    @property
    def directions(self) -> dict[str, Mapping[str, Floats]]:
        return {"forward": self.forward, "backward": self.backward}


@dataclass(frozen=True)
class Trace:
    """Trace of a sentence through the layers, in order, and its emissions (T, K)."""

    layers: Sequence[LayerTrace]
    emissions: Doubles


def trace(vectors: Floats, config: EncoderConfig, tensors: Mapping[str, Floats]) -> Trace:
    """Run a sentence through encoder and emissions. `vectors` are (T, E) embeddings of its words, T at least 1.

    `tensors` has the model's weights, by the names of `TaggerModel.state_dict()`.
    """
    weights = {name: tensor.astype(np.float64) for name, tensor in tensors.items() if not name.startswith("embed")}
    values = vectors.astype(np.float64)
    if config.feed_forward:
        values = _feed_forward(values, weights)
    layers = []
    for number, layer in enumerate(config.stack):
        rightward, leftward = cell_weights(weights, layer_prefix(number))
        forward = run_direction(layer.cell, values, rightward)
        backward = run_direction(layer.cell, values[::-1], leftward)
        backward = {what: array[::-1] for what, array in backward.items()}
        values = _layer_output(values, forward["state"], backward["state"], config, number, weights)
        layers.append(LayerTrace(layer.cell, forward, backward))
    return Trace(layers, values @ weights[EMISSIONS.weight].T + weights[EMISSIONS.bias])


def run_direction(cell: Cell, values: Doubles, weights: CellWeights) -> dict[str, Floats]:
    """Run one direction over (T, E) values in the order of reading, from zero states. Return (T, H) values by name."""
    state: Floats = np.zeros((1, weights.hidden.shape[1]))
    memory = state
    steps: list[dict[str, Floats]] = []
    for value in values[:, None]:  # (1, E)
        if cell == "rnn":
            found = {"state": rnn_cell(value, state, weights)}
        elif cell == "lstm":
            found = lstm_cell(value, state, memory, weights)._asdict()
            memory = found["memory"]
        else:
            found = _GRU_CELLS[cell](value, state, weights)._asdict()
        state = found["state"]
        steps.append(found)
    return {name: np.concatenate([step[name] for step in steps]) for name in steps[0]}


@dataclass(frozen=True)
class Memory:
    """Shares of each word s (row) that are left at each word t (column), (T, T). Zero where t was read before s.

    Attributes:
        kept: product of the keep gate over the words read after s up to t, mean over the units; 1 where t is s.
        kept_longest: the same, mean over the tenth of the units that keep most there.
        share: weight of s's candidate in the state at t, mean over the units.
    """

    kept: Doubles
    kept_longest: Doubles
    share: Doubles

    def by_distance(self) -> Doubles:
        """Average `kept` over all pairs of words at each distance: (T,)."""
        later, earlier = self.kept.diagonal, self.kept.T.diagonal  # one of the two is zero in either direction
        return np.array([(later(gap) + (earlier(gap) if gap else 0)).mean() for gap in range(len(self.kept))])


def direction_memory(gates: Mapping[str, Floats], *, backward: bool) -> Memory | None:
    """Compute the memory of one direction of a layer. Return None for a cell without a keep gate.

    `gates` has the values of the direction, as in `LayerTrace`.
    """
    if "update" in gates:
        keep, write = gates["update"], 1 - gates["update"]
    elif "forget" in gates:
        keep, write = gates["forget"], gates["input"]
    else:
        return None
    if backward:
        keep, write = keep[::-1], write[::-1]
    longest = ceil(LONGEST * keep.shape[1])
    tables = np.zeros((3, len(keep), len(keep)))
    for word in range(len(keep)):
        left = np.cumprod(np.concatenate([np.ones_like(keep[:1]), keep[word + 1 :]]), axis=0)  # (T - word, H)
        of_longest = np.sort(left, axis=1)[:, -longest:]
        means = left.mean(axis=1), of_longest.mean(axis=1), (left * write[word]).mean(axis=1)
        tables[:, word, word:] = means
    return Memory(*(tables[:, ::-1, ::-1] if backward else tables))


def _feed_forward(values: Doubles, weights: Mapping[str, Doubles]) -> Doubles:
    """Linear, GELU in its tanh form (Hendrycks & Gimpel 2016), Linear: (T, E) → (T, F)."""
    inner, outer = FEED_FORWARD
    x = values @ weights[inner.weight].T + weights[inner.bias]
    gelu = 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))
    return gelu @ weights[outer.weight].T + weights[outer.bias]


def _layer_output(
    values: Doubles,
    forward: Floats,
    backward: Floats,
    config: EncoderConfig,
    number: int,
    weights: Mapping[str, Doubles],
) -> Doubles:
    """Compute a layer's output (T, W) from its inputs and states: merge, normalisation, skip connection."""
    if config.merge == "concat":
        output = np.concatenate([forward, backward], axis=1)
    else:
        output = (forward + backward) * (0.5 if config.merge == "mean" else 1)
    if config.layer_norm:
        deviation = np.sqrt(output.var(axis=1, keepdims=True) + NORM_EPSILON)
        output = (output - output.mean(axis=1, keepdims=True)) / deviation
        scale, shift = (weights[name] for name in norm_tensors(number))
        output = output * scale + shift
    if not config.skip:
        return output
    skip = weights.get(skip_tensor(number))  # none where the widths are equal
    return output + (values if skip is None else values @ skip.T)
