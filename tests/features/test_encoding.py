"""Sentences as arrays: each distinct word's features once, padding at the end, longest sentence first."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagger.corpus.schemes import Scheme, convert_tags
from tagger.corpus.sentence import Sentence
from tagger.features.encoding import UNKNOWN_TAG, EncodedCorpus, FeatureEncoder, WordFeatures
from tagger.features.vocabulary import PAD, UNK, Vocabularies
from tests.helpers.random_models import KNOWN_AND_UNKNOWN_WORDS, NER_TRAIN, embeddings_config, random_words

CONFIG = embeddings_config()
KNOWN = Vocabularies.build(NER_TRAIN, CONFIG, Scheme.BIOES)
ENCODER = FeatureEncoder(CONFIG, KNOWN)
ARRAYS = ("words", "characters", "shapes", "affixes")


def row(features: WordFeatures, number: int) -> list[list[int]]:
    """One word's features without padding."""
    arrays = [np.atleast_1d(getattr(features, name)[number]).tolist() for name in ARRAYS]
    return [[value for value in array if value != PAD] for array in arrays]


def test_a_known_word_has_the_numbers_of_its_parts() -> None:
    features = ENCODER.encode_words(["Anna"])
    assert features.words.tolist() == [KNOWN.words["anna"]]
    assert features.characters.tolist() == [[KNOWN.characters[character] for character in "Anna"]]
    assert features.shapes.tolist() == [KNOWN.shapes["Xxx"]]
    prefixes = [KNOWN.prefixes[3]["ann"], KNOWN.prefixes[1]["a"], KNOWN.prefixes[2]["an"]]
    suffixes = [KNOWN.suffixes[3]["nna"], KNOWN.suffixes[1]["a"], KNOWN.suffixes[2]["na"]]
    assert features.affixes.tolist() == [prefixes + suffixes]
    assert UNK not in [*features.words, *features.characters[0], *features.shapes, *features.affixes[0]]


def test_an_unknown_word_is_unknown_in_every_part() -> None:
    features = ENCODER.encode_words(["♛♜♝"])
    assert features.words.tolist() == [UNK]
    assert features.characters.tolist() == [[UNK, UNK, UNK]]
    assert features.shapes.tolist() == [UNK]
    assert features.affixes.tolist() == [[UNK] * 6]


def test_characters_are_padded_behind_the_word() -> None:
    characters = ENCODER.encode_words(["a", "", "Anna"]).characters
    assert (characters != PAD).sum(axis=1).tolist() == [1, 0, 4]
    assert characters[0].tolist()[1:] == [PAD] * 3


def test_of_a_long_word_its_ends_are_kept() -> None:
    word = "Anna" + "x" * 100 + "Smith"
    features = ENCODER.encode_words([word])
    assert features.characters.tolist() == [[KNOWN.characters[c] for c in "Annaxx" + "xSmith"]]


@pytest.mark.parametrize("words", [[], [""], ["", ""]])
def test_features_have_a_column_of_characters_even_where_there_are_none(words: list[str]) -> None:
    features = ENCODER.encode_words(words)
    assert len(features) == len(words)
    assert features.characters.shape == (len(words), 1)
    assert features.affixes.shape == (len(words), 6)


@given(st.lists(st.sampled_from(KNOWN_AND_UNKNOWN_WORDS) | st.text(max_size=30), min_size=1, max_size=8))
def test_a_word_alone_is_encoded_as_among_others(words: list[str]) -> None:
    together = ENCODER.encode_words(words)
    for number, word in enumerate(words):
        assert row(together, number) == row(ENCODER.encode_words([word]), 0)


def test_taking_words_cuts_their_padding() -> None:
    features = ENCODER.encode_words(["Anna", "a", "of", ""])
    taken = features.take(np.array([2, 1]))
    assert taken.characters.shape == (2, 2)
    assert [row(taken, 0), row(taken, 1)] == [row(features, 2), row(features, 1)]
    assert features.take(np.array([3])).characters.shape == (1, 1)


