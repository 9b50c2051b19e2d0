"""Tokenizers: nothing lost, offsets true."""

import importlib.util
from itertools import chain, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagger.corpus.tokenizers import get_tokenizer, split_text
from tagger.errors import UserError

NAMES = ["syntok", "whitespace", "characters"]
TEXTS = st.text(st.sampled_from("ab Z.,'-_!?\n\t\r\u00a0\u2028\u200bé中۔#@/:0😀\u0301"), max_size=80)


def spaceless(text: str) -> str:
    return "".join(character for character in text if not character.isspace() and character != "\u200b")


@pytest.mark.parametrize("name", NAMES)
@given(text=TEXTS)
def test_tokens_cover_all_but_white_space_in_order(name: str, text: str) -> None:
    spans = list(chain.from_iterable(get_tokenizer(name)(text)))
    assert all(0 <= start < end <= len(text) for start, end in spans)
    assert all(before[1] <= after[0] for before, after in pairwise(spans))
    assert spaceless("".join(text[start:end] for start, end in spans)) == spaceless(text)


@pytest.mark.parametrize("name", NAMES)
@given(text=TEXTS)
def test_sentences_are_never_empty(name: str, text: str) -> None:
    assert all(get_tokenizer(name)(text))


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("syntok", "I don't know Dr. Who. Well-known\n\nNext.", [
            ["I", "do", "n't", "know", "Dr", ".", "Who", "."], ["Well", "-", "known"], ["Next", "."],
        ]),
        ("whitespace", "a  b.\n\nc d", [["a", "b."], ["c", "d"]]),
        ("characters", "他 来\n了", [["他", "来"], ["了"]]),
    ],
)  # fmt: skip
def test_sentences_and_tokens(name: str, text: str, expected: list[list[str]]) -> None:
    sentences = split_text(text, get_tokenizer(name), document="d")
    assert [sentence.tokens for sentence in sentences] == expected
    assert all(sentence.document == "d" and sentence.text == text for sentence in sentences)
    for sentence in sentences:
        assert sentence.offsets is not None
        assert [text[start:end] for start, end in sentence.offsets] == sentence.tokens


def test_an_unknown_tokenizer_is_told_with_those_there_are() -> None:
    with pytest.raises(UserError, match="use syntok, whitespace, characters or spacy:LANG"):
        get_tokenizer("moses")


@pytest.mark.skipif(importlib.util.find_spec("spacy") is not None, reason="spaCy is installed")
def test_a_missing_spacy_names_the_extra() -> None:
    with pytest.raises(UserError, match=r"tagger\[spacy\]"):
        get_tokenizer("spacy:en")


def test_spacy_keeps_offsets() -> None:
    pytest.importorskip("spacy")
    text = "Hello  there. You!"
    sentences = split_text(text, get_tokenizer("spacy:en"))
    assert [sentence.tokens for sentence in sentences] == [["Hello", "there", "."], ["You", "!"]]
    with pytest.raises(UserError, match="use a language code spaCy has"):
        get_tokenizer("spacy:xxx")


def test_spacy_takes_half_a_surrogate_pair() -> None:
    pytest.importorskip("spacy")
    (sentence,) = split_text("a \ud83d b", get_tokenizer("spacy:en"))
    assert sentence.tokens == ["a", "\ud83d", "b"]
