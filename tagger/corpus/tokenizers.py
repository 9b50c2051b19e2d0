"""Split running text into sentences and tokens, as character spans. No character is changed.

A tokenizer yields, for each sentence, the half-open spans of its tokens in the text. Spans are in order and never
overlap. Between them is only white space (for syntok, also zero-width spaces). A combining mark is never separated from
the character before it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from tagger.corpus.combining import CharSpan, Tokenizer, keep_marks
from tagger.corpus.sentence import Sentence
from tagger.errors import UserError, install_command

_NON_SPACE = re.compile(r"\S+")
_LINE = re.compile(r"[^\n]+")
_SURROGATE = re.compile("[\ud800-\udfff]")  # half a pair: valid in JSON, but spaCy cannot encode it
NAMES = "syntok, whitespace, characters or spacy:LANG"


def get_tokenizer(name: str) -> Tokenizer:
    """Return a tokenizer: `syntok`, `whitespace`, `characters`, or `spacy:LANG` (a blank spaCy pipeline).

    Raises:
        UserError: the name is unknown, or spaCy or its language is not available.
    """
    if name == "syntok":
        from tagger.corpus.syntok_spans import SyntokTokenizer

        return keep_marks(SyntokTokenizer(), base_alone=True)
    if name == "whitespace":
        return whitespace
    if name == "characters":
        return keep_marks(characters, base_alone=True)
    if name.startswith("spacy:"):
        return keep_marks(_spacy(name.removeprefix("spacy:")), base_alone=False)
    raise UserError(f"tokenizer {name!r} is unknown; use {NAMES}")


def split_text(text: str, tokenizer: Tokenizer, document: str | None = None) -> list[Sentence]:
    """Split `text` into sentences with offsets. Text without tokens gives none."""
    return [
        Sentence([text[start:end] for start, end in spans], text=text, offsets=spans, document=document)
        for spans in tokenizer(text)
    ]


def whitespace(text: str) -> Iterator[list[CharSpan]]:
    """Split tokens at white space, and sentences at line ends."""
    for line in _LINE.finditer(text):
        spans = [token.span() for token in _NON_SPACE.finditer(text, *line.span())]
        if spans:
            yield spans


def characters(text: str) -> Iterator[list[CharSpan]]:
    """Make every character a token, except white space, and every line a sentence. For scripts without spaces."""
    for line in _LINE.finditer(text):
        start, end = line.span()
        spans = [(position, position + 1) for position in range(start, end) if not text[position].isspace()]
        if spans:
            yield spans


def _spacy(language: str) -> Tokenizer:
    """Build a tokenizer from a blank spaCy pipeline with its rule-based sentence splitter."""
    try:
        import spacy
    except ImportError:
        raise UserError(f"tokenizer spacy:LANG needs spaCy; install the extra: {install_command('spacy')}") from None
    try:
        pipeline = spacy.blank(language)
        pipeline.add_pipe("sentencizer")
    except (ImportError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(
            f"tokenizer spacy:{language}: {reason}; use a language code spaCy has, such as spacy:de"
        ) from error
    pipeline.max_length = 2**62

    def tokenize(text: str) -> Iterator[list[CharSpan]]:
        for sentence in pipeline(_SURROGATE.sub("\ufffd", text)).sents:
            spans = [(token.idx, token.idx + len(token)) for token in sentence if not token.is_space]
            if spans:
                yield spans

    return tokenize
