"""Training batches with mentions replaced: others in each epoch, every sentence once, the same for the same seed."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pytest

from tagger.corpus.augmentation import MentionReplacement
from tagger.corpus.sentence import Sentence
from tagger.features.encoding import Batch, EncodedCorpus, FeatureEncoder
from tagger.training.epoch_corpora import EpochCorpora
from tagger.training.loader import TrainingLoader
from tests.helpers.random_models import NER_TRAIN, random_folder

SENTENCES = [*NER_TRAIN, Sentence(["Maria", "Li", "left", "Bonn", "."], ["B-PER", "I-PER", "O", "B-LOC", "O"])] * 4


def epochs_of(probability: float, *, seed: int = 1, epochs: Iterable[int] = range(3)) -> list[list[Batch]]:
    folder = random_folder()
    encoder = FeatureEncoder(folder.config.embeddings, folder.vocabularies)
    corpus = EncodedCorpus(SENTENCES, encoder, folder.scheme)
    replacement = MentionReplacement(SENTENCES, probability) if probability else None
    corpora = EpochCorpora(SENTENCES, corpus, seed=seed, replacement=replacement)
    loader = TrainingLoader(corpora, budget=12, seed=seed)
    found = []
    for epoch in epochs:
        loader.sampler.set_epoch(epoch)
        found.append([step.batch for step in loader])
        assert len(found[-1]) == len(loader)
    return found


def words_by_sentence(epoch: list[Batch]) -> dict[int, list[int]]:
    found = {}
    for batch in epoch:
        for row, number in enumerate(batch.sentences.tolist()):
            found[number] = batch.features.words[batch.rows[row, : batch.lengths[row]]].tolist()
    return found


@pytest.mark.parametrize("probability", [0.0, 0.5, 1.0])
def test_every_sentence_comes_once_in_each_epoch(probability: float) -> None:
    for epoch in epochs_of(probability):
        numbers = np.concatenate([batch.sentences for batch in epoch])
        assert sorted(numbers.tolist()) == [number for number, sentence in enumerate(SENTENCES) if sentence.tokens]


def test_epochs_differ_in_their_mentions_and_only_with_replacement() -> None:
    first, second, third = map(words_by_sentence, epochs_of(1.0))
    assert first != second != third
    plain = list(map(words_by_sentence, epochs_of(0.0)))
    assert plain[0] == plain[1] == plain[2]


def test_the_same_seed_gives_the_same_epochs_and_another_others() -> None:
    again = [[words_by_sentence(epoch) for epoch in epochs_of(1.0, seed=seed)] for seed in (1, 1, 2)]
    assert again[0] == again[1] != again[2]


def test_an_epoch_is_the_same_whether_or_not_those_before_were_seen() -> None:
    """A resumed run begins with a later epoch."""
    [resumed] = epochs_of(1.0, epochs=[1])
    assert words_by_sentence(resumed) == words_by_sentence(epochs_of(1.0)[1])
