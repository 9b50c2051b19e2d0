"""Tag sentences with probabilities at several temperatures."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from tagger.corpus.sentence import Sentence
from tagger.engines.base import Engine
from tagger.predict import Tagger

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]


def tag_at_temperatures(
    model: Tagger, sentences: Sequence[Sentence], temperatures: Sequence[float]
) -> Iterator[tuple[Sentence, ...]]:
    """Tag sentences with scores, once per temperature. The network runs only once."""
    kept: list[deque[Floats]] = [deque() for _ in temperatures[1:]]
    engines: list[Engine] = [_RecordingEngine(model.engine, kept), *map(_ReplayingEngine, kept)]
    taggers = [
        Tagger(replace(model.folder, temperature=temperature), engine)
        for temperature, engine in zip(temperatures, engines, strict=True)
    ]
    return zip(*(tagger.tag_sentences(sentences, scores=True) for tagger in taggers), strict=True)


class _RecordingEngine:
    """An engine that runs the network and keeps its emissions for the other taggers.

    All taggers ask for the same batches in the same order.
    """

    def __init__(self, engine: Engine, kept: Sequence[deque[Floats]]) -> None:
        self._engine, self._kept = engine, kept

    def emissions(self, sentences: Sequence[Sequence[str]], batch_sizes: Ints) -> Floats:
        found = self._engine.emissions(sentences, batch_sizes)
        for queue in self._kept:
            queue.append(found.copy())  # because decoders may change it in place
        return found


class _ReplayingEngine:
    """An engine that returns kept emissions."""

    def __init__(self, kept: deque[Floats]) -> None:
        self._kept = kept

    def emissions(self, sentences: Sequence[Sequence[str]], batch_sizes: Ints) -> Floats:
        return self._kept.popleft()
