"""Targets: the tokenizers. Spans are in order, and what lies between them is white space."""

from __future__ import annotations

from functools import cache

from tagger.corpus.tokenizers import Tokenizer, get_tokenizer, split_text

_ZERO_WIDTH = "\u200b"


def whitespace(data: bytes) -> None:
    """What stands between white space."""
    check("whitespace", as_text(data))


def characters(data: bytes) -> None:
    """Every character."""
    check("characters", as_text(data))


def syntok(data: bytes) -> None:
    """syntok's rules, which do not depend on what was met before."""
    text = as_text(data)
    check("syntok", text, _ZERO_WIDTH)
    assert list(_tokenizer("syntok")(text)) == list(get_tokenizer("syntok")(text))


def spacy(data: bytes) -> None:
    """A blank pipeline of spaCy."""
    check("spacy:en", as_text(data))


def as_text(data: bytes) -> str:
    """Text of any characters; half surrogate pairs, which JSON can hold, among them."""
    try:
        return data.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return data.decode("utf-8", "replace")


def check(name: str, text: str, nothing: str = "") -> None:
    """Sentences with tokens in order, and between them nothing but white space and what is `nothing`."""
    position = 0
    for sentence in split_text(text, _tokenizer(name)):
        assert sentence.tokens
        for token, (start, end) in zip(sentence.tokens, sentence.offsets or [], strict=True):
            assert position <= start < end
            assert text[start:end] == token
            assert token.strip()
            assert not text[position:start].replace(nothing or " ", " ").strip()
            position = end
    assert not text[position:].replace(nothing or " ", " ").strip()


@cache
def _tokenizer(name: str) -> Tokenizer:
    return get_tokenizer(name)
