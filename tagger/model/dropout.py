"""Dropout whose masks do not change along a sentence."""

from __future__ import annotations

from torch import Tensor, nn


class LockedDropout(nn.Module):
    """Zeroes the same elements of every token's vector in a sentence (Gal & Ghahramani 2016, arXiv:1512.05287).

    (B, T, E) → (B, T, E); the kept elements are scaled by 1/(1-p).
    """

    def __init__(self, probability: float) -> None:
        super().__init__()
        self.probability = probability

    def forward(self, values: Tensor) -> Tensor:
        if not self.training or self.probability == 0:
            return values
        keep = 1 - self.probability
        mask = values.new_empty(values.shape[0], 1, values.shape[2]).bernoulli_(keep) / keep
        return values * mask


class TokenDropout(nn.Module):
    """Zeroes whole token vectors. (B, T, E) → (B, T, E); the kept ones are not scaled."""

    def __init__(self, probability: float) -> None:
        super().__init__()
        self.probability = probability

    def forward(self, values: Tensor) -> Tensor:
        if not self.training or self.probability == 0:
            return values
        keep = values.new_empty(values.shape[0], values.shape[1], 1).bernoulli_(1 - self.probability)
        return values * keep
