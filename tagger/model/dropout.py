"""Dropout with one mask per sentence, and of whole tokens."""

from __future__ import annotations

from torch import Tensor, nn

from tagger.model.packing import Packing


class LockedDropout(nn.Module):
    """Zero the same elements in all tokens of a sentence (Gal & Ghahramani 2016, arXiv:1512.05287).

    (N, E) → (N, E). The kept elements are scaled by 1/(1-p).
    """

    def __init__(self, probability: float) -> None:
        super().__init__()
        self.probability = probability

    def forward(self, values: Tensor, packing: Packing) -> Tensor:
        if not self.training or self.probability == 0:
            return values
        keep = 1 - self.probability
        masks = values.new_empty(int(packing.batch_sizes[0]), values.shape[1]).bernoulli_(keep) / keep  # (B, E)
        return values * masks.index_select(0, packing.sentences)


class TokenDropout(nn.Module):
    """Zero whole token vectors: (N, E) → (N, E). The kept ones are not scaled."""

    def __init__(self, probability: float) -> None:
        super().__init__()
        self.probability = probability

    def forward(self, values: Tensor) -> Tensor:
        if not self.training or self.probability == 0:
            return values
        return values * values.new_empty(len(values), 1).bernoulli_(1 - self.probability)
