"""Tokenizers: nothing lost, offsets true."""

import importlib.util
import sys
from functools import cache
from itertools import chain, pairwise
from pathlib import Path
from unicodedata import category, normalize

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagger.corpus.combining import _marks
from tagger.corpus.tokenizers import get_tokenizer, split_text
from tagger.errors import UserError

NAMES = ["syntok", "whitespace", "characters"]
SPLITTING = ["syntok", "characters", *(["spacy:en", "spacy:hi"] if importlib.util.find_spec("spacy") else [])]
ACCENTED = ("uner_sk_snk", "uner_sv_talbanken", "lener_br", "ud_wo_wtb", "ud_ug_udt", "xsid", "unlabelled_pt")
PRECOMPOSED = st.text(
    st.one_of(
        st.sampled_from("aéñńÉắ가각が.'’t-_ \u0301\u094d\u200d\u200b\ufe0f❤"), st.characters(exclude_categories=["Cs"])
    )
)
TEXTS = st.text(st.sampled_from("ab Z.,'-_!?\n\t\r\u00a0\u2028\u200bé中۔#@/:0😀\u0301"), max_size=80)


kept_tokenizer = cache(get_tokenizer)


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


def words_of(name: str, text: str) -> list[list[str]]:
    return [sentence.tokens for sentence in split_text(text, kept_tokenizer(name))]


@pytest.mark.parametrize("name", ["syntok", *SPLITTING[2:]])
@pytest.mark.parametrize(
    "text",
    [
        "में दिल्ली",
        "தமிழ் மொழி",
        "বাংলা ভাষা",
        normalize("NFD", "René à été"),
        "می\u200cخواهم می\u200c",
        "क\u094d\u200dष ක\u0dca\u200d",
        "❤\ufe0f 1\ufe0f\u20e3",
    ],
)
def test_marks_stay_with_the_word_they_follow(name: str, text: str) -> None:
    assert list(chain.from_iterable(words_of(name, text))) == text.split()


def test_a_character_keeps_its_marks() -> None:
    assert words_of("characters", "दिल्ली e\u0301\u0323") == [["दि", "ल्", "ली", "e\u0301\u0323"]]


@pytest.mark.parametrize("name", ["syntok", "characters"])
def test_a_mark_behind_white_space_is_a_token(name: str) -> None:
    assert words_of(name, "\u0301\u0302 \u0301") == [["\u0301\u0302", "\u0301"]]


def test_all_of_unicodes_marks_are_known() -> None:
    every = {character for character in map(chr, range(sys.maxunicode + 1)) if category(character)[0] == "M"}
    assert every <= _marks()


@pytest.mark.parametrize("name", SPLITTING)
@given(text=PRECOMPOSED)
def test_decomposed_text_is_split_where_composed_text_is(name: str, text: str) -> None:
    decomposed = words_of(name, normalize("NFD", text))
    assert [[normalize("NFC", token) for token in tokens] for tokens in decomposed] == words_of(
        name, normalize("NFC", text)
    )


@pytest.mark.parametrize("name", SPLITTING[:2])
def test_accented_words_of_real_data_are_split_alike_in_either_form(name: str, shared_data: Path) -> None:
    paths = [path for folder in ACCENTED for path in (shared_data / folder).rglob("*") if path.is_file()]
    texts = (path.read_text(encoding="utf-8", errors="ignore") for path in paths if path.suffix != ".gz")
    words = {word for text in texts for word in text.split() if not word.isascii()}
    accented = sorted(word for word in words if normalize("NFC", word) != normalize("NFD", word))
    assert len(accented) > 1000

    def composed(form: str, word: str) -> list[str]:
        return [normalize("NFC", token) for tokens in words_of(name, normalize(form, word)) for token in tokens]

    assert [word for word in accented if composed("NFD", word) != composed("NFC", word)] == []