def corpus_of(lengths: list[int]) -> tuple[list[Sentence], EncodedCorpus]:
    """Sentences of these lengths, tagged at random, and the same encoded."""
    chooser = np.random.default_rng(len(lengths))
    sentences = [
        Sentence(words, chooser.choice(["O", "B-PER", "B-LOC"], size=len(words)).tolist())
        for words in random_words(lengths)
    ]
    return sentences, EncodedCorpus(sentences, ENCODER, Scheme.BIOES)


@given(st.lists(st.integers(0, 7), min_size=1, max_size=9).filter(any), st.randoms())
def test_a_batch_holds_its_sentences(lengths: list[int], shuffler: np.random.Generator) -> None:
    sentences, corpus = corpus_of(lengths)
    asked = list(range(len(lengths)))
    shuffler.shuffle(asked)
    batch = corpus.batch(asked)
    expected = [number for number in asked if lengths[number]]
    assert sorted(batch.sentences.tolist()) == sorted(expected)
    assert batch.lengths.tolist() == sorted((lengths[number] for number in expected), reverse=True)
    assert batch.tokens == sum(lengths)
    assert batch.rows.shape == batch.tags.shape == (len(expected), max(lengths))
    for place, number in enumerate(batch.sentences.tolist()):
        sentence, length = sentences[number], lengths[number]
        assert batch.lengths[place] == length
        alone = ENCODER.encode_words(sentence.tokens)
        for step in range(length):
            assert row(batch.features, int(batch.rows[place, step])) == row(alone, step)
        tags = [KNOWN.tags[tag] for tag in batch.tags[place, :length]]
        assert tags == convert_tags(sentence.tags or [], Scheme.BIOES)
        assert not batch.rows[place, length:].any()
        assert not batch.tags[place, length:].any()


def test_each_distinct_word_stands_in_a_batch_once() -> None:
    corpus = EncodedCorpus([Sentence(["a", "b", "a"]), Sentence(["b", "A"]), Sentence(["c"])], ENCODER, Scheme.BIOES)
    assert len(corpus.batch([0, 1]).features) == 3  # a, b and A
    assert len(corpus.batch([2]).features) == 1
    rows = corpus.batch([0, 1]).rows
    assert rows[0, 0] == rows[0, 2]
    assert rows[0, 1] == rows[1, 0]


def test_sentences_of_one_length_keep_their_order() -> None:
    _, corpus = corpus_of([2, 3, 2, 3, 2])
    assert corpus.batch([4, 0, 3, 2, 1]).sentences.tolist() == [3, 1, 4, 0, 2]


def test_gold_tags_are_converted_to_the_models_scheme() -> None:
    sentences = [Sentence(list("abc"), ["I-PER", "I-PER", "I-LOC"])]  # IOB1
    batch = EncodedCorpus(sentences, ENCODER, Scheme.BIOES).batch([0])
    assert [KNOWN.tags[tag] for tag in batch.tags[0]] == ["B-PER", "E-PER", "S-LOC"]


def test_a_tag_that_the_model_does_not_know_is_marked() -> None:
    sentences = [Sentence(list("ab"), ["B-DRUG", "B-PER"])]
    batch = EncodedCorpus(sentences, ENCODER, Scheme.BIOES).batch([0])
    assert batch.tags[0].tolist() == [UNKNOWN_TAG, KNOWN.tags.index("S-PER")]


def test_sentences_without_tags_are_outside() -> None:
    batch = EncodedCorpus([Sentence(list("ab"))], ENCODER, Scheme.BIOES).batch([0])
    assert batch.tags[0].tolist() == [KNOWN.tags.index("O")] * 2


def test_the_length_of_a_corpus_counts_empty_sentences() -> None:
    _, corpus = corpus_of([0, 2, 0])
    assert len(corpus) == 3
    assert corpus.lengths.tolist() == [0, 2, 0]
