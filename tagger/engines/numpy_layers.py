"""Bidirectional recurrent layers in NumPy, over sentences packed by time.

A layer computes the same as its cell in `reference_cells`, looped over a sentence once from either end. Both directions
advance together, many sentences at a time. What the input adds to the gates (the projection) is computed before the
loop, so that it can be cached per word.

σ is computed as σ(x) = (tanh(x/2) + 1) / 2, with weights halved when the layer is made: one `tanh` over all gates is
the fastest in NumPy.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from tagger.config import Cell
from tagger.engines.reference_cells import cell_weights
from tagger.errors import UserError
from tagger.kernels.loader import kernels
from tagger.kernels.packed_weights import Numbers, Packed

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]


class RecurrentLayer(ABC):
    """A bidirectional layer of one kind of cell.

    Attributes:
        hidden_size: H, per direction.
        gates: G, how many matrices are stacked in each weight.
    """

    memories: ClassVar[int] = 1  # S, arrays kept from step to step: the hidden state, and an LSTM's memory
    scales: ClassVar[tuple[float, ...]]  # factor of each gate's argument: ½ before a σ, 1 before a tanh
    order: ClassVar[tuple[int, ...]]  # the stored gates in the order in which `_step` reads them

    def __init__(self, tensors: Mapping[str, Floats], prefix: str) -> None:
        """Take a model's weights, and the prefix of this layer's names among them; see `tensor_shapes`."""
        forward, backward = cell_weights(tensors, prefix)
        self.hidden_size = forward.hidden.shape[1]
        self.gates = len(self.scales)
        hidden_bias = self._stacked(forward.hidden_bias, backward.hidden_bias)  # (2, GH)
        bias = self._stacked(forward.input_bias, backward.input_bias) + self._projected_bias(hidden_bias)
        self._bias = bias.reshape(-1)  # (2GH,)
        from_input = self._stacked(forward.input, backward.input)  # (2, GH, E)
        self._input = np.ascontiguousarray(from_input.reshape(len(self._bias), -1).T)  # (E, 2GH)
        hidden = self._stacked(forward.hidden, backward.hidden)  # (2, GH, H)
        by_gate = hidden.reshape(2, self.gates, self.hidden_size, self.hidden_size)
        self._recurrent = np.ascontiguousarray(by_gate.swapaxes(2, 3))  # (2, G, H, H)

    def _stacked(self, forward: Floats, backward: Floats) -> Floats:
        """Stack both directions' weights (GH, …), with their gates scaled and in the order of the step."""
        scales = np.array(self.scales, dtype=np.float32)
        both = np.stack([forward, backward])
        by_gate = both.reshape(2, self.gates, self.hidden_size, -1) * scales[:, None, None]
        return by_gate[:, list(self.order)].reshape(both.shape)

    def _projected_bias(self, hidden_bias: Floats) -> Floats:
        """Return the part of the hidden bias (2, GH) that is added to the gates before any product with a gate."""
        return hidden_bias

    def project(self, vectors: Floats) -> Numbers:
        """Compute what the input adds to the gates: (…, E) → (…, 2GH), forward direction first."""
        projections = vectors @ self._input
        projections += self._bias
        return projections

    def run(self, projections: Numbers, rows: Ints, batch_sizes: Ints, backward: Ints) -> Floats:
        """Compute the hidden states (N, 2H), packed by time.

        Args:
            projections: (M, 2GH), from `project`.
            rows: (N,) each token's row in `projections`.
            batch_sizes: (T,) sentences at each time step.
            backward: (N,) the packed position of the token that the backward direction reads as its k-th.
        """
        hidden, sentences = self.hidden_size, int(batch_sizes[0])
        halves = projections.reshape(-1, self.gates * hidden)  # (2M, GH), forward and backward alternate
        reading = np.stack([2 * rows, 2 * rows[backward] + 1])  # (2, N)
        states = np.empty((len(rows), 2 * hidden), dtype=np.float32)
        reversed_states = np.empty((len(rows), hidden), dtype=np.float32)
        memory = np.zeros((2, self.memories, sentences, hidden), dtype=np.float32)
        gates = np.empty((sentences, self.gates * hidden), dtype=np.float32)
        product = np.empty((self.gates, sentences, hidden), dtype=np.float32)
        done = 0
        for count in batch_sizes.tolist():
            now = slice(done, done + count)
            read = gates[:count]
            by_gate = read.reshape(count, self.gates, hidden).swapaxes(0, 1)
            for direction in (0, 1):
                np.take(halves, reading[direction, now], axis=0, out=read, mode="clip")
                self._step(direction, by_gate, memory[direction, :, :count], product[:, :count])
            states[now, :hidden] = memory[0, 0, :count]
            reversed_states[now] = memory[1, 0, :count]
            done += count
        states[backward, hidden:] = reversed_states
        return states

    @abstractmethod
    def _step(self, direction: int, gates: Floats, memory: Floats, product: Floats) -> None:
        """Take one direction's next time step for n sentences.

        Args:
            direction: 0 forward, 1 backward.
            gates: (G, n, H) what the input adds, gate by gate.
            memory: (S, n, H) overwritten with the new one. The hidden state comes first.
            product: (G, n, H) scratch space.
        """


class ElmanLayer(RecurrentLayer):
    """A layer of `rnn_cell`."""

    scales, order = (1.0,), (0,)

    def _step(self, direction: int, gates: Floats, memory: Floats, product: Floats) -> None:
        np.matmul(memory[0], self._recurrent[direction], out=product)
        product += gates
        np.tanh(product, out=memory)


