"""Split text with syntok, keeping every character, and caching the tokens of known words.

syntok tokenises each piece of text between white space on its own. So the tokens of a piece can be cached. Its
segmenter then decides at each punctuation mark whether a sentence ends there. For that it looks at a few neighbours and
at brackets. This module passes it only the marks, their neighbours and the tokens in brackets. The result is the same
as syntok's on the whole text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise

from syntok import segmenter
from syntok.tokenizer import Token, Tokenizer

CharSpan = tuple[int, int]

_MOST_PIECES = 1 << 15
_LONGEST_PIECE = 100  # characters; longer pieces seldom occur twice, and the cache needs bounded entries
_NEIGHBOURS = 3  # tokens on either side of a mark: one more than the segmenter looks at
_IN_BRACKETS = 50  # tokens in which the segmenter looks for the closing bracket
_OPENING = "([{\uff5f\uff5b\uff3b\uff08\ufe5d\ufe5b\ufe59\ufd3e\u301a\u3018\u2985\u2983\u2329"
_CLOSING = ")]}\uff60\uff5d\uff3d\uff09\ufe5e\ufe5c\ufe5a\ufd3f\u301b\u3019\u2986\u2984\u232a"
_DEPTH = dict.fromkeys(_OPENING, 1) | dict.fromkeys(_CLOSING, -1)
_FINAL = frozenset(".!?")  # common marks; as the last token they cannot split the text
_PLAIN_WORD = re.compile("[A-Z]+[a-z]*|[a-z]+|[0-9]+")  # always a single token to syntok
_GAP = re.compile(r"[^\s\u200b]+")
_NO_MARKS = frozenset(",:-'\"#@%&*+=/_’`")  # common punctuation that neither ends a sentence nor is a bracket


class SyntokTokenizer:
    """Tokenizer that yields the token spans of each sentence.

    Differences from syntok's defaults:

    - Contractions are not rewritten: "don't" gives "do", "n't".
    - Hyphens are tokens.
    - Spans refer to the whole text, not to the paragraph.
    - Other characters that syntok drops become tokens, except white space.

    Threads may share a tokenizer. Calls share only the cache of pieces, whose entries never change. syntok's splitter
    holds only settings, and each call has its own segmenter.
    """

    def __init__(self) -> None:
        self._pieces = _Pieces()

    def __call__(self, text: str) -> Iterator[list[CharSpan]]:
        if "\n" not in text:
            yield from self._sentences(text, 0)
            return
        for start, paragraph in segmenter.preprocess_with_offsets(text):
            yield from self._sentences(paragraph, start)

    def _sentences(self, paragraph: str, position: int) -> Iterator[list[CharSpan]]:
        tokens: list[str] = []
        spans: list[CharSpan] = []
        pieces = self._pieces
        for piece in paragraph.replace("\n", " ").split(" "):
            end = position + len(piece)
            placed = pieces[piece]
            if placed is None:
                tokens.append(piece)
                spans.append((position, end))
            else:
                tokens.extend([piece[first:last] for first, last in placed])
                spans.extend([(position + first, position + last) for first, last in placed])
            position = end + 1
        if not spans:
            return
        if self._pieces.marks.isdisjoint(tokens[:-1] if tokens[-1] in _FINAL else tokens):
            yield spans
            return
        for begin, end in pairwise([0, *self._ends(tokens, spans)]):
            yield spans[begin:end]

    def _ends(self, tokens: Sequence[str], spans: Sequence[CharSpan]) -> Iterator[int]:
        """Yield the end of each sentence, as a token number."""
        needed = _segmenter_tokens(
            tokens, [number for number, token in enumerate(tokens) if token in self._pieces.marks]
        )
        stream = (
            Token("" if number and spans[number - 1][1] == spans[number][0] else " ", tokens[number], spans[number][0])
            for number in needed
        )
        done = 0
        for sentence in segmenter.segment(stream):
            done += len(sentence)
            yield needed[done - 1] + 1 if done < len(needed) else len(tokens)


class _Pieces(dict[str, list[CharSpan] | None]):
    """Cache from a piece of text without spaces to the spans of its tokens. None: the piece is a single token.

    Attributes:
        marks: tokens found so far that may end a sentence, or open or close a bracket.
    """

    def __init__(self) -> None:
        self.marks: set[str] = set()
        self._splitter = Tokenizer(emit_hyphen_or_underscore_sep=True, replace_not_contraction=False)

    def __missing__(self, piece: str) -> list[CharSpan] | None:
        if _PLAIN_WORD.fullmatch(piece):
            placed = None
        else:
            spans = list(self._split(piece))
            # before storing the piece: another thread that finds it must know its marks
            self.marks.update(token for token in (piece[start:end] for start, end in spans) if _is_mark(token))
            placed = None if spans == [(0, len(piece))] else spans
        if len(self) >= _MOST_PIECES:
            self.clear()
        if len(piece) <= _LONGEST_PIECE:
            self[piece] = placed
        return placed

    def _split(self, piece: str) -> Iterator[CharSpan]:
        covered = 0
        for token in self._splitter.tokenize(piece):
            start, end = token.offset, token.offset + len(token.value)
            yield from _left_out(piece, covered, start)
            if token.value.strip():  # syntok does not take some separators below U+0020 for white space
                yield start, end
            covered = end
        yield from _left_out(piece, covered, len(piece))


def _is_mark(token: str) -> bool:
    return token == "..." or (len(token) == 1 and not token.isalnum() and token not in _NO_MARKS)


def _segmenter_tokens(tokens: Sequence[str], marks: Sequence[int]) -> list[int]:
    """Return the tokens that the segmenter needs: marks with their neighbours, and tokens that may be in brackets."""
    needed: set[int] = set()
    for mark in marks:
        needed.update(range(mark - _NEIGHBOURS, _bracket_end(tokens, mark) + _NEIGHBOURS + 1))
    return sorted(needed.intersection(range(len(tokens))))


def _bracket_end(tokens: Sequence[str], mark: int) -> int:
    """Return where the bracket opened at `mark` closes, or where the search ends. For other marks, return `mark`."""
    depth = 0
    for position in range(mark, min(mark + _IN_BRACKETS, len(tokens))):
        depth += _DEPTH.get(tokens[position], 0)
        if depth <= 0:
            return position
    return mark + _IN_BRACKETS


def _left_out(text: str, start: int, end: int) -> list[CharSpan]:
    return [gap.span() for gap in _GAP.finditer(text, start, end)] if end > start else []
