"""Draw the next word: temperature, top-k, top-p."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tagger.errors import UserError
from tagger.features.predicted_words import END
from tagger.features.vocabulary import UNK
from tagger.generation.forward_model import ForwardModel, State

_GREEDY = 1e-6  # temperatures below it count as 0


@dataclass(frozen=True, kw_only=True)
class Sampling:
    """How the next word is drawn.

    Attributes:
        temperature: divides the log-probabilities; 0 takes the most probable word.
        top_k: draw among the k most probable words; None for all.
        top_p: draw among the most probable words that together have this probability (Holtzman et al. 2020,
            arXiv:1904.09751); 1 for all.
    """

    temperature: float = 1.0
    top_k: int | None = None
    top_p: float = 1.0

    def __post_init__(self) -> None:
        if not 0 <= self.temperature <= 100:
            raise UserError(f"--temperature: must lie in [0, 100], not {self.temperature}")
        if self.top_k is not None and self.top_k < 1:
            raise UserError(f"--top-k: must be at least 1, not {self.top_k}")
        if not 0 < self.top_p <= 1:
            raise UserError(f"--top-p: must lie in (0, 1], not {self.top_p}")

    def probabilities(self, log_probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the probabilities to draw with, (V,); those of words that are left out are 0."""
        order = np.argsort(-log_probabilities, kind="stable")
        if self.temperature < _GREEDY:
            return np.bincount(order[:1], minlength=len(order)).astype(np.float64)
        scaled = log_probabilities[order] / self.temperature
        shares = np.exp(scaled - scaled[0])
        shares /= shares.sum()
        if self.top_k is not None:
            shares[self.top_k :] = 0
        if self.top_p < 1:
            before = np.cumsum(shares) - shares
            shares[before >= self.top_p * shares.sum()] = 0
        found = np.zeros_like(shares)
        found[order] = shares / shares.sum()
        return found


class Generated(NamedTuple):
    """A generated word.

    Attributes:
        word: as it is written; "" for the end of a sentence.
        probability: under the model, before temperature, top-k and top-p.
        rank: 1 for the most probable one.
    """

    word: str
    probability: float
    rank: int


def generate(
    model: ForwardModel, prompt: Sequence[str], sampling: Sampling, *, seed: int | None = None
) -> Iterator[Generated]:
    """Yield words without end. After the end of a sentence, a new one begins. Unknown words are never drawn.

    Args:
        model: the language model.
        prompt: the first words of the first sentence.
        sampling: how words are drawn.
        seed: the same seed gives the same words.
    """
    random = np.random.default_rng(seed)
    state = _read(model, prompt)
    while True:
        found = model.log_probabilities(state)
        allowed = found.copy()
        allowed[UNK] = -np.inf
        if not state.words:
            allowed[END] = -np.inf  # no empty sentence
        number = int(random.choice(len(found), p=sampling.probabilities(allowed)))
        rank = int((found > found[number]).sum()) + 1
        word = "" if number == END else model.predicted.written(number)
        yield Generated(word, float(np.exp(found[number])), rank)
        state = model.read(state, word) if word else model.begin()


def _read(model: ForwardModel, words: Sequence[str]) -> State:
    state = model.begin()
    for word in words:
        state = model.read(state, word)
    return state
