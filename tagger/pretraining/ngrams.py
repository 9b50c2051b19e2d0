"""An n-gram model with interpolated, modified Kneser–Ney smoothing, to compare language models with.

After Chen & Goodman 1999 ("An empirical study of smoothing techniques for language modeling"). For a context h of k - 1
words, and h' without its first word,

    P_k(w | h) = max(c(hw) - D_c(hw), 0) / c(h·) + γ(h) P_{k-1}(w | h')
    γ(h) = (D_1 N_1(h·) + D_2 N_2(h·) + D_3 N_3+(h·)) / c(h·)

c is the count for the longest n-grams, and for others the number of different words before them. N_j(h·) is the number
of words with c(hw) = j. The shortest distribution is interpolated with the uniform one.

The Python package kenlm only reads models; its estimator is a C++ program that no package brings along. nltk counts in
Python dictionaries, which takes hours for ten million words. Here all n-grams of a length are numbered by sorting.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tagger.features.predicted_words import END

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


class _Order(NamedTuple):
    """The n-grams of a length and their contexts.

    Attributes:
        keys: (G,) sorted: number of the n-gram without its first word, times V + 1, plus that word.
        discounted: (G,) count less its discount.
        totals: (C,) c(h·) by the number of the context.
        weights: (C,) γ(h) c(h·).
    """

    keys: Ints
    discounted: Floats
    totals: Floats
    weights: Floats


class KneserNey:
    """An n-gram model of numbered words, trained on sentences."""

    def __init__(self, sentences: Sequence[Ints], words: int, order: int = 5) -> None:
        """
        Args:
            sentences: numbers of their words, each below `words`. The end of a sentence is predicted as `END`.
            words: V.
            order: length of the longest n-grams.
        """
        self._words, self._order = words, order
        text = self._padded(sentences)
        predicted = text != words
        numbers, before = text, np.zeros(len(text), dtype=np.int64)  # of n-grams, and of their contexts
        levels: list[tuple[Ints, Ints, Ints]] = []
        for length in range(1, order + 1):
            if length == 1:
                keys = np.arange(words + 1)
            else:
                before = np.append(0, numbers[:-1])
                keys, numbers = np.unique(self._keys(numbers, text, length), return_inverse=True)
            levels.append((keys, numbers, before))
        self._levels: list[_Order] = []
        for length, (keys, numbers, before) in enumerate(levels, start=1):
            longest = length == order
            if longest:
                counts = np.bincount(numbers[predicted], minlength=len(keys))
            else:  # different words before: one for each longer n-gram
                longer = levels[length][1]
                _, first = np.unique(longer[predicted], return_index=True)
                counts = np.bincount(numbers[predicted][first], minlength=len(keys))
            contexts = np.zeros(len(keys), dtype=np.int64)
            contexts[numbers] = before
            self._levels.append(_order(keys, counts, contexts))

    def _padded(self, sentences: Sequence[Ints]) -> Ints:
        """Write sentences one after the other, each with its end, and with n - 1 beginnings (V) before it."""
        beginnings = np.full(max(1, self._order - 1), self._words)
        parts = [part for sentence in sentences for part in (beginnings, sentence, [END])]
        return np.concatenate(parts).astype(np.int64)

    def _keys(self, shorter: Ints, text: Ints, length: int) -> Ints:
        """Return the keys of the n-grams that end at each place. Before the text are beginnings."""
        first = np.append(np.full(length - 1, self._words), text)[: len(text)]
        return np.where(shorter < 0, -1, shorter * (self._words + 1) + first)

    def log_probabilities(self, sentences: Sequence[Ints]) -> Floats:
        """Return the natural log-probability of each word and each end of the sentences, in order."""
        text = self._padded(sentences)
        found = np.full(len(text), 1.0 / self._words)
        numbers = text
        for length, level in enumerate(self._levels, start=1):
            before = np.zeros(len(text), dtype=np.int64) if length == 1 else np.append(-1, numbers[:-1])
            if length > 1:
                numbers = _found(level.keys, self._keys(numbers, text, length))
            total = np.where(before >= 0, level.totals[before], 0)
            known = total > 0
            own = np.where(numbers >= 0, level.discounted[numbers], 0)
            mixed = (own + level.weights[before] * found) / np.where(known, total, 1)
            found = np.where(known, mixed, found)
        return np.log(found[text != self._words])


def _order(keys: Ints, counts: Ints, contexts: Ints) -> _Order:
    """Discount the counts of one length."""
    ones, twos, threes, fours = (int((counts == number).sum()) for number in (1, 2, 3, 4))
    shared = ones / max(1, ones + 2 * twos)
    discounts = [1 - 2 * shared * twos / max(1, ones), 2 - 3 * shared * threes / max(1, twos),
        3 - 4 * shared * fours / max(1, threes)]  # fmt: skip
    discounts = [min(max(discount, 0.1), number) for number, discount in enumerate(discounts, start=1)]
    discount = np.select([counts == 0, counts == 1, counts == 2], [0.0, *discounts[:2]], discounts[2])
    size = int(contexts.max(initial=0)) + 1
    return _Order(
        keys=keys,
        discounted=counts - discount,
        totals=np.bincount(contexts, weights=counts, minlength=size).astype(np.float64),
        weights=np.bincount(contexts, weights=discount, minlength=size).astype(np.float64),
    )


def _found(keys: Ints, wanted: Ints) -> Ints:
    """Return the places of wanted keys, -1 for those that are not there."""
    places = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return np.where(keys[places] == wanted, places, -1)
