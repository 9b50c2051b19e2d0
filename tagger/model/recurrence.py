"""Recurrent layers over packed sequences: PyTorch's own, and the one that it lacks."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from tagger.config import GATES, Cell
from tagger.features.batching import reversed_positions

_DIRECTIONS = ("", "_reverse")


def bidirectional(cell: Cell, input_width: int, hidden_size: int) -> nn.Module:
    """A bidirectional layer, batch first, initialised: E → 2H values per token; the equations are in `inference.cells`.

    Input weights are drawn after Glorot & Bengio 2010, recurrent ones orthogonal (Saxe et al. 2014,
    arXiv:1312.6120), each gate for itself; biases are zero, but for the LSTM's forget gate, 1 (Jozefowicz et al. 2015).
    """
    own = {"rnn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}
    if cell in own:
        layer = own[cell](input_width, hidden_size, batch_first=True, bidirectional=True)
    else:
        layer = ResetBeforeGRU(input_width, hidden_size)
    for name, parameter in layer.named_parameters():
        if "weight_hh" in name:
            for gate in parameter.chunk(GATES[cell]):
                nn.init.orthogonal_(gate)
        elif "weight_ih" in name:
            for gate in parameter.chunk(GATES[cell]):
                nn.init.xavier_uniform_(gate)
        else:
            nn.init.zeros_(parameter)
            if cell == "lstm" and "bias_ih" in name:  # one of two biases that are added
                nn.init.ones_(parameter.chunk(GATES[cell])[1])
    return layer


class ResetBeforeGRU(nn.Module):
    """A bidirectional GRU whose reset gate acts before the matrix product (Cho et al. 2014, arXiv:1406.1078).

    Parameters are named and shaped as `nn.GRU`'s, and it is called like one with `batch_first=True`. A step works on
    both directions of the sentences that are still running.
    """

    def __init__(self, input_width: int, hidden_size: int) -> None:
        super().__init__()
        self.hidden_size = hidden_size
        for direction in _DIRECTIONS:
            self.register_parameter(f"weight_ih_l0{direction}", _parameter(3 * hidden_size, input_width))
            self.register_parameter(f"weight_hh_l0{direction}", _parameter(3 * hidden_size, hidden_size))
            self.register_parameter(f"bias_ih_l0{direction}", _parameter(3 * hidden_size))
            self.register_parameter(f"bias_hh_l0{direction}", _parameter(3 * hidden_size))

    def forward(self, inputs: PackedSequence | Tensor) -> tuple[PackedSequence | Tensor, None]:
        """Hidden states of both directions, packed where the inputs are.

        Args:
            inputs: (B, T, E) sentences of one length, or packed sentences, longest first.

        Returns:
            (B, T, 2H), or packed; and None, where PyTorch's layers give their last states.
        """
        if isinstance(inputs, PackedSequence):
            states = self._run(inputs.data, inputs.batch_sizes)
            return PackedSequence(states, inputs.batch_sizes, inputs.sorted_indices, inputs.unsorted_indices), None
        sentences, steps, _ = inputs.shape
        packed = self._run(inputs.transpose(0, 1).flatten(0, 1), torch.full((steps,), sentences))
        return packed.unflatten(0, (steps, sentences)).transpose(0, 1), None

    def _run(self, values: Tensor, running: Tensor) -> Tensor:
        """(N, E) packed by time → (N, 2H); `running` (T,) on the CPU counts the sentences at each step."""
        backward = torch.from_numpy(reversed_positions(running.numpy())).to(values.device)
        # in both products the recurrent bias stands outside what r scales: it can be added here, to all steps at once
        read = torch.stack([values, values[backward]])  # (2, N, E)
        projected = torch.baddbmm(self._both("bias_ih") + self._both("bias_hh"), read, self._both("weight_ih"))
        recurrent = self._both("weight_hh")  # (2, H, 3H)
        for_gates, for_candidate = recurrent.split([2 * self.hidden_size, self.hidden_size], dim=2)
        sizes = running.tolist()
        state = values.new_zeros(2, sizes[0], self.hidden_size)
        states = []
        for count, now in zip(sizes, projected.split(sizes, dim=1), strict=True):  # (2, n, 3H)
            state = state[:, :count]
            from_input, candidate = now.split([2 * self.hidden_size, self.hidden_size], dim=2)
            reset, update = torch.sigmoid(from_input + state @ for_gates).chunk(2, dim=2)
            candidate = torch.tanh(candidate + (reset * state) @ for_candidate)
            state = candidate + update * (state - candidate)
            states.append(state)
        forward, reverse = torch.cat(states, dim=1).unbind()  # (N, H)
        return torch.cat([forward, reverse[backward]], dim=1)

    def _both(self, name: str) -> Tensor:
        """Both directions' weights (2, E or H, 3H) or biases (2, 1, 3H)."""
        stacked = torch.stack([self.get_parameter(f"{name}_l0{direction}") for direction in _DIRECTIONS])
        return stacked.transpose(1, 2) if name.startswith("weight") else stacked.unsqueeze(1)


def _parameter(*shape: int) -> nn.Parameter:
    return nn.Parameter(torch.zeros(shape))
