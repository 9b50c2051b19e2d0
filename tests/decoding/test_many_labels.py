"""Hundreds of labels: the decoder's memory stays within bounds and its answer the same."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from tagger.corpus.schemes import Scheme
from tagger.decoding import decoder
from tagger.decoding.decoder import Decoder


@pytest.fixture(autouse=True)
def _numpy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Decode by NumPy; the compiled loops take one sentence at a time anyway."""
    monkeypatch.setattr(decoder, "kernels", lambda: None)


def random_case(labels: int, batch_sizes: list[int]) -> tuple[Decoder, np.ndarray, np.ndarray]:
    tags = ["O", *(f"{prefix}-{label}" for label in range(labels) for prefix in "BIES")]
    generator = np.random.default_rng(labels)

    def draw(*shape: int) -> np.ndarray:
        return generator.normal(size=shape).astype(np.float32)

    decoding = Decoder(
        tags, Scheme.BIOES, transitions=draw(len(tags), len(tags)), start=draw(len(tags)), end=draw(len(tags))
    )
    return decoding, draw(sum(batch_sizes), len(tags)), np.array(batch_sizes)


@pytest.mark.parametrize("at_once", [1, 200, 1000])
def test_sentences_taken_a_few_at_a_time_get_the_same_tags(monkeypatch: pytest.MonkeyPatch, at_once: int) -> None:
    decoding, emissions, batch_sizes = random_case(2, [7, 7, 5, 2, 1])
    expected = decoding.best_paths(emissions, batch_sizes)
    monkeypatch.setattr(decoder, "_SCORES_AT_ONCE", at_once)
    assert np.array_equal(decoding.best_paths(emissions, batch_sizes), expected)


def test_memory_does_not_grow_with_the_square_of_the_labels_times_the_sentences() -> None:
    decoding, emissions, batch_sizes = random_case(200, [50, 50])
    tracemalloc.start()
    decoding.best_paths(emissions, batch_sizes)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 50 * 801**2 * 4 / 2  # half of one float32 per sentence and pair of tags
