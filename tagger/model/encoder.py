"""The encoder: packed bidirectional recurrent layers, one upon the other, and what stands around them."""

from __future__ import annotations

import itertools

from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from tagger.config import EncoderConfig
from tagger.model.dropout import LockedDropout
from tagger.model.recurrence import bidirectional


class FeedForward(nn.Module):
    """Linear(E → F), GELU, Linear(F → F) on each token: (B, T, E) → (B, T, F).

    GELU in its tanh form (Hendrycks & Gimpel 2016, arXiv:1606.08415), which NumPy can compute too.
    """

    def __init__(self, input_width: int, width: int) -> None:
        super().__init__()
        self.inner = nn.Linear(input_width, width)
        self.gelu = nn.GELU(approximate="tanh")
        self.outer = nn.Linear(width, width)

    def forward(self, values: Tensor) -> Tensor:
        return self.outer(self.gelu(self.inner(values)))


class RecurrentEncoder(nn.Module):
    """The recurrent layers that `EncoderConfig` describes: (B, T, E) → (B, T, width), width being 2H or H.

    Packing leaves padding out of the recurrence, so the backward direction starts at each sentence's own last token
    and padding changes no result. The cells' equations are written out in `inference.cells`.
    """

    def __init__(self, config: EncoderConfig, input_width: int) -> None:
        super().__init__()
        self.feed_forward = FeedForward(input_width, config.feed_forward) if config.feed_forward else None
        widths = [config.feed_forward or input_width, *map(config.width, config.stack)]
        steps = list(itertools.pairwise(widths))  # of each layer, from and to
        self.layers = nn.ModuleList(
            bidirectional(layer.cell, before, layer.hidden_size)
            for layer, (before, _) in zip(config.stack, steps, strict=True)
        )
        self.norms = nn.ModuleList(nn.LayerNorm(after) if config.layer_norm else nn.Identity() for _, after in steps)
        self.skips = nn.ModuleList(_skip(before, after) for before, after in steps) if config.skip else None
        self.dropouts = nn.ModuleList(LockedDropout(layer.dropout) for layer in config.stack)
        self.merge = config.merge
        self.width = widths[-1]

    def forward(self, values: Tensor, lengths: Tensor) -> Tensor:
        """The last layer's output.

        Args:
            values: (B, T, E) token vectors, longest sentence first.
            lengths: (B,) on the CPU, in falling order.
        """
        if self.feed_forward is not None:
            values = self.feed_forward(values)
        for number, (layer, norm, dropout) in enumerate(zip(self.layers, self.norms, self.dropouts, strict=True)):
            states = norm(self._merged(_run(layer, values, lengths)))
            values = dropout(states if self.skips is None else states + self.skips[number](values))
        return values

    def _merged(self, states: Tensor) -> Tensor:
        """(B, T, 2H) → (B, T, 2H or H)."""
        if self.merge == "concat":
            return states
        forward, backward = states.chunk(2, dim=2)
        return forward + backward if self.merge == "sum" else (forward + backward) / 2


def _skip(before: int, after: int) -> nn.Module:
    return nn.Identity() if before == after else nn.Linear(before, after, bias=False)


def _run(layer: nn.Module, values: Tensor, lengths: Tensor) -> Tensor:
    """Both directions' states side by side, (B, T, 2H)."""
    if lengths[0] == lengths[-1]:  # then there is nothing to pack, which takes time quadratic in T
        return layer(values)[0]
    packed: PackedSequence = pack_padded_sequence(values, lengths, batch_first=True)
    return pad_packed_sequence(layer(packed)[0], batch_first=True)[0]
