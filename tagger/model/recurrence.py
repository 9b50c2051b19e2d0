"""Recurrent layers over packed sequences: PyTorch's own, its GRU made quick on a CPU, and the one that it lacks."""

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
    """A bidirectional layer, batch first, initialised: E → 2H values per token; see `engines.reference_cells`.

    Of the E values the `frozen` last ones want no gradient, which saves work where the layer can make use of it.

    Input weights are drawn after Glorot & Bengio 2010, recurrent ones orthogonal (Saxe et al. 2014,
    arXiv:1312.6120), each gate for itself; biases are zero, but for the LSTM's forget gate, 1 (Jozefowicz et al. 2015).
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
            if cell == "lstm" and "bias_ih" in name:  # one of two biases that are added
                nn.init.ones_(parameter.chunk(GATES[cell])[1])
    return layer


class _InOwnType(nn.Module):
    """Has PyTorch's recurrent layers compute in the type of their weights.

    Under autocast cuDNN would take float16, whatever type is asked for, in which gradients vanish that nobody scales.
    Where no gradient is wanted, and no lower precision, cuDNN does without TF32 too: scores and tags are a CPU's.
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
    """PyTorch's GRU, one bidirectional layer, batch first: on a CPU by the gradients written out in `packed_gru`."""

    def __init__(self, input_width: int, hidden_size: int, frozen: int = 0) -> None:
        super().__init__(input_width, hidden_size, batch_first=True, bidirectional=True)
        self.frozen = frozen

    def forward(self, inputs: Any, state: Any = None) -> Any:
        """As `nn.GRU`; the last states (2, B, H) come for packed sentences alone."""
        values = inputs.data if isinstance(inputs, PackedSequence) else inputs
        if values.device.type != "cpu" or state is not None:
            return super().forward(inputs, state)
        states = _states(ResetAfter, self, inputs)
        return states, _last(states) if isinstance(states, PackedSequence) else None


class ResetBeforeGRU(nn.Module):
    """A bidirectional GRU whose reset gate acts before the matrix product (Cho et al. 2014, arXiv:1406.1078).

    Parameters are named and shaped as `nn.GRU`'s, and it is called like one with `batch_first=True`. A step works on
    both directions of the sentences that are still running.
    """

    def __init__(self, input_width: int, hidden_size: int, frozen: int = 0) -> None:
        super().__init__()
        self.frozen = frozen
        for name, shape in layer_shapes("", "gru_reset_before", input_width, hidden_size).items():
            self.register_parameter(name, nn.Parameter(torch.zeros(shape)))

    def forward(self, inputs: PackedSequence | Tensor) -> tuple[PackedSequence | Tensor, None]:
        """Hidden states of both directions, packed where the inputs are.

        Args:
            inputs: (B, T, E) sentences of one length, or packed sentences, longest first.

        Returns:
            (B, T, 2H), or packed; and None, where PyTorch's layers give their last states.
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
    """The states of a layer whose parameters are in the order of `nn.GRU`'s."""
    if isinstance(inputs, PackedSequence):
        states = _run(cell, layer, inputs.data, inputs.batch_sizes)
        return PackedSequence(states, inputs.batch_sizes, inputs.sorted_indices, inputs.unsorted_indices)
    sentences, steps, _ = inputs.shape
    packed = _run(cell, layer, inputs.transpose(0, 1).flatten(0, 1), torch.full((steps,), sentences))
    return packed.unflatten(0, (steps, sentences)).transpose(0, 1)


def _run(cell: type[torch.autograd.Function], layer: nn.Module, values: Tensor, batch_sizes: Tensor) -> Tensor:
    """(N, E) packed by time → (N, 2H); under autocast the products with the input weights are in its type."""
    kind = values.device.type
    products = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else None
    parameters, order = list(layer.parameters()), Order.of(batch_sizes, values.device)
    with torch.autocast(kind, enabled=False):
        return cell.apply(values.to(parameters[0].dtype), order, products, layer.frozen, *parameters)


def _last(states: PackedSequence) -> Tensor:
    """(2, B, H) the states after each direction's last token, of sentences in the order they had before packing."""
    batch_sizes = states.batch_sizes
    sentences = int(batch_sizes[0])
    lengths = (batch_sizes.unsqueeze(1) > torch.arange(sentences)).sum(dim=0)  # (B,)
    ends = (batch_sizes.cumsum(dim=0) - batch_sizes)[lengths - 1] + torch.arange(sentences)
    forward, reverse = states.data.chunk(2, dim=1)
    last = torch.stack([forward[ends], reverse[:sentences]])
    return last if states.unsorted_indices is None else last[:, states.unsorted_indices]
