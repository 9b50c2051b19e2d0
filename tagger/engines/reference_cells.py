"""The recurrent cells written out: one time step as in the equations.

`rnn_cell` is Elman's, `lstm_cell` the LSTM with a forget gate. Of the GRU two conventions are in use. They differ in
where the reset gate acts, and a model trained with one gives other results with the other:

- `gru_cell`, PyTorch's, cuDNN's and ONNX's with `linear_before_reset=1`: the reset gate scales the recurrent matrix
  product. This is the cell `gru`, which the models here have unless told otherwise.
- `gru_cell_reset_before`, of Cho et al. 2014 (arXiv:1406.1078) and Chung et al. 2014 (arXiv:1412.3555), ONNX with
  `linear_before_reset=0`: the reset gate scales the state before the product. This is the cell `gru_reset_before`.

In both, the update gate z near 1 keeps the past: h' = (1 - z) ⊙ n + z ⊙ h. Texts that weigh the other way round
describe the same model with z' = 1 - z.

These are for reading and for tests; `numpy_layers` computes the same, many sentences at a time.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]

NORM_EPSILON = 1e-5  # added to the variance where a layer's output is normalised; PyTorch's


class CellWeights(NamedTuple):
    """Weights of one direction of one layer, its G gates stacked as PyTorch does: GRU r, z, n; LSTM i, f, g, o.

    Attributes:
        input: (GH, E), W in the equations.
        hidden: (GH, H), U in the equations.
        input_bias, hidden_bias: (GH,), b and c in the equations.
    """

    input: Floats
    hidden: Floats
    input_bias: Floats
    hidden_bias: Floats


class GRUStep(NamedTuple):
    """What one step of a GRU computes: gates, candidate and new state, each (B, H)."""

    reset: Floats
    update: Floats
    candidate: Floats
    state: Floats


class LSTMStep(NamedTuple):
    """What one step of an LSTM computes: gates, candidate, new memory and new state, each (B, H)."""

    input: Floats
    forget: Floats
    candidate: Floats
    output: Floats
    memory: Floats
    state: Floats


def rnn_cell(inputs: Floats, state: Floats, weights: CellWeights) -> Floats:
    """One step of Elman's network (Elman 1990, "Finding structure in time"), with tanh: the new state, (B, H).

    h' = tanh(W x + b + U h + c).

    Args:
        inputs: (B, E) x at this step.
        state: (B, H) h of the step before; zeros at the first.
    """
    from_input = inputs @ weights.input.T + weights.input_bias
    return np.tanh(from_input + state @ weights.hidden.T + weights.hidden_bias)


def lstm_cell(inputs: Floats, state: Floats, memory: Floats, weights: CellWeights) -> LSTMStep:
    """One step of the LSTM (Hochreiter & Schmidhuber 1997) with a forget gate (Gers et al. 2000), without peepholes.

    i = σ(W_i x + b_i + U_i h + c_i), f = σ(W_f x + b_f + U_f h + c_f), g = tanh(W_g x + b_g + U_g h + c_g),
    o = σ(W_o x + b_o + U_o h + c_o), m' = f ⊙ m + i ⊙ g, h' = o ⊙ tanh(m').

    Args:
        inputs: (B, E) x at this step.
        state, memory: (B, H) h and m of the step before; zeros at the first.
    """
    from_input = inputs @ weights.input.T + weights.input_bias
    gates = np.split(from_input + state @ weights.hidden.T + weights.hidden_bias, 4, axis=1)
    into, forget, output = _sigmoid(gates[0]), _sigmoid(gates[1]), _sigmoid(gates[3])
    candidate = np.tanh(gates[2])
    kept = forget * memory + into * candidate
    return LSTMStep(into, forget, candidate, output, kept, output * np.tanh(kept))


def gru_cell(inputs: Floats, state: Floats, weights: CellWeights) -> GRUStep:
    """One step of the GRU with the reset gate after the matrix product.

    r = σ(W_r x + b_r + U_r h + c_r), z = σ(W_z x + b_z + U_z h + c_z),
    n = tanh(W_n x + b_n + r ⊙ (U_n h + c_n)), h' = (1 - z) ⊙ n + z ⊙ h.

    Args:
        inputs: (B, E) x at this step.
        state: (B, H) h of the step before; zeros at the first.
    """
    from_input = np.split(inputs @ weights.input.T + weights.input_bias, 3, axis=1)
    from_state = np.split(state @ weights.hidden.T + weights.hidden_bias, 3, axis=1)
    reset = _sigmoid(from_input[0] + from_state[0])
    update = _sigmoid(from_input[1] + from_state[1])
    candidate = np.tanh(from_input[2] + reset * from_state[2])
    return GRUStep(reset, update, candidate, (1 - update) * candidate + update * state)


def gru_cell_reset_before(inputs: Floats, state: Floats, weights: CellWeights) -> GRUStep:
    """One step of the GRU with the reset gate before the matrix product (Cho et al. 2014, equations 5 to 8).

    r and z as in `gru_cell`; n = tanh(W_n x + b_n + U_n (r ⊙ h) + c_n), h' = (1 - z) ⊙ n + z ⊙ h.

    Args:
        inputs: (B, E) x at this step.
        state: (B, H) h of the step before; zeros at the first.
    """
    from_input = np.split(inputs @ weights.input.T + weights.input_bias, 3, axis=1)
    hidden, bias = np.split(weights.hidden, 3), np.split(weights.hidden_bias, 3)
    reset = _sigmoid(from_input[0] + state @ hidden[0].T + bias[0])
    update = _sigmoid(from_input[1] + state @ hidden[1].T + bias[1])
    candidate = np.tanh(from_input[2] + (reset * state) @ hidden[2].T + bias[2])
    return GRUStep(reset, update, candidate, (1 - update) * candidate + update * state)


def _sigmoid(values: Floats) -> Floats:
    return 0.5 * (np.tanh(0.5 * values) + 1)
