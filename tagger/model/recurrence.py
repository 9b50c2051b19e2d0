"""Recurrent layers over packed sequences: PyTorch's own, a faster GRU on a CPU, and the GRU that PyTorch lacks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from tagger.config import GATES, Cell
from tagger.model.packed_gru import Order, ResetAfter, ResetBefore
from tagger.shared_state import ProcessSetting
from tagger.tensor_shapes import layer_shapes


def bidirectional(cell: Cell, input_width: int, hidden_size: int, frozen: int = 0) -> nn.Module:
    """Make and initialise a bidirectional layer, batch first: E → 2H values per token; see `engines.reference_cells`.

    Input weights are drawn after Glorot & Bengio 2010, recurrent weights are orthogonal (Saxe et al. 2014,
    arXiv:1312.6120), both for each gate separately. Biases are zero, but 1 for the LSTM's forget gate (Jozefowicz et
    al. 2015).

    Args:
        cell: the kind of layer.
        input_width, hidden_size: E and H.
        frozen: number of last values among the E that need no gradient. Some layers save work by it.
    """
    layer: nn.Module
    if cell == "gru":
        layer = PackedGRU(input_width, hidden_size, frozen)
    elif cell == "gru_reset_before":
        layer = ResetBeforeGRU(input_width, hidden_size, frozen)
    else:
        kind = {"rnn": _RNN, "lstm": _LSTM}[cell]
        layer = kind(input_width, hidden_size, batch_first=True, bidirectional=True)
    for name, parameter in layer.named_parameters():
        if "weight_hh" in name:
            for gate in parameter.chunk(GATES[cell]):
                nn.init.orthogonal_(gate)
        elif "weight_ih" in name:
            for gate in parameter.chunk(GATES[cell]):
                nn.init.xavier_uniform_(gate)
        else:
            nn.init.zeros_(parameter)
            if cell == "lstm" and "bias_ih" in name:  # of two biases that are added, only one
                nn.init.ones_(parameter.chunk(GATES[cell])[1])
    return layer


class _InOwnType(nn.Module):
    """Make PyTorch's recurrent layers compute in the type of their weights.

    Under autocast, cuDNN would use float16 whatever type is set, and unscaled gradients would vanish. Without gradients
    and without autocast, cuDNN does not use TF32 either: scores and tags are then those of a CPU.
    """

    def forward(self, inputs: Any, state: Any = None) -> Any:
        kind = (inputs.data if isinstance(inputs, PackedSequence) else inputs).device.type
        as_is = torch.is_grad_enabled() or torch.is_autocast_enabled(kind)
        with torch.autocast(kind, enabled=False), nullcontext() if as_is else _without_tf32:
            return super().forward(inputs.to(next(self.parameters()).dtype), state)


class _RNN(_InOwnType, nn.RNN):
    pass


class _LSTM(_InOwnType, nn.LSTM):
    pass


class PackedGRU(_InOwnType, nn.GRU):
    """PyTorch's GRU, one bidirectional layer, batch first. On a CPU, it uses the gradients of `packed_gru`."""

    def __init__(self, input_width: int, hidden_size: int, frozen: int = 0) -> None:
        super().__init__(input_width, hidden_size, batch_first=True, bidirectional=True)
        self.frozen = frozen

    def forward(self, inputs: Any, state: Any = None) -> Any:
        """Run like `nn.GRU`. The last states (2, B, H) are returned only for packed sentences."""
        values = inputs.data if isinstance(inputs, PackedSequence) else inputs
        if values.device.type != "cpu" or state is not None:
            return super().forward(inputs, state)
        states = _states(ResetAfter, self, inputs)
        return states, _last(states) if isinstance(states, PackedSequence) else None


class ResetBeforeGRU(nn.Module):
    """A bidirectional GRU whose reset gate acts before the matrix product (Cho et al. 2014, arXiv:1406.1078).

    Parameters have the names and shapes of `nn.GRU`. Call it like `nn.GRU` with `batch_first=True`. A step computes
    both directions, for all sentences that reach it.
    """

    def __init__(self, input_width: int, hidden_size: int, frozen: int = 0) -> None:
        super().__init__()
        self.frozen = frozen
        for name, shape in layer_shapes("", "gru_reset_before", input_width, hidden_size).items():
            self.register_parameter(name, nn.Parameter(torch.zeros(shape)))

    def forward(self, inputs: PackedSequence | Tensor) -> tuple[PackedSequence | Tensor, None]:
        """Return the hidden states of both directions.

        Args:
            inputs: (B, T, E) sentences of one length, or packed sentences, longest first.

        Returns:
            The states, (B, T, 2H) or packed like the inputs, and None in the place of the last states.
        """
        return _states(ResetBefore, self, inputs), None


@contextmanager
def _tf32_off() -> Iterator[None]:
    before = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = False
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32 = before


_without_tf32 = ProcessSetting(_tf32_off)  # threads that tag at the same time share it


def _states(
    cell: type[torch.autograd.Function], layer: nn.Module, inputs: PackedSequence | Tensor
) -> PackedSequence | Tensor:
    """Compute the states of a layer whose parameters have the order of `nn.GRU`."""
    if isinstance(inputs, PackedSequence):
        states = _run(cell, layer, inputs.data, inputs.batch_sizes)
        return PackedSequence(states, inputs.batch_sizes, inputs.sorted_indices, inputs.unsorted_indices)
    sentences, steps, _ = inputs.shape
    packed = _run(cell, layer, inputs.transpose(0, 1).flatten(0, 1), torch.full((steps,), sentences))
    return packed.unflatten(0, (steps, sentences)).transpose(0, 1)


def _run(cell: type[torch.autograd.Function], layer: nn.Module, values: Tensor, batch_sizes: Tensor) -> Tensor:
    """Run a layer on packed values: (N, E) → (N, 2H). Under autocast, the input products have its type."""
    kind = values.device.type
    products = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else None
    parameters, order = list(layer.parameters()), Order.of(batch_sizes, values.device)
    with torch.autocast(kind, enabled=False):
        return cell.apply(values.to(parameters[0].dtype), order, products, layer.frozen, *parameters)


def _last(states: PackedSequence) -> Tensor:
    """Return the states after each direction's last token, (2, B, H), in the order of sentences before packing."""
    batch_sizes = states.batch_sizes
    sentences = int(batch_sizes[0])
    lengths = (batch_sizes.unsqueeze(1) > torch.arange(sentences)).sum(dim=0)  # (B,)
    ends = (batch_sizes.cumsum(dim=0) - batch_sizes)[lengths - 1] + torch.arange(sentences)
    forward, reverse = states.data.chunk(2, dim=1)
    last = torch.stack([forward[ends], reverse[:sentences]])
    return last if states.unsorted_indices is None else last[:, states.unsorted_indices]
