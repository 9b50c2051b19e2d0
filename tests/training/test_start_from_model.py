"""What a run that starts from a model knows."""

from __future__ import annotations

from pathlib import Path

from tagger.config import EmbeddingsConfig, WordEmbedding
from tagger.corpus.dataset import Split
from tagger.corpus.schemes import Scheme
from tagger.corpus.sentence import Sentence
from tagger.training.run_setup import set_up_run
from tests.helpers.random_models import random_folder


def test_the_model_s_words_are_counted_in_the_new_split_however_rare_they_are_there(tmp_path: Path) -> None:
    embeddings = EmbeddingsConfig(word=WordEmbedding(min_count=2), affixes=None)
    folder = random_folder(embeddings=embeddings)
    folder.save(tmp_path / "model", "")
    assert "the" in folder.vocabularies.words
    split = Split("train", [Sentence(["the", "new", "New", "one"], ["O", "B-X", "B-X", "O"])], Scheme.IOB2, [])
    known = set_up_run(split, folder.config, tmp_path / "model").vocabularies
    counts = dict(zip(known.words.entries, known.word_counts, strict=True))
    before = dict.fromkeys(folder.vocabularies.words.entries, 0)
    assert counts == {**before, "the": 1, "new": 2}
