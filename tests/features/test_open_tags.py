"""The tags that tokens may have where labels are only partly known."""

from __future__ import annotations

import numpy as np
import pytest

from tagger.config import EmbeddingsConfig
from tagger.corpus.augmentation import MentionReplacement
from tagger.corpus.schemes import Scheme
from tagger.corpus.sentence import PartialLabels, Sentence
from tagger.features.encoding import Batch, EncodedCorpus, FeatureEncoder
from tagger.features.vocabulary import Vocabularies

UNKNOWN = PartialLabels()
LOC_ONLY = PartialLabels(frozenset({"LOC"}))
WHOLE = Sentence(["Ada", "in", "Oslo"], ["B-PER", "O", "B-LOC"])
EVERY = {"O", "S-PER", "B-PER", "I-PER", "E-PER", "S-LOC", "B-LOC", "I-LOC", "E-LOC"}


def encoded(sentences: list[Sentence], scheme: Scheme = Scheme.BIOES) -> tuple[EncodedCorpus, list[str]]:
    vocabularies = Vocabularies.build(
        [WHOLE, *sentences] if scheme is not Scheme.PLAIN else sentences, EmbeddingsConfig(), scheme
    )
    return EncodedCorpus(sentences, FeatureEncoder(EmbeddingsConfig(), vocabularies), scheme), vocabularies.tags


def allowed_tags(batch: Batch, tags: list[str]) -> list[set[str]]:
    """Of each token, sentence after sentence."""
    assert batch.allowed is not None
    return [{tag for tag, may in zip(tags, row, strict=True) if may} for row in batch.allowed]


def gold(batch: Batch, tags: list[str]) -> list[str]:
    return [tags[tag] for row, length in zip(batch.tags, batch.lengths, strict=True) for tag in row[:length]]


def test_completely_labelled_sentences_have_their_gold_tags_only() -> None:
    corpus, _ = encoded([WHOLE, Sentence(["x"], ["B-_"])])
    assert corpus.batch([0, 1]).allowed is None


def test_unknown_tokens_may_have_any_tag() -> None:
    corpus, tags = encoded([Sentence(["Ada", "ran", "far"], ["B-PER", "B-_", "I-_"], partial=UNKNOWN)])
    batch = corpus.batch([0])
    assert allowed_tags(batch, tags) == [{"S-PER"}, EVERY, EVERY]
    assert gold(batch, tags) == ["S-PER", "O", "O"]


def test_outside_may_hide_labels_that_were_not_annotated() -> None:
    corpus, tags = encoded([Sentence(["Ada", "in", "Oslo"], ["O", "B-_", "B-LOC"], partial=LOC_ONLY)])
    outside = {"O", "S-PER", "B-PER", "I-PER", "E-PER"}
    assert allowed_tags(corpus.batch([0]), tags) == [outside, EVERY, {"S-LOC"}]


def test_outside_hides_nothing_if_all_labels_of_the_model_are_known() -> None:
    everything = PartialLabels(frozenset({"LOC", "PER", "ORG"}))
    corpus, _ = encoded([Sentence(["Ada", "in"], ["O", "O"], partial=everything)])
    assert corpus.batch([0]).allowed is None


def test_tokens_stay_with_their_sentences_in_a_batch() -> None:
    short = Sentence(["far"], ["B-_"], partial=UNKNOWN)
    corpus, tags = encoded([short, WHOLE, Sentence(["Oslo", "in"], ["B-LOC", "O"], partial=LOC_ONLY)])
    batch = corpus.batch([0, 1, 2])
    assert batch.sentences.tolist() == [1, 2, 0]
    found = allowed_tags(batch, tags)
    assert found[:3] == [{"S-PER"}, {"O"}, {"S-LOC"}]
    assert found[3] == {"S-LOC"}
    assert found[4] > {"O"}
    assert found[5] == EVERY
    assert corpus.batch([1]).allowed is None


def test_unknown_plain_tags_may_be_any() -> None:
    sentences = [Sentence(["a", "b"], ["NOUN", "_"], partial=UNKNOWN), Sentence(["c"], ["VERB"])]
    corpus, tags = encoded(sentences, Scheme.PLAIN)
    assert tags == ["NOUN", "VERB"]
    assert allowed_tags(corpus.batch([0]), tags) == [{"NOUN"}, {"NOUN", "VERB"}]


def test_the_vocabulary_has_no_unknown_label() -> None:
    partly = Sentence(["Ada", "ran"], ["B-PER", "B-_"], partial=UNKNOWN)
    config = EmbeddingsConfig()
    assert Vocabularies.build([partly], config, Scheme.IOB2).tags == ["O", "B-PER", "I-PER"]
    bare = Sentence(["Ada"], ["B-_"])
    assert Vocabularies.build([bare], config, Scheme.IOB2).tags == ["O", "B-_", "I-_"]


def test_a_real_label_of_that_name_is_learnt_beside_unknown_tokens() -> None:
    corpus, tags = encoded([Sentence(["Ada"], ["B-_"]), Sentence(["Bo"], ["B-_"], partial=UNKNOWN)])
    batch = corpus.batch([0, 1])
    first, second = allowed_tags(batch, tags)
    assert first == {"S-_"}
    assert second == EVERY | {"S-_", "B-_", "I-_", "E-_"}


def test_the_gold_tags_are_always_allowed_and_legal() -> None:
    chance = np.random.default_rng(1)
    labels = ["PER", "LOC", "_"]
    for _ in range(50):
        tags = [
            "O" if chance.random() < 0.4 else f"{chance.choice(['B', 'I'])}-{chance.choice(labels)}" for _ in range(8)
        ]
        partial = PartialLabels(frozenset({"LOC", "PER"}) if chance.random() < 0.5 else None)
        corpus, names = encoded([Sentence([str(n) for n in range(8)], tags, partial=partial)])
        batch = corpus.batch([0])
        if batch.allowed is None:
            continue
        assert batch.allowed[np.arange(8), batch.tags[0]].all()
        assert legal(gold(batch, names))


def legal(tags: list[str]) -> bool:
    from tagger.corpus.schemes import count_illegal

    return count_illegal(tags, Scheme.BIOES) == 0


@pytest.mark.parametrize("probability", [1.0])
def test_replaced_mentions_stay_partly_known(probability: float) -> None:
    sentences = [
        Sentence(["Ada", "ran", "far", "off"], ["B-PER", "O", "B-_", "I-_"], partial=UNKNOWN),
        Sentence(["Bo", "Lee"], ["B-PER", "I-PER"]),
        Sentence(["it"], ["B-_"]),
    ]
    seen = set()
    for seed in range(10):
        first, second, third = MentionReplacement(sentences, probability).draw(seed)
        assert (first.partial, second.partial, third.partial) == (UNKNOWN, None, None)
        assert first.tokens[-3:] == ["ran", "far", "off"]
        assert third.tokens == ["it"]
        seen.add(first.tokens[0])
    assert seen == {"Ada", "Bo"}