class GRULayer(RecurrentLayer):
    """A layer of `gru_cell`."""

    fixed: ClassVar[bool] = False  # True: the compiled loops compute in fixed point
    scales, order = (0.5, 0.5, 1.0), (0, 1, 2)

    def __init__(self, tensors: Mapping[str, Floats], prefix: str, *, independent: bool = False) -> None:
        """With `independent`, a state's bits do not depend on the sentences beside it. Slow if H is large."""
        super().__init__(tensors, prefix)
        self._independent = independent
        self._compiled = kernels()
        if self._compiled is not None:
            from_input = self._input.reshape(-1, 2, 3, self.hidden_size).swapaxes(0, 1)
            blocks = self._compiled.blocks
            self._packed_input = Packed.of(from_input, blocks, fixed=self.fixed)
            self._packed_recurrent = Packed.of(self._recurrent.swapaxes(1, 2), blocks, fixed=self.fixed)

    def _projected_bias(self, hidden_bias: Floats) -> Floats:
        candidate = 2 * self.hidden_size
        self._candidate_bias = hidden_bias[:, candidate:].copy()  # (2, H), multiplied by the reset gate
        return np.where(np.arange(hidden_bias.shape[1]) < candidate, hidden_bias, np.float32(0))

    def project(self, vectors: Floats) -> Numbers:
        if self._compiled is None:
            return super().project(vectors)
        rows = vectors.reshape(-1, vectors.shape[-1])
        projections = self._compiled.gru_projections(self._packed_input, self._bias.reshape(2, 3, -1), rows)
        return projections.reshape(*vectors.shape[:-1], projections.shape[1])

    def run(self, projections: Numbers, rows: Ints, batch_sizes: Ints, backward: Ints) -> Floats:
        if self._compiled is None:
            return super().run(projections, rows, batch_sizes, backward)
        weights, bias = self._packed_recurrent, self._candidate_bias
        return self._compiled.gru_states(weights, bias, projections, rows, batch_sizes, backward)

    def _step(self, direction: int, gates: Floats, memory: Floats, product: Floats) -> None:
        state, weights = memory[0], self._recurrent[direction]
        if self._independent:
            np.matmul(state[:, None], weights[:, None], out=product[:, :, None])  # one product per sentence
        else:
            np.matmul(state, weights, out=product)
        both, candidate = product[:2], product[2]
        both += gates[:2]
        _finish_sigmoid(both)
        reset, update = both
        candidate += self._candidate_bias[direction]
        candidate *= reset
        candidate += gates[2]
        _update(memory[0], candidate, update)


class FixedPointGRULayer(GRULayer):
    """A layer of `gru_cell` in fixed point: states, weights and projections are int16, and their sums are exact.

    A state has steps of 2⁻¹³, a projection steps of 2⁻¹¹, an input steps of 2⁻¹³ of the largest number in its vector.

    Raises:
        UserError: there are no compiled loops, which alone can compute this.
    """

    fixed = True

    def __init__(self, tensors: Mapping[str, Floats], prefix: str) -> None:
        if kernels() is None:
            raise UserError(f"precision int16 needs compiled loops, and {kernels.problem}; use fp32")
        super().__init__(tensors, prefix)


class ResetBeforeGRULayer(RecurrentLayer):
    """A layer of `gru_cell_reset_before`."""

    scales, order = (0.5, 0.5, 1.0), (0, 1, 2)

    def _step(self, direction: int, gates: Floats, memory: Floats, product: Floats) -> None:
        (state,), weights = memory, self._recurrent[direction]
        both, candidate = product[:2], product[2]
        np.matmul(state, weights[:2], out=both)
        both += gates[:2]
        _finish_sigmoid(both)
        reset, update = both
        reset *= state
        np.matmul(reset, weights[2], out=candidate)
        candidate += gates[2]
        _update(state, candidate, update)


class LSTMLayer(RecurrentLayer):
    """A layer of `lstm_cell`, with its gates in the order i, f, o, g."""

    scales, order = (0.5, 0.5, 1.0, 0.5), (0, 1, 3, 2)
    memories = 2

    def _step(self, direction: int, gates: Floats, memory: Floats, product: Floats) -> None:
        state, cell = memory
        np.matmul(state, self._recurrent[direction], out=product)
        product += gates
        sigmoids, candidate = product[:3], product[3]
        _finish_sigmoid(sigmoids)
        into, forget, output = sigmoids
        np.tanh(candidate, out=candidate)
        cell *= forget
        candidate *= into
        cell += candidate
        np.tanh(cell, out=state)
        state *= output


LAYERS: dict[Cell, type[RecurrentLayer]] = {
    "rnn": ElmanLayer,
    "gru": GRULayer,
    "lstm": LSTMLayer,
    "gru_reset_before": ResetBeforeGRULayer,
}
FIXED_POINT: dict[Cell, type[RecurrentLayer]] = {"gru": FixedPointGRULayer}


def _finish_sigmoid(halved: Floats) -> None:
    """Compute σ(x) in place, from x/2."""
    np.tanh(halved, out=halved)
    halved += 1
    halved *= 0.5


def _update(state: Floats, candidate: Floats, update: Floats) -> None:
    """Compute h' = (1 - z) ⊙ n + z ⊙ h in place, with n = tanh(candidate), as n + z ⊙ (h - n)."""
    np.tanh(candidate, out=candidate)
    state -= candidate
    state *= update
    state += candidate
