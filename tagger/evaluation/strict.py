"""Read tags strictly: find spans that follow all rules of their scheme, and count places that break the rules."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from tagger.corpus.schemes import OUTSIDE, Scheme, count_illegal, split_tag
from tagger.corpus.sentence import Span

_BEGIN_INSIDE = (Scheme.IOB1, Scheme.IO)  # schemes whose spans open with I


class _Tag(NamedTuple):
    prefix: str
    label: str


_BEFORE_ALL = _Tag(OUTSIDE, "")


def strict_spans(tags: Sequence[str], scheme: Scheme) -> list[Span]:
    """Find the spans that seqeval finds with `mode="strict"`. A sequence that breaks the scheme is no span.

    IOB2: B, then any number of I with the same label. BIOES and BILOU: B … E, or S. IOB1 and IO: a run of I with the
    same label; it may begin with B directly after a span of that label.

    `tags` are as `readable_tags` returns them, and the scheme (not PLAIN) is that of the tags as they were read.
    """
    spans: list[Span] = []
    start = -1  # first token of the open span; -1: none is open
    before = _BEFORE_ALL
    for position, tag in enumerate([*tags, OUTSIDE]):
        here = _Tag(*split_tag(tag))
        if start >= 0 and not _continues(before, here):
            if _closes(before, here, scheme):
                spans.append(Span(start, position, before.label))
            start = -1
        if start < 0 and _opens(before, here, scheme):
            start = position
        before = here
    return spans


def illegal_places(tags: Sequence[str], scheme: Scheme) -> int:
    """Count the places that break the scheme, including the end of the sentence. Arguments as in `strict_spans`."""
    if scheme is Scheme.PLAIN:
        return 0
    if scheme in _BEGIN_INSIDE:
        read = [_BEFORE_ALL, *(_Tag(*split_tag(tag)) for tag in tags)]
        return sum(here.prefix not in "OI" and not _opens(before, here, scheme) for before, here in pairwise(read))
    return count_illegal(tags, Scheme.IOB2 if scheme is Scheme.IOB2 else Scheme.BIOES)


def _continues(before: _Tag, here: _Tag) -> bool:
    return before.prefix in "BI" and here.prefix in "IE" and before.label == here.label


def _opens(before: _Tag, here: _Tag, scheme: Scheme) -> bool:
    if scheme in _BEGIN_INSIDE:
        return here.prefix == "I" or (here.prefix == "B" and before.prefix in "BI" and before.label == here.label)
    return here.prefix == "B" or (here.prefix == "S" and scheme is not Scheme.IOB2)


def _closes(last: _Tag, here: _Tag, scheme: Scheme) -> bool:
    """Return whether a span that ends with `last` is complete when `here` is the next tag."""
    if scheme in _BEGIN_INSIDE:
        return not (last.prefix == here.prefix == "B" and last.label != here.label)
    return scheme is Scheme.IOB2 or last.prefix in "ES"
