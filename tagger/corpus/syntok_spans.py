"""syntok's sentences and tokens, every character kept, with little work for words met before.

syntok splits what stands between white space into tokens piece by piece, each for itself, so that a piece met before
need not be split again. Its segmenter then walks from token to token and asks at each punctuation mark whether a
sentence ends there, for which it looks at a few neighbours and at brackets. Here it is shown the marks, their
neighbours and what stands in brackets; a stretch without marks is never shown at all. What comes out is what syntok
gives when it is called with the whole text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise

from syntok import segmenter
from syntok.tokenizer import Token, Tokenizer

CharSpan = tuple[int, int]

_MOST_PIECES = 1 << 15
_LONGEST_PIECE = 100  # longer ones are seldom met twice, and would make the memory's size a matter of luck
_NEIGHBOURS = 3  # of a mark, on either side: one more than the segmenter looks at
_IN_BRACKETS = 50  # tokens among which the segmenter looks for the closing bracket
_OPENING = "([{\uff5f\uff5b\uff3b\uff08\ufe5d\ufe5b\ufe59\ufd3e\u301a\u3018\u2985\u2983\u2329"
_CLOSING = ")]}\uff60\uff5d\uff3d\uff09\ufe5e\ufe5c\ufe5a\ufd3f\u301b\u3019\u2986\u2984\u232a"
_DEPTH = dict.fromkeys(_OPENING, 1) | dict.fromkeys(_CLOSING, -1)
_FINAL = frozenset(".!?")  # the commonest marks behind which, at the very end, nothing can be parted
_PLAIN_WORD = re.compile("[A-Z]+[a-z]*|[a-z]+|[0-9]+")  # a token to syntok, no need to ask
_GAP = re.compile(r"[^\s\u200b]+")
_NO_MARKS = frozenset(",:-'\"#@%&*+=/_’`")  # common ones that neither end a sentence nor stand around a part of it


class SyntokTokenizer:
    """Running text to sentences, each the spans of its tokens.

    syntok's defaults rewrite contractions and drop hyphens, and its offsets begin anew with each paragraph; here
    "don't" gives "do", "n't", hyphens are tokens, and a span counts in the whole text. Whatever non-space characters
    syntok leaves out all the same become tokens of their own.

    Threads may share one. Calls share the memory of pieces alone, in which an entry never changes and is not looked up
    again after it was found; syntok's splitter holds settings only, and its segmenter is made for each call.
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
        """Where sentences end, in tokens."""
        shown = _shown(tokens, [number for number, token in enumerate(tokens) if token in self._pieces.marks])
        stream = (
            Token("" if number and spans[number - 1][1] == spans[number][0] else " ", tokens[number], spans[number][0])
            for number in shown
        )
        done = 0
        for sentence in segmenter.segment(stream):
            done += len(sentence)
            yield shown[done - 1] + 1 if done < len(shown) else len(tokens)


class _Pieces(dict[str, list[CharSpan] | None]):
    """Pieces of text without blanks to their tokens' spans, found when first met; None: the piece is a token.

    Attributes:
        marks: which of the tokens may end a sentence or open or close a bracket.
    """

    def __init__(self) -> None:
        self.marks: set[str] = set()
        self._splitter = Tokenizer(emit_hyphen_or_underscore_sep=True, replace_not_contraction=False)

    def __missing__(self, piece: str) -> list[CharSpan] | None:
        if _PLAIN_WORD.fullmatch(piece):
            placed = None
        else:
            spans = list(self._split(piece))
            # before the piece is stored: a thread that finds it there must know its marks
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
            if token.value.strip():  # some separators below U+0020 are no space to syntok
                yield start, end
            covered = end
        yield from _left_out(piece, covered, len(piece))


def _is_mark(token: str) -> bool:
    return token == "..." or (len(token) == 1 and not token.isalnum() and token not in _NO_MARKS)


def _shown(tokens: Sequence[str], marks: Sequence[int]) -> list[int]:
    """The tokens that the segmenter has to see: marks with their neighbours, and what may stand in brackets."""
    shown: set[int] = set()
    for mark in marks:
        shown.update(range(mark - _NEIGHBOURS, _bracket_end(tokens, mark) + _NEIGHBOURS + 1))
    return sorted(shown.intersection(range(len(tokens))))


def _bracket_end(tokens: Sequence[str], mark: int) -> int:
    """Where the bracket that a mark opens is closed, or the search for that ends; of another mark, the mark itself."""
    depth = 0
    for position in range(mark, min(mark + _IN_BRACKETS, len(tokens))):
        depth += _DEPTH.get(tokens[position], 0)
        if depth <= 0:
            return position
    return mark + _IN_BRACKETS


def _left_out(text: str, start: int, end: int) -> list[CharSpan]:
    return [gap.span() for gap in _GAP.finditer(text, start, end)] if end > start else []
