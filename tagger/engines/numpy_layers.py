"""Bidirectional recurrent layers in NumPy over sentences packed by time, both directions advancing together.

Each layer equals its cell in `reference_cells`, looped over a sentence once from either end. What the input adds to
the gates (the projection) is computed apart from the loop, so that it can be kept for words met before. σ is taken as
σ(x) = (tanh(x/2) + 1) / 2, with weights halved beforehand, as one `tanh` over all gates is the fastest way there is.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from functools import cached_property
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from tagger.config import Cell
from tagger.errors import UserError
from tagger.kernels.loader import kernels
from tagger.kernels.packed_weights import Numbers, Packed

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]
_DIRECTIONS = ("", "_reverse")


class RecurrentLayer(ABC):
    """A bidirectional layer of one kind of cell.

    Attributes:
        hidden_size: H, per direction.
        gates: G, how many matrices are stacked in each weight.
    """

    memories: ClassVar[int] = 1  # S, arrays kept from step to step: the hidden state, of an LSTM its cell's too
    scales: ClassVar[tuple[float, ...]]  # of each gate's argument: ½ before a σ, 1 before a tanh
    order: ClassVar[tuple[int, ...]]  # the stored gates in the order in which the step wants them

    def __init__(self, tensors: Mapping[str, Floats], prefix: str) -> None:
        """Take the tensors under `prefix`, named and stacked as PyTorch does."""
        self.hidden_size = tensors[f"{prefix}weight_hh_l0"].shape[1]
        self.gates = len(self.scales)
        recurrent_bias = self._stacked(tensors, f"{prefix}bias_hh_l0")  # (2, GH)
        bias = self._stacked(tensors, f"{prefix}bias_ih_l0") + self._projected_bias(recurrent_bias)
        self._bias = bias.reshape(-1)  # (2GH,)
        from_input = self._stacked(tensors, f"{prefix}weight_ih_l0")  # (2, GH, E)
        self._input = np.ascontiguousarray(from_input.reshape(len(self._bias), -1).T)  # (E, 2GH)
        by_gate = self._stacked(tensors, f"{prefix}weight_hh_l0").reshape(2, self.gates, self.hidden_size, -1)
        self._recurrent = np.ascontiguousarray(by_gate.swapaxes(2, 3))  # (2, G, H, H)

    def _stacked(self, tensors: Mapping[str, Floats], name: str) -> Floats:
        """Both directions' weights, gates scaled and put in order."""
        scales = np.array(self.scales, dtype=np.float32)
        both = np.stack([tensors[f"{name}{direction}"] for direction in _DIRECTIONS])
        by_gate = both.reshape(2, self.gates, self.hidden_size, -1) * scales[:, None, None]
        return by_gate[:, list(self.order)].reshape(both.shape)

    def _projected_bias(self, recurrent_bias: Floats) -> Floats:
        """What of the recurrent bias (2, GH) is simply added to the gates, and so can be part of the projection."""
        return recurrent_bias

    @property
    def row_by_row(self) -> bool:
        """Whether `project` gives a row the same bits whichever others there are."""
        return False

    def project(self, vectors: Floats) -> Numbers:
        """(M, E) → (M, 2GH): what the input adds to the gates, of the forward and then of the backward direction."""
        projections = vectors @ self._input
        projections += self._bias
        return projections

    def run(self, projections: Numbers, rows: Ints, batch_sizes: Ints, backward: Ints) -> Floats:
        """Hidden states (N, 2H) packed by time.

        Args:
            projections: (M, 2GH), as `project` gives them.
            rows: (N,) the row in it of each token.
            batch_sizes: (T,) sentences at each time step.
            backward: (N,) where the token stands in the packed order that the backward direction reads as its k-th.
        """
        hidden, sentences = self.hidden_size, int(batch_sizes[0])
        halves = projections.reshape(-1, self.gates * hidden)  # (2M, GH), forward and backward by turns
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
        """One direction's next time step for n sentences.

        Args:
            direction: 0 forward, 1 backward.
            gates: (G, n, H) what the input adds, gate by gate.
            memory: (S, n, H), to be changed to the new one; the hidden state comes first.
            product: (G, n, H) room to work in.
        """


