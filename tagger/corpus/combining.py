"""Keep combining marks, such as vowel signs and accents, in the token of the character that they follow.

A cluster is a character with the marks behind it. Marks are Unicode's Mn, Mc and Me, which include variation selectors,
zero-width joiners, and the vowels and final consonants of a decomposed Hangul syllable. White space takes no marks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from itertools import chain, pairwise
from unicodedata import category, normalize

CharSpan = tuple[int, int]
Tokenizer = Callable[[str], Iterator[list[CharSpan]]]

_JOINERS = "\u200c\u200d"
_ZERO_WIDTH_SPACE = "\u200b"  # white space to syntok
_HANGUL = (range(0x1160, 0x1200), range(0xD7B0, 0xD7FC))  # medial and final letters
_WITH_MARKS = (range(0x300, 0x20000), range(0xE0100, 0xE01F0))  # no code point outside these is a mark


def keep_marks(tokenizer: Tokenizer, *, base_alone: bool) -> Tokenizer:
    """Wrap a tokenizer so that it never cuts a cluster.

    The tokenizer sees each cluster composed, so that decomposed text (NFD) is split where composed text (NFC) is. Text
    without marks reaches it unchanged.

    Args:
        tokenizer: yields the spans of each sentence.
        base_alone: pass only the first character of each composed cluster, without its remaining marks. Use this for
            tokenizers that do not know marks. Others need the marks to recognise words.
    """

    def tokenize(text: str) -> Iterator[list[CharSpan]]:
        if text.isascii() or _marks().isdisjoint(text):
            yield from tokenizer(text)
            return
        composed_text, starts, ends = _composed(text, base_alone)
        done = 0
        for sentence in tokenizer(composed_text):
            spans = []
            for first, last in sentence:
                start, end = max(starts[first], done), ends[last - 1]
                if start < end:  # else the rest of a cluster that the previous token holds
                    spans.append((start, end))
                    done = end
            if spans:
                yield spans

    return tokenize


@cache
def _marks() -> frozenset[str]:
    """Return the characters that belong to the one before them."""
    marks = (chr(code) for code in chain(*_WITH_MARKS) if category(chr(code)).startswith("M"))
    return frozenset(marks).union(_JOINERS, map(chr, chain(*_HANGUL)))


def _composed(text: str, base_alone: bool) -> tuple[str, list[int], list[int]]:
    """Compose the clusters of a text.

    Returns:
        The composed text. For each of its characters, the start and the end of its cluster in `text`.
    """
    marks = _marks()
    beginnings = [
        position
        for position, (before, character) in enumerate(zip(f" {text}", text, strict=False))
        if character not in marks or before.isspace() or before == _ZERO_WIDTH_SPACE
    ]
    composed_text: list[str] = []
    starts: list[int] = []
    ends: list[int] = []
    for start, end in pairwise([*beginnings, len(text)]):
        cluster = text[start:end]
        if end - start > 1:
            composed = normalize("NFC", cluster)
            cluster = composed[0] if base_alone else composed
        composed_text.append(cluster)
        starts.extend([start] * len(cluster))
        ends.extend([end] * len(cluster))
    return "".join(composed_text), starts, ends
