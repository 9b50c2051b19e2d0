"""The packed bidirectional GRU."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from tagger.config import EncoderConfig
from tagger.model.dropout import LockedDropout


class PackedBiGRU(nn.Module):
    """Layers of bidirectional GRU over packed sequences: (B, T, E) → (B, T, 2H).

    Packing leaves padding out of the recurrence, so the backward direction starts at each sentence's own last token
    and padding changes no result. The cell is PyTorch's (reset gate after the matrix product; see `inference.cells`).
    """

    def __init__(self, config: EncoderConfig, input_width: int) -> None:
        super().__init__()
        widths = [input_width] + [2 * config.hidden_size] * (config.layers - 1)
        self.layers = nn.ModuleList(
            nn.GRU(width, config.hidden_size, batch_first=True, bidirectional=True) for width in widths
        )
        self.dropout = LockedDropout(config.dropout)
        self.width = 2 * config.hidden_size
        for name, parameter in self.layers.named_parameters():
            if "weight_hh" in name:
                for gate in parameter.chunk(3):
                    nn.init.orthogonal_(gate)
            elif "weight_ih" in name:
                for gate in parameter.chunk(3):
                    nn.init.xavier_uniform_(gate)
            else:
                nn.init.zeros_(parameter)

    def forward(self, values: Tensor, lengths: Tensor) -> Tensor:
        """Hidden states of both directions.

        Args:
            values: (B, T, E) token vectors, longest sentence first.
            lengths: (B,) on the CPU, in falling order.
        """
        padded = bool(lengths[0] != lengths[-1])  # else there is nothing to pack, which takes time quadratic in T
        for layer in self.layers:
            if padded:
                packed: PackedSequence = pack_padded_sequence(values, lengths, batch_first=True)
                states, _ = layer(packed)
                values, _ = pad_packed_sequence(states, batch_first=True)  # (B, T, 2H)
            else:
                values, _ = layer(values)
            values = self.dropout(values)
        return values
