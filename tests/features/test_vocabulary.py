"""Vocabularies: numbered from the training split alone, kept when extended, the same after JSON."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagger.config import AffixEmbedding, EmbeddingsConfig, WordEmbedding
from tagger.corpus.schemes import Scheme, convert_tags
from tagger.corpus.sentence import Sentence
from tagger.errors import UserError
from tagger.features.vocabulary import PAD, UNK, Vocabularies, Vocabulary, count_tokens, count_words, tag_inventory
from tagger.features.words import normalise
from tests.helpers.random_models import NER_TRAIN, POS_TRAIN, embeddings_config

MORE = [Sentence(["Zoë", "met", "Anna", "in", "東京"], ["B-PER", "O", "B-PER", "O", "B-GPE"])]


def built(sentences: list[Sentence] = NER_TRAIN, scheme: Scheme = Scheme.BIOES) -> Vocabularies:
    return Vocabularies.build(sentences, embeddings_config(), scheme)


def test_known_strings_are_numbered_behind_padding_and_unknown() -> None:
    vocabulary = Vocabulary(["b", "a"])
    assert (PAD, UNK, vocabulary["b"], vocabulary["a"], len(vocabulary)) == (0, 1, 2, 3, 4)


@pytest.mark.parametrize("entry", ["c", "", "<pad>", "<unk>", "A"])
def test_whatever_was_not_seen_is_unknown(entry: str) -> None:
    vocabulary = Vocabulary(["b", "a"])
    assert vocabulary[entry] == UNK
    assert entry not in vocabulary


def test_a_word_that_looks_like_a_special_one_is_a_word() -> None:
    assert Vocabulary(["<pad>"])["<pad>"] not in (PAD, UNK)


def test_an_entry_twice_is_refused() -> None:
    with pytest.raises(UserError, match="twice"):
        Vocabulary(["a", "b", "a"])


def test_entries_come_by_falling_count_and_then_by_alphabet() -> None:
    assert Vocabulary.from_counts({"b": 2, "c": 5, "a": 2, "rare": 1}, min_count=2).entries == ["c", "a", "b"]


@given(st.lists(st.text(max_size=3), unique=True), st.lists(st.text(max_size=3), unique=True))
def test_extending_keeps_old_numbers_and_knows_the_new(old: list[str], new: list[str]) -> None:
    before = Vocabulary(old)
    after = before.extended(Vocabulary(new))
    assert [after[entry] for entry in old] == [before[entry] for entry in old]
    assert set(after.entries) == {*old, *new}
    assert len(after) == 2 + len({*old, *new})


def test_vocabularies_know_the_training_split() -> None:
    known = built()
    for token in ("Anna", "Αθήνα", "北京", "25,000"):
        assert known.words[token.lower().replace("25", "00")] != UNK
        assert all(known.characters[character] != UNK for character in token)
        assert known.prefixes[2][token[:2].lower()] != UNK
        assert known.suffixes[3][token[-3:].lower()] != UNK


def test_vocabularies_know_nothing_else() -> None:
    known = built()
    tokens = {token for sentence in NER_TRAIN for token in sentence.tokens}
    assert set(known.characters.entries) == {character for token in tokens for character in token}
    assert set(known.words.entries) <= {
        token.lower().translate(str.maketrans("123456789", "000000000")) for token in tokens
    }
    assert known.words["zoë"] == UNK


def test_words_are_counted_in_their_normal_form() -> None:
    counts = dict(zip(built().words.entries, built().word_counts, strict=True))
    sentence = [Sentence(["The", "the", "THE", "12", "34", "cat"], ["O"] * 6)]
    few = Vocabularies.build(sentence, embeddings_config(), Scheme.IOB2)
    assert counts["the"] == 4  # "the the the" and "the U.S."
    assert dict(zip(few.words.entries, few.word_counts, strict=True)) == {"the": 3, "00": 2, "cat": 1}


def test_rare_words_and_affixes_are_left_out_where_asked() -> None:
    config = EmbeddingsConfig(word=WordEmbedding(min_count=2), affixes=AffixEmbedding(lengths=(2,), min_count=2))
    known = Vocabularies.build([Sentence(["aab", "aac", "aab", "dd"], ["O"] * 4)], config, Scheme.IOB2)
    assert known.words.entries == ["aab"]
    assert known.prefixes[2].entries == ["aa"]  # of two distinct words; how often they occur does not count
    assert known.suffixes[2].entries == []


@pytest.mark.parametrize("part", ["word", "affixes"])
def test_what_the_model_does_not_have_has_no_vocabulary(part: str) -> None:
    parts = [name for name in ("word", "characters", "shape", "affixes") if name != part]
    known = Vocabularies.build(NER_TRAIN, embeddings_config(parts), Scheme.BIOES)
    assert (known.words.entries == []) == (part == "word")
    assert (known.prefixes == {}) == (part == "affixes")


@pytest.mark.parametrize(
    ("scheme", "expected"),
    [
        (Scheme.IOB2, ["O", "B-LOC", "I-LOC", "B-PER", "I-PER"]),
        (
            Scheme.BIOES,
            ["O", "B-LOC", "I-LOC", "E-LOC", "S-LOC", "B-PER", "I-PER", "E-PER", "S-PER"],
        ),
    ],
)
@pytest.mark.parametrize("written", [Scheme.IOB2, Scheme.BIOES])
def test_the_tag_inventory_is_complete(scheme: Scheme, expected: list[str], written: Scheme) -> None:
    tags = convert_tags(["O", "B-PER", "I-PER", "B-LOC"], written)
    assert tag_inventory([Sentence(list("abcd"), tags)], scheme) == expected


@pytest.mark.parametrize("trained", [True, False])
def test_trained_static_vectors_have_a_vocabulary_without_a_word_embedding(trained: bool) -> None:
    config = embeddings_config(["static"], trained=trained)
    words = Vocabularies.build(NER_TRAIN, config, Scheme.BIOES).words.entries
    assert set(words) == ({normalise(t, True) for s in NER_TRAIN for t in s.tokens} if trained else set())


def test_plain_tags_are_taken_as_they_are() -> None:
    assert tag_inventory(POS_TRAIN, Scheme.PLAIN) == ["DET", "INTJ", "NOUN", "PROPN", "PUNCT", "VERB"]


@pytest.mark.parametrize("scheme", [Scheme.IOB2, Scheme.BIOES])
def test_vocabularies_survive_json(scheme: Scheme) -> None:
    known = built(scheme=scheme)
    again = Vocabularies.from_mapping(json.loads(json.dumps(known.to_mapping())))
    assert again.to_mapping() == known.to_mapping()
    assert list(again.prefixes) == list(known.prefixes)
    assert again.words["anna"] == known.words["anna"] != UNK
    assert again.tags == known.tags


@pytest.mark.parametrize("key", ["words", "characters", "shapes", "prefixes", "suffixes", "tags", "word_counts"])
@pytest.mark.parametrize("value", [None, "abc", 3, [None], [["a"]], {"a": 1}, {"2": 3}, {"x": []}])
def test_a_list_of_another_type_is_told_by_name(key: str, value: object) -> None:
    mapping = {**built().to_mapping(), key: value}
    with pytest.raises(UserError, match=rf"^({key}|2|vocabulary): "):
        Vocabularies.from_mapping(mapping)


def test_a_missing_list_is_told_by_name() -> None:
    mapping = built().to_mapping()
    del mapping["shapes"]
    with pytest.raises(UserError, match=r"^shapes: missing"):
        Vocabularies.from_mapping(mapping)


def test_a_count_too_few_is_told() -> None:
    mapping = built().to_mapping()
    mapping["word_counts"] = mapping["word_counts"][1:]
    with pytest.raises(UserError, match=r"^word_counts: "):
        Vocabularies.from_mapping(mapping)


def test_extended_vocabularies_keep_every_old_number() -> None:
    old, new = built(), built(MORE)
    both = old.extended(new, count_words(count_tokens(MORE), embeddings_config()))
    for name in ("words", "characters", "shapes"):
        before, after = getattr(old, name).entries, getattr(both, name).entries
        assert after[: len(before)] == before
        assert set(getattr(new, name).entries) <= set(after)
    for length, prefixes in old.prefixes.items():
        assert both.prefixes[length].entries[: len(prefixes.entries)] == prefixes.entries
        assert set(new.suffixes[length].entries) <= set(both.suffixes[length].entries)
    assert both.tags[: len(old.tags)] == old.tags
    assert set(both.tags) - set(old.tags) == {"B-GPE", "I-GPE", "E-GPE", "S-GPE"}


def test_extended_counts_are_those_of_the_new_split() -> None:
    both = built().extended(built(MORE), count_words(count_tokens(MORE), embeddings_config()))
    counts = dict(zip(both.words.entries, both.word_counts, strict=True))
    assert (counts["anna"], counts["zoë"], counts["cat"]) == (1, 1, 0)


def test_known_words_too_rare_for_the_new_split_s_own_vocabulary_are_counted() -> None:
    config = EmbeddingsConfig(word=WordEmbedding(min_count=2), affixes=None)
    first, second = ([Sentence(words.split(), ["O"] * 5)] for words in ("a a b b b", "B c c C d"))
    old, new = (Vocabularies.build(sentences, config, Scheme.IOB2) for sentences in (first, second))
    both = old.extended(new, count_words(count_tokens(second), config))
    assert dict(zip(both.words.entries, both.word_counts, strict=True)) == {"b": 1, "a": 0, "c": 3}
