"""Bidirectional recurrent layers in NumPy over sentences packed by time, both directions advancing together.

Each layer equals the cell of its name in `cells`, looped over a sentence once from either end. What the input adds to
the gates (the projection) is computed apart from the loop, so that it can be kept for words met before. σ is taken as
σ(x) = (tanh(x/2) + 1) / 2, with weights halved beforehand, as one `tanh` over all gates is the fastest way there is.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from tagger.config import Cell

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]
_DIRECTIONS = ("", "_reverse")


class RecurrentLayer(ABC):
    """A bidirectional layer of one kind of cell.

    Attributes:
        hidden_size: H, per direction.
        gates: G, how many matrices are stacked in each weight.
    """

    scales: ClassVar[tuple[float, ...]]  # of each gate's argument: ½ before a σ, 1 before a tanh
    order: ClassVar[tuple[int, ...]]  # the stored gates in the order in which the step wants them

    def __init__(self, tensors: Mapping[str, Floats], prefix: str) -> None:
        """Take the tensors under `prefix`, named and stacked as PyTorch does."""
        self.hidden_size = tensors[f"{prefix}weight_hh_l0"].shape[1]
        self.gates = len(self.scales)
        recurrent_bias = self._stacked(tensors, f"{prefix}bias_hh_l0")  # (2, GH)
        self._bias = self._stacked(tensors, f"{prefix}bias_ih_l0")[:, None]  # (2, 1, GH)
        self._bias += self._projected_bias(recurrent_bias)[:, None]
        self._input = self._transposed(tensors, f"{prefix}weight_ih_l0")  # (2, E, GH)
        self._recurrent = self._transposed(tensors, f"{prefix}weight_hh_l0")  # (2, H, GH)

    def _stacked(self, tensors: Mapping[str, Floats], name: str) -> Floats:
        """Both directions' weights, gates scaled and put in order."""
        scales = np.array(self.scales, dtype=np.float32)
        both = np.stack([tensors[f"{name}{direction}"] for direction in _DIRECTIONS])
        by_gate = both.reshape(2, self.gates, self.hidden_size, -1) * scales[:, None, None]
        return by_gate[:, list(self.order)].reshape(both.shape)

    def _transposed(self, tensors: Mapping[str, Floats], name: str) -> Floats:
        return np.ascontiguousarray(self._stacked(tensors, name).swapaxes(1, 2))

    def _projected_bias(self, recurrent_bias: Floats) -> Floats:
        """What of the recurrent bias (2, GH) is simply added to the gates, and so can be part of the projection."""
        return recurrent_bias

    def project(self, vectors: Floats) -> Floats:
        """(M, E) → (2, M, GH)."""
        return vectors @ self._input + self._bias

    def run(
        self, projections: Sequence[Floats] | Floats, forward: Ints, backward: Ints, running: Ints, positions: Ints
    ) -> Floats:
        """Hidden states (N, 2H) packed by time.

        Args:
            projections: (M, GH) for either direction.
            forward, backward: (N,) the row of `projections` that each direction reads, in the order it reads.
            running: (T,) sentences at each time step.
            positions: (N,) where in the packed order the backward direction's k-th reading stands.
        """
        hidden, sentences = self.hidden_size, int(running[0])
        states = np.empty((len(forward), 2 * hidden), dtype=np.float32)
        reversed_states = np.empty((len(forward), hidden), dtype=np.float32)
        state = np.zeros((2, sentences, hidden), dtype=np.float32)
        inputs = np.empty((2, sentences, self.gates * hidden), dtype=np.float32)
        room = self._room(sentences)
        done = 0
        for count in running.tolist():
            gates, old = inputs[:, :count], state[:, :count]
            now = slice(done, done + count)
            np.take(projections[0], forward[now], axis=0, out=gates[0], mode="clip")
            np.take(projections[1], backward[now], axis=0, out=gates[1], mode="clip")
            self._step(gates, old, *(array[:, :count] for array in room))
            states[now, :hidden] = old[0]
            reversed_states[now] = old[1]
            done += count
        states[positions, hidden:] = reversed_states
        return states

    def _room(self, sentences: int) -> tuple[Floats, ...]:
        """The arrays (2, B, …) that `_step` works in besides gates and state; the first is for h U."""
        return (np.empty((2, sentences, self.gates * self.hidden_size), dtype=np.float32),)

    def _multiply(self, state: Floats, out: Floats) -> None:
        """h U of both directions, (2, n, GH)."""
        for direction in (0, 1):
            np.matmul(state[direction], self._recurrent[direction], out=out[direction])

    @abstractmethod
    def _step(self, gates: Floats, state: Floats, *room: Floats) -> None:
        """Advance `state` (2, n, H) in place, from the projections `gates` (2, n, GH), which may be written over."""


