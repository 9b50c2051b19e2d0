"""What a benchmark tags: no sentence twice, the test split among them, tokens as text."""

from __future__ import annotations

import sys
from itertools import product
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagger.corpus.dataset import Split
from tagger.corpus.schemes import Scheme
from tagger.corpus.sentence import Sentence
from tagger.errors import UserError
from tagger.evaluation.scores import score
from tests.helpers.scripts import load_script
from tests.helpers.small_corpus import write_column_file

pytestmark = pytest.mark.extended

load_script("benchmark.py")
material = sys.modules["benchmarks.material"]

WORDS = st.sampled_from(["a", "b", "c", "Ada", "(", ")", "n't", "."])
SENTENCES = st.lists(st.lists(WORDS, min_size=1, max_size=5), min_size=1, max_size=12)


def split_of(sentences: list[list[str]]) -> Split:
    return Split("test", [Sentence(tokens, ["O"] * len(tokens)) for tokens in sentences], Scheme.IOB2, [])


def tagged_split(*sentences: tuple[str, str]) -> Split:
    made = [Sentence(words.split(), tags.split()) for words, tags in sentences]
    return Split("test", made, Scheme.IOB2, [])


@given(test=SENTENCES, pool=SENTENCES, more=st.integers(0, 20))
def test_no_sentence_stands_twice_and_the_test_split_is_there(
    test: list[list[str]], pool: list[list[str]], more: int
) -> None:
    distinct = {(*sentence,) for sentence in [*test, *pool]}
    wanted = min(more + sum(map(len, set(map(tuple, test)))), sum(map(len, distinct)))  # type: ignore[arg-type]
    found = material.gather(split_of(test), {"pool": pool}, wanted)
    assert len({(*sentence,) for sentence in found.sentences}) == len(found.sentences)
    assert [found.sentences[place] for place in found.places] == test
    assert found.tokens == sum(map(len, found.sentences)) >= wanted
    assert sum(found.sources.values()) + found.spliced == found.tokens


def test_where_sentences_are_too_few_halves_are_joined() -> None:
    pool = [["a", "b", "c", "d"], ["e", "f", "g"], ["h", "i"]]
    found = material.gather(split_of([["x", "y"]]), {"pool": pool}, 30)
    given_ones = [["x", "y"], *pool]
    halves = [one[: (len(one) + 1) // 2] + other[len(other) // 2 :] for one, other in product(given_ones, given_ones)]
    made = [sentence for sentence in found.sentences if sentence not in given_ones]
    assert made
    assert all(sentence in halves for sentence in made)
    assert found.spliced == sum(map(len, made))


def test_too_few_sentences_to_make_any_are_told_of() -> None:
    with pytest.raises(UserError, match="no more than 1 tokens without repeats; lower --tokens"):
        material.gather(split_of([["a"]]), {}, 100)


@given(sentences=SENTENCES)
def test_splices_repeat_nothing(sentences: list[list[str]]) -> None:
    made = [(*sentence,) for sentence in material.splices(sentences)]
    assert len({*made}) == len(made)
    assert not {*made} & {(*sentence,) for sentence in sentences}


@given(tokens=st.lists(st.one_of(WORDS, st.text(min_size=1, max_size=4)), max_size=6))
def test_tokens_are_found_in_the_text_made_of_them(tokens: list[str]) -> None:
    text, offsets = material.as_text(tokens)
    assert len(text.splitlines()) <= 1
    assert [text[start:end].split() for start, end in offsets] == [token.split() for token in tokens]
    assert all(end == start + len(token) for token, (start, end) in zip(tokens, offsets, strict=True))


def test_text_has_blanks_where_english_has_them() -> None:
    tokens = ["Ada", "(", "of", "London", ")", ",", "it", "'s", "said", ",", "did", "n't", "."]
    assert material.as_text(tokens)[0] == "Ada (of London), it's said, didn't."


@pytest.fixture
def gathered() -> material.Material:
    test = tagged_split(("Ada met Bo", "B-PER O B-PER"), ("in New York", "O B-LOC I-LOC"), ("Ada met Bo", "O O B-PER"))
    return material.gather(test, {"pool": [["x", "y"], ["z"]]}, 9)


def test_what_is_predicted_is_scored_by_the_whole_tagged_split(gathered: material.Material) -> None:
    guesses = {"Ada met Bo": ["B-PER", "O", "B-PER"], "in New York": ["O", "B-LOC", "O"]}
    predicted = [guesses.get(" ".join(tokens), ["O"] * len(tokens)) for tokens in gathered.sentences]
    gold = [sentence.tags or [] for sentence in gathered.test.sentences]
    in_order = [guesses[" ".join(sentence.tokens)] for sentence in gathered.test.sentences]
    assert gathered.test_score(predicted) == pytest.approx(score(gold, in_order, Scheme.IOB2).micro.f1)
    assert 0 < gathered.test_score(predicted) < 1


def test_a_tag_too_few_is_no_score(gathered: material.Material) -> None:
    with pytest.raises(ValueError, match="not a tag for each token"):
        gathered.test_score([["O"] * (len(tokens) - 1) for tokens in gathered.sentences])


def test_entities_of_text_are_scored_by_characters(gathered: material.Material) -> None:
    known = {"Ada met Bo": [(0, 3, "PER"), (8, 10, "PER")], "in New York": [(3, 11, "LOC")]}
    records = []
    for tokens in gathered.sentences:
        found = known.get(" ".join(tokens), [])
        entities = [{"start": start, "end": end, "label": label} for start, end, label in found]
        records.append({"text": " ".join(tokens), "entities": entities})
    assert gathered.test_score_of_text(records) == pytest.approx(2 * 4 / (5 + 4))  # 4 right of 5 found, 4 there
    with pytest.raises(ValueError, match="not the lines"):
        gathered.test_score_of_text(records[1:])


def test_data_sets_of_the_same_language_beside_it_are_read(tmp_path: Path) -> None:
    for preset, names in {"btc": ("btc.train", "btc.dev", "btc.test"), "uner_da_ddt": (), "wikigold": ()}.items():
        (tmp_path / preset).mkdir()
        for number, name in enumerate(names):
            write_column_file(tmp_path / preset / name, 3, number)
    found, unread = material.siblings(tmp_path, "wnut17", "en")
    assert {name: len(sentences) for name, sentences in found.items()} == {"btc": 9}
    assert [line.partition(":")[0] for line in unread] == ["wikigold is not in the input"]


def test_siblings_hold_a_million_tokens_without_repeats(shared_data: Path) -> None:
    found, unread = material.siblings(shared_data, "wnut17", "en")
    assert [line.partition(" ")[0] for line in unread] == ["redocred", "uner_en_ewt"], "their train files are elsewhere"
    distinct = {(*tokens,) for sentences in found.values() for tokens in sentences}
    assert sum(map(len, distinct)) > 1_000_000