class ElmanLayer(RecurrentLayer):
    """Layer of `rnn_cell`."""

    scales, order = (1.0,), (0,)

    def _step(self, direction: int, gates: Floats, memory: Floats, product: Floats) -> None:
        np.matmul(memory[0], self._recurrent[direction], out=product)
        product += gates
        np.tanh(product, out=memory)


class GRULayer(RecurrentLayer):
    """Layer of `gru_cell`."""

    fixed: ClassVar[bool] = False  # whether the compiled loops compute it in fixed point
    scales, order = (0.5, 0.5, 1.0), (0, 1, 2)

    def _projected_bias(self, recurrent_bias: Floats) -> Floats:
        candidate = 2 * self.hidden_size
        self._candidate_bias = recurrent_bias[:, candidate:].copy()  # (2, H), which the reset gate scales
        return np.where(np.arange(recurrent_bias.shape[1]) < candidate, recurrent_bias, np.float32(0))

    @property
    def row_by_row(self) -> bool:
        return kernels() is not None

    def project(self, vectors: Floats) -> Numbers:
        if (compiled := kernels()) is None:
            return super().project(vectors)
        from_input, _ = self._packed
        return compiled.gru_projections(from_input, self._bias.reshape(2, 3, -1), vectors)

    def run(self, projections: Numbers, rows: Ints, batch_sizes: Ints, backward: Ints) -> Floats:
        if (compiled := kernels()) is None:
            return super().run(projections, rows, batch_sizes, backward)
        _, recurrent = self._packed
        return compiled.gru_states(recurrent, self._candidate_bias, projections, rows, batch_sizes, backward)

    @cached_property
    def _packed(self) -> tuple[Packed, ...]:
        """The weights of the input and of the state as the compiled loops, which are there, read them."""
        compiled = kernels()
        assert compiled is not None
        from_input = self._input.reshape(-1, 2, 3, self.hidden_size).swapaxes(0, 1)
        recurrent = self._recurrent.swapaxes(1, 2)
        return tuple(Packed.of(weights, compiled.blocks, fixed=self.fixed) for weights in (from_input, recurrent))

    def _step(self, direction: int, gates: Floats, memory: Floats, product: Floats) -> None:
        np.matmul(memory[0], self._recurrent[direction], out=product)
        both, candidate = product[:2], product[2]
        both += gates[:2]
        _finish_sigmoid(both)
        reset, update = both
        candidate += self._candidate_bias[direction]
        candidate *= reset
        candidate += gates[2]
        _update(memory[0], candidate, update)


class FixedPointGRULayer(GRULayer):
    """The same with states, weights and what the input adds to the gates in int16, whose sums are exact.

    A state is stored in steps of 2⁻¹³, an addition in steps of 2⁻¹¹, an input in steps of 2⁻¹³ of the largest in its
    vector. Compiled loops alone compute it.

    Raises:
        UserError: there are none.
    """

    fixed = True

    def __init__(self, tensors: Mapping[str, Floats], prefix: str) -> None:
        if kernels() is None:
            raise UserError(f"precision int16 needs compiled loops, and {kernels.problem}; use fp32")
        super().__init__(tensors, prefix)


class ResetBeforeGRULayer(RecurrentLayer):
    """Layer of `gru_cell_reset_before`."""

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
    """Layer of `lstm_cell`, its gates in the order i, f, o, g."""

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
    """σ(x) in place, from x/2."""
    np.tanh(halved, out=halved)
    halved += 1
    halved *= 0.5


def _update(state: Floats, candidate: Floats, update: Floats) -> None:
    """h' = (1 - z) ⊙ tanh(candidate) + z ⊙ h in place, as n + z (h - n)."""
    np.tanh(candidate, out=candidate)
    state -= candidate
    state *= update
    state += candidate
