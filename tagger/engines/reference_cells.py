"""The recurrent cells as their equations: one time step of each.

Start here to learn what a model computes. These functions are for reading, for tests, and for the page that shows
gates. `numpy_layers` computes the same for many sentences at a time.

    x   (B, E)  inputs of B sentences at this step
    h   (B, H)  hidden state after the step before; zeros at the first step
    h'  (B, H)  new hidden state
    W   (H, E)  weights of the input, of one gate
    U   (H, H)  weights of the state, of one gate
    b, c  (H,)  biases that go with W and U
    σ   the logistic function 1 / (1 + exp(-a))
    ⊙   the product element by element

Two conventions of the GRU are in use. They differ in where the reset gate r acts. Weights trained with one give wrong
results with the other.

- `gru_cell`: r acts after the matrix product. PyTorch, cuDNN, and ONNX with `linear_before_reset=1` compute this. It is
  the cell `gru`, the default.
- `gru_cell_reset_before`: r acts on the state, before the matrix product. Cho et al. 2014 (arXiv:1406.1078), Chung et
  al. 2014 (arXiv:1412.3555), and ONNX with `linear_before_reset=0` compute this. It is the cell `gru_reset_before`.

In both, an update gate z near 1 keeps the past. Some texts swap z and 1 - z: that is the same model with z' = 1 - z.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tagger.tensor_shapes import cell_tensors

Floats = NDArray[np.floating]

NORM_EPSILON = 1e-5  # added to the variance when a layer's output is normalised, as in PyTorch


class CellWeights(NamedTuple):
    """Weights of one direction of a layer. All G gates are stacked: GRU r, z, n; LSTM i, f, g, o, as in PyTorch.

    Attributes:
        input: (GH, E) W of each gate.
        hidden: (GH, H) U of each gate.
        input_bias, hidden_bias: (GH,) b and c of each gate.
    """

    input: Floats
    hidden: Floats
    input_bias: Floats
    hidden_bias: Floats

    def gates(self, count: int) -> list[CellWeights]:
        """Split into (W, U, b, c) of each gate."""
        return [CellWeights(*parts) for parts in zip(*(np.split(stacked, count) for stacked in self), strict=True)]


class GRUStep(NamedTuple):
    """The results of one step of a GRU, each (B, H)."""

    reset: Floats
    update: Floats
    candidate: Floats
    state: Floats


class LSTMStep(NamedTuple):
    """The results of one step of an LSTM, each (B, H)."""

    input: Floats
    forget: Floats
    candidate: Floats
    output: Floats
    memory: Floats
    state: Floats


def rnn_cell(x: Floats, h: Floats, weights: CellWeights) -> Floats:
    """Take one step of Elman's network (Elman 1990, "Finding structure in time").

    h' = tanh(W x + b + U h + c)
    """
    W, U, b, c = weights
    return np.tanh(x @ W.T + b + h @ U.T + c)


def gru_cell(x: Floats, h: Floats, weights: CellWeights) -> GRUStep:
    """Take one step of the GRU with the reset gate after the matrix product.

    r  = σ(W_r x + b_r + U_r h + c_r)              reset gate
    z  = σ(W_z x + b_z + U_z h + c_z)              update gate
    n  = tanh(W_n x + b_n + r ⊙ (U_n h + c_n))     candidate
    h' = (1 - z) ⊙ n + z ⊙ h
    """
    (W_r, U_r, b_r, c_r), (W_z, U_z, b_z, c_z), (W_n, U_n, b_n, c_n) = weights.gates(3)
    r = _sigmoid(x @ W_r.T + b_r + h @ U_r.T + c_r)
    z = _sigmoid(x @ W_z.T + b_z + h @ U_z.T + c_z)
    n = np.tanh(x @ W_n.T + b_n + r * (h @ U_n.T + c_n))
    return GRUStep(reset=r, update=z, candidate=n, state=(1 - z) * n + z * h)


def gru_cell_reset_before(x: Floats, h: Floats, weights: CellWeights) -> GRUStep:
    """Take one step of the GRU with the reset gate before the matrix product (Cho et al. 2014, equations 5 to 8).

    r  = σ(W_r x + b_r + U_r h + c_r)              reset gate
    z  = σ(W_z x + b_z + U_z h + c_z)              update gate
    n  = tanh(W_n x + b_n + U_n (r ⊙ h) + c_n)     candidate
    h' = (1 - z) ⊙ n + z ⊙ h
    """
    (W_r, U_r, b_r, c_r), (W_z, U_z, b_z, c_z), (W_n, U_n, b_n, c_n) = weights.gates(3)
    r = _sigmoid(x @ W_r.T + b_r + h @ U_r.T + c_r)
    z = _sigmoid(x @ W_z.T + b_z + h @ U_z.T + c_z)
    n = np.tanh(x @ W_n.T + b_n + (r * h) @ U_n.T + c_n)
    return GRUStep(reset=r, update=z, candidate=n, state=(1 - z) * n + z * h)


def lstm_cell(x: Floats, h: Floats, m: Floats, weights: CellWeights) -> LSTMStep:
    """Take one step of the LSTM (Hochreiter & Schmidhuber 1997) with a forget gate (Gers et al. 2000), no peepholes.

    i  = σ(W_i x + b_i + U_i h + c_i)              input gate
    f  = σ(W_f x + b_f + U_f h + c_f)              forget gate
    g  = tanh(W_g x + b_g + U_g h + c_g)           candidate
    o  = σ(W_o x + b_o + U_o h + c_o)              output gate
    m' = f ⊙ m + i ⊙ g                             memory, zeros before the first step
    h' = o ⊙ tanh(m')
    """
    (W_i, U_i, b_i, c_i), (W_f, U_f, b_f, c_f), (W_g, U_g, b_g, c_g), (W_o, U_o, b_o, c_o) = weights.gates(4)
    i = _sigmoid(x @ W_i.T + b_i + h @ U_i.T + c_i)
    f = _sigmoid(x @ W_f.T + b_f + h @ U_f.T + c_f)
    g = np.tanh(x @ W_g.T + b_g + h @ U_g.T + c_g)
    o = _sigmoid(x @ W_o.T + b_o + h @ U_o.T + c_o)
    memory = f * m + i * g
    return LSTMStep(input=i, forget=f, candidate=g, output=o, memory=memory, state=o * np.tanh(memory))


def cell_weights(tensors: Mapping[str, Floats], prefix: str) -> tuple[CellWeights, CellWeights]:
    """Return the weights of a bidirectional layer's forward and backward direction.

    Args:
        tensors: a model's weights by name.
        prefix: of the layer's names; see `tensor_shapes`.
    """
    forward, backward = (CellWeights(*(tensors[name] for name in names)) for names in cell_tensors(prefix))
    return forward, backward


def _sigmoid(a: Floats) -> Floats:
    return 0.5 * (np.tanh(0.5 * a) + 1)  # exp(-a) would overflow
