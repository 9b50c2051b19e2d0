"""The encoder: a stack of packed bidirectional recurrent layers, with what is around each layer."""

from __future__ import annotations

import itertools

from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from tagger.config import EncoderConfig
from tagger.model.dropout import LockedDropout
from tagger.model.packing import Packing
from tagger.model.recurrence import bidirectional


class FeedForward(nn.Module):
    """Linear(E → F), GELU, Linear(F → F) on each token: (N, E) → (N, F).

    GELU has its tanh form (Hendrycks & Gimpel 2016, arXiv:1606.08415), which NumPy can compute too.
    """

    def __init__(self, input_width: int, width: int) -> None:
        super().__init__()
        self.inner = nn.Linear(input_width, width)
        self.gelu = nn.GELU(approximate="tanh")
        self.outer = nn.Linear(width, width)

    def forward(self, values: Tensor) -> Tensor:
        return self.outer(self.gelu(self.inner(values)))


class RecurrentEncoder(nn.Module):
    """The recurrent layers that `EncoderConfig` describes: (N, E) → (N, width), width being 2H or H.

    Packing leaves padding out of the recurrence. So the backward direction starts at each sentence's own last token,
    and padding changes no result. See `engines.reference_cells` for the equations of the cells.
    """

    def __init__(self, config: EncoderConfig, input_width: int, frozen: int = 0) -> None:
        """
        Args:
            config: the layers.
            input_width: number of values per token, E.
            frozen: number of last values among the E that need no gradient.
        """
        super().__init__()
        self.feed_forward = FeedForward(input_width, config.feed_forward) if config.feed_forward else None
        widths = [config.feed_forward or input_width, *map(config.width, config.stack)]
        steps = list(itertools.pairwise(widths))  # input and output width of each layer
        self.layers = nn.ModuleList(
            bidirectional(layer.cell, before, layer.hidden_size, 0 if number or self.feed_forward else frozen)
            for number, (layer, (before, _)) in enumerate(zip(config.stack, steps, strict=True))
        )
        self.norms = nn.ModuleList(nn.LayerNorm(after) if config.layer_norm else nn.Identity() for _, after in steps)
        self.skips = nn.ModuleList(_skip(before, after) for before, after in steps) if config.skip else None
        self.dropouts = nn.ModuleList(LockedDropout(layer.dropout) for layer in config.stack)
        self.merge = config.merge
        self.width = widths[-1]

    def forward(self, values: Tensor, packing: Packing) -> Tensor:
        """Return the output of the last layer.

        Args:
            values: (N, E) token vectors.
            packing: the order of the tokens.
        """
        if self.feed_forward is not None:
            values = self.feed_forward(values)
        for number, (layer, norm, dropout) in enumerate(zip(self.layers, self.norms, self.dropouts, strict=True)):
            states = norm(self._merged(_run(layer, values, packing.batch_sizes)))
            values = dropout(states if self.skips is None else states + self.skips[number](values), packing)
        return values

    def states_of_first_layer(self, values: Tensor, packing: Packing) -> Tensor:
        """Return the states of the first layer before its directions are joined, (N, 2H), with its dropout.

        Forward states have read nothing that follows their token, and backward states nothing before it.

        Args:
            values: (N, E) token vectors.
            packing: the order of the tokens.
        """
        if self.feed_forward is not None:
            values = self.feed_forward(values)
        return self.dropouts[0](_run(self.layers[0], values, packing.batch_sizes), packing)

    def _merged(self, states: Tensor) -> Tensor:
        """Join the two directions: (N, 2H) → (N, 2H or H)."""
        if self.merge == "concat":
            return states
        forward, backward = states.chunk(2, dim=1)
        return forward + backward if self.merge == "sum" else (forward + backward) / 2


def _skip(before: int, after: int) -> nn.Module:
    return nn.Identity() if before == after else nn.Linear(before, after, bias=False)


def _run(layer: nn.Module, values: Tensor, batch_sizes: Tensor) -> Tensor:
    """Run a layer. Returns the states of both directions side by side, (N, 2H)."""
    if batch_sizes[0] == batch_sizes[-1]:  # equal lengths: skip packing, which takes time quadratic in T
        shape = (len(batch_sizes), int(batch_sizes[0]))
        return layer(values.unflatten(0, shape).transpose(0, 1))[0].transpose(0, 1).flatten(0, 1)
    return layer(PackedSequence(values, batch_sizes))[0].data
