"""Training batches of a stored text: every sentence once an epoch, candidates, and their place when resumed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tagger.pretraining import text_store
from tagger.pretraining.batches import BatchMaker, TextBatch, TextLoader
from tagger.pretraining.text_store import StoredText, stored_text
from tests.helpers.language_models import SENTENCES, encoder_of, random_language_model


@pytest.fixture
def text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StoredText:
    """Some hundred sentences in several blocks."""
    monkeypatch.setenv("TAGGER_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(text_store, "BLOCK_TOKENS", 60)
    (tmp_path / "raw.txt").write_text("\n\n".join(" ".join(sentence) for sentence in SENTENCES * 25))
    return stored_text([str(tmp_path / "raw.txt")], "whitespace", held_out=0.05)


def maker() -> BatchMaker:
    folder = random_language_model()
    return BatchMaker(encoder_of(folder), folder.predicted)


def loader(text: StoredText) -> TextLoader:
    return TextLoader(text, maker(), batch_tokens=20, negatives=3, seed=1)


def words(batch: TextBatch) -> list[list[int]]:
    lengths = batch.batch.lengths
    return [row[:length].tolist() for row, length in zip(batch.batch.tags, lengths, strict=True)]


def test_an_epoch_has_every_sentence_once_in_an_order_of_its_own(text: StoredText) -> None:
    number = maker()
    expected = sorted(words(number.scoring(list(text.train()))))
    batches = loader(text)
    epochs = []
    for epoch in range(2):
        batches.set_epoch(epoch)
        epochs.append([each for batch in batches for each in words(batch)])
        assert sorted(epochs[-1]) == expected
    assert epochs[0] != epochs[1]
    assert len(text.about.train) > 1


def test_candidates_hold_the_words_of_the_batch_and_the_end(text: StoredText) -> None:
    for batch in loader(text):
        assert set(np.concatenate(words(batch))) | {0} <= set(batch.candidates.tolist())
        assert (np.diff(batch.candidates) > 0).all()
        assert (batch.log_shares <= 0).all()


def test_a_share_is_the_probability_of_being_drawn(text: StoredText) -> None:
    folder = random_language_model()
    batch = maker().training([["Ada"]], 5, (1,))
    frequencies = folder.predicted.frequencies[batch.candidates]
    np.testing.assert_allclose(np.exp(batch.log_shares), 1 - (1 - frequencies) ** (2 + 5), rtol=1e-5)


def test_a_resumed_epoch_continues_with_the_next_batch(text: StoredText) -> None:
    whole = loader(text)
    whole.set_epoch(1)
    every = [(words(batch), batch.candidates.tolist()) for batch in whole]
    begun = loader(text)
    begun.set_epoch(1)
    taken = iter(begun)
    for _ in range(7):
        next(taken)
    resumed = loader(text)
    resumed.load_state_dict(begun.state_dict())
    resumed.set_epoch(1)
    assert [(words(batch), batch.candidates.tolist()) for batch in resumed] == every[7:]