class ElmanLayer(RecurrentLayer):
    """Layer of `rnn_cell`."""

    scales, order = (1.0,), (0,)

    def _step(self, gates: Floats, state: Floats, *room: Floats) -> None:
        (product,) = room
        self._multiply(state, product)
        gates += product
        np.tanh(gates, out=state)


class GRULayer(RecurrentLayer):
    """Layer of `gru_cell`."""

    scales, order = (0.5, 0.5, 1.0), (0, 1, 2)

    def _projected_bias(self, recurrent_bias: Floats) -> Floats:
        candidate = 2 * self.hidden_size
        self._candidate_bias = recurrent_bias[:, None, candidate:].copy()  # (2, 1, H), which the reset gate scales
        return np.where(np.arange(recurrent_bias.shape[1]) < candidate, recurrent_bias, np.float32(0))

    def _step(self, gates: Floats, state: Floats, *room: Floats) -> None:
        (product,) = room
        self._multiply(state, product)
        hidden = self.hidden_size
        both, candidate = gates[:, :, : 2 * hidden], gates[:, :, 2 * hidden :]
        both += product[:, :, : 2 * hidden]
        _finish_sigmoid(both)
        from_state = product[:, :, 2 * hidden :]
        from_state += self._candidate_bias
        from_state *= both[:, :, :hidden]
        candidate += from_state
        _update(state, candidate, both[:, :, hidden:])


class ResetBeforeGRULayer(RecurrentLayer):
    """Layer of `gru_cell_reset_before`."""

    scales, order = (0.5, 0.5, 1.0), (0, 1, 2)

    def __init__(self, tensors: Mapping[str, Floats], prefix: str) -> None:
        super().__init__(tensors, prefix)
        both, candidate = np.split(self._recurrent, [2 * self.hidden_size], axis=2)
        self._recurrent = np.ascontiguousarray(both)  # (2, H, 2H)
        self._for_candidate = np.ascontiguousarray(candidate)  # (2, H, H)

    def _room(self, sentences: int) -> tuple[Floats, ...]:
        widths = (2 * self.hidden_size, self.hidden_size)
        return tuple(np.empty((2, sentences, width), dtype=np.float32) for width in widths)

    def _step(self, gates: Floats, state: Floats, *room: Floats) -> None:
        product, from_state = room
        self._multiply(state, product)
        hidden = self.hidden_size
        both, candidate = gates[:, :, : 2 * hidden], gates[:, :, 2 * hidden :]
        both += product
        _finish_sigmoid(both)
        reset = both[:, :, :hidden]
        reset *= state
        for direction in (0, 1):
            np.matmul(reset[direction], self._for_candidate[direction], out=from_state[direction])
        candidate += from_state
        _update(state, candidate, both[:, :, hidden:])


class LSTMLayer(RecurrentLayer):
    """Layer of `lstm_cell`, its gates in the order i, f, o, g."""

    scales, order = (0.5, 0.5, 1.0, 0.5), (0, 1, 3, 2)

    def _room(self, sentences: int) -> tuple[Floats, ...]:
        memory = np.zeros((2, sentences, self.hidden_size), dtype=np.float32)
        return (*super()._room(sentences), memory)

    def _step(self, gates: Floats, state: Floats, *room: Floats) -> None:
        product, memory = room
        self._multiply(state, product)
        gates += product
        hidden = self.hidden_size
        sigmoids, candidate = gates[:, :, : 3 * hidden], gates[:, :, 3 * hidden :]
        _finish_sigmoid(sigmoids)
        np.tanh(candidate, out=candidate)
        memory *= sigmoids[:, :, hidden : 2 * hidden]
        candidate *= sigmoids[:, :, :hidden]
        memory += candidate
        np.tanh(memory, out=state)
        state *= sigmoids[:, :, 2 * hidden :]


LAYERS: dict[Cell, type[RecurrentLayer]] = {
    "rnn": ElmanLayer,
    "gru": GRULayer,
    "lstm": LSTMLayer,
    "gru_reset_before": ResetBeforeGRULayer,
}


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
