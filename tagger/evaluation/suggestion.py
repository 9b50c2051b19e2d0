"""Choose the sentences to label next: those that a model is least sure of, spread over the corpus."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from random import Random
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tagger.corpus.sentence import Sentence
from tagger.predict import Tagger

Strategy = Literal["uncertainty", "margin", "entropy", "diverse", "random"]
STRATEGIES: tuple[Strategy, ...] = ("uncertainty", "margin", "entropy", "diverse", "random")
_AT_ONCE = 1024  # sentences
_POOL = 20  # candidates for each sentence that is chosen for being different
Scorer = Callable[[Sequence[Sentence]], Iterable[float]]


def suggest(
    model: Tagger,
    sentences: Iterable[Sentence],
    number: int,
    strategy: Strategy,
    *,
    seed: int = 1,
    fewest_tokens: int = 3,
) -> list[tuple[Sentence, float]]:
    """Choose sentences to label, the most useful first, each with its score. Memory grows with `number` alone.

    - `uncertainty`: -log P(best tagging) per token (Shen et al. 2017, arXiv:1707.05928).
    - `margin`: 1 - (P of the best tagging - P of the second).
    - `entropy`: mean entropy of the tokens' tags in nats (Settles & Craven 2008).
    - `diverse`: of the most uncertain, those that are farthest from all chosen before them, by the angle between the
      means of the network's states, times the uncertainty (Sener & Savarese 2018, arXiv:1708.00489).
    - `random`: drawn by the seed, each sentence with the same probability.

    Sentences with the same words are chosen once. Ties go to the earlier sentence.

    Args:
        model: with the engine `numpy` for `diverse`.
        sentences: read once.
        number: of sentences to choose; fewer if there are fewer.
        strategy: how.
        seed: of the draw.
        fewest_tokens: shorter sentences are passed over.
    """
    scorer = _scorer(model, strategy, seed)
    kept = number * _POOL if strategy == "diverse" else number
    heap: list[tuple[float, int, Sentence]] = []  # the best so far, the worst of them first
    inside: set[tuple[str, ...]] = set()
    left = (sentence for sentence in sentences if len(sentence) >= fewest_tokens)
    count = 0
    while some := list(islice(left, _AT_ONCE)):
        for sentence, score in zip(some, scorer(some), strict=True):
            count += 1
            words = tuple(sentence.tokens)
            entry = (score, -count, sentence)
            if words in inside or (len(heap) >= kept and entry[:2] <= heap[0][:2]):
                continue
            heapq.heappush(heap, entry)
            inside.add(words)
            if len(heap) > kept:
                inside.remove(tuple(heapq.heappop(heap)[2].tokens))
    ranked = sorted(heap, key=lambda entry: entry[:2], reverse=True)
    chosen = [(sentence, score) for score, _, sentence in ranked]
    if strategy != "diverse" or len(chosen) <= 1:
        return chosen[:number]
    vectors = model.sentence_vectors([sentence for sentence, _ in chosen])
    return [chosen[place] for place in spread(vectors, [score for _, score in chosen], number)]


def spread(vectors: NDArray[np.float32], weights: Sequence[float], number: int) -> Iterator[int]:
    """Yield numbers of rows (B, W): first the heaviest, then the one with the largest distance times weight.

    The distance is 1 - cosine to the nearest row yielded before.
    """
    units = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    weight = np.asarray(weights, dtype=np.float64)
    nearest = np.full(len(units), np.inf)
    place = int(weight.argmax())
    for _ in range(min(number, len(units))):
        yield place
        nearest = np.minimum(nearest, 1 - units @ units[place])
        nearest[place] = -np.inf
        place = int(np.where(np.isfinite(nearest), np.maximum(nearest, 0) * weight + 1e-12, -np.inf).argmax())


def _scorer(model: Tagger, strategy: Strategy, seed: int) -> Scorer:
    if strategy == "random":
        random = Random(seed)
        return lambda sentences: [random.random() for _ in sentences]
    if strategy == "margin":
        return lambda sentences: map(_margin, model.tag_sentences(sentences, n_best=2))

    def score(sentences: Sequence[Sentence]) -> Iterator[float]:
        for found in model.distributions(sentences):
            if strategy == "entropy":
                chances = found.marginals.astype(np.float64)
                yield float(-(chances * np.log(np.maximum(chances, 1e-300))).sum(axis=1).mean())
            else:
                yield float(-np.log(max(found.confidence, 1e-300)) / len(found.marginals))

    return score


def _margin(sentence: Sentence) -> float:
    best, *others = [one.score for one in sentence.alternatives or []]
    return 1 - (best - (others[0] if others else 0.0))
