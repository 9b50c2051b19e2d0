"""Kneser–Ney against its formula, computed with dictionaries, and as a probability distribution."""

from __future__ import annotations

from collections import Counter, defaultdict

import numpy as np
import pytest

from tagger.pretraining.ngrams import KneserNey

WORDS = 7  # 0 is the end
BEGIN = WORDS


def text(seed: int, sentences: int) -> list[np.ndarray]:
    """Sentences whose words depend on the two before."""
    random = np.random.default_rng(seed)
    found = []
    for _ in range(sentences):
        words = [1, 2]
        for _ in range(random.integers(0, 8)):
            words.append(1 + (words[-1] * words[-2] + random.integers(0, 2)) % (WORDS - 1))
        found.append(np.array(words[random.integers(0, 3) :], dtype=np.int64))
    return found


class Slow:
    """The same model, an n-gram at a time."""

    def __init__(self, sentences: list[np.ndarray], order: int) -> None:
        self.order = order
        occurrences = [Counter[tuple[int, ...]]() for _ in range(order + 1)]
        for sentence in sentences:
            padded = [BEGIN] * (order - 1) + [*map(int, sentence), 0]
            for end in range(order - 1, len(padded)):
                for length in range(1, order + 1):
                    occurrences[length][tuple(padded[end - length + 1 : end + 1])] += 1
        self.counts = [Counter[tuple[int, ...]]() for _ in range(order + 1)]
        self.counts[order] = occurrences[order]
        for length in range(1, order):
            for longer in occurrences[length + 1]:
                self.counts[length][longer[1:]] += 1
        self.discounts = []
        for counts in self.counts:
            n = Counter(counts.values())
            shared = n[1] / max(1, n[1] + 2 * n[2])
            formula = [j - (j + 1) * shared * n[j + 1] / max(1, n[j]) for j in (1, 2, 3)]
            self.discounts.append([0.0, *(min(max(d, 0.1), j) for j, d in enumerate(formula, start=1))])
        self.by_context = [defaultdict[tuple[int, ...], list[int]](list) for _ in range(order + 1)]
        for length, counts in enumerate(self.counts):
            for gram, count in counts.items():
                self.by_context[length][gram[:-1]].append(count)

    def probability(self, context: tuple[int, ...], word: int) -> float:
        length = len(context) + 1
        lower = self.probability(context[1:], word) if context else 1 / WORDS
        followers = self.by_context[length].get(context)
        if not followers:
            return lower
        discounts = self.discounts[length]
        count = self.counts[length][(*context, word)]
        rest = sum(discounts[min(each, 3)] for each in followers)
        return (count - discounts[min(count, 3)] + rest * lower) / sum(followers)


@pytest.mark.parametrize("order", [1, 2, 3, 5])
def test_it_has_the_probabilities_of_the_formula(order: int) -> None:
    train, test = text(1, 60), text(2, 20)
    slow = Slow(train, order)
    expected = []
    for sentence in test:
        padded = [BEGIN] * (order - 1) + [*map(int, sentence), 0]
        for end in range(order - 1, len(padded)):
            expected.append(np.log(slow.probability(tuple(padded[end - order + 1 : end]), padded[end])))
    np.testing.assert_allclose(KneserNey(train, WORDS, order).log_probabilities(test), expected)


def test_the_probabilities_of_all_words_add_up_to_one() -> None:
    model = KneserNey(text(1, 60), WORDS, 4)
    for context in ([], [1], [6, 6], [1, 2, 3]):
        each = [model.log_probabilities([np.array([*context, word])])[len(context)] for word in range(1, WORDS)]
        end = model.log_probabilities([np.array(context, dtype=np.int64)])[len(context)]
        assert np.exp([*each, end]).sum() == pytest.approx(1)
