"""Tag schemes: tags to spans and back, detection, and what may follow what.

Spans are read from tags the lenient way of conlleval and of seqeval's default mode, so IOB1, IOB2, BIOES, BILOU and IO
tags, and illegal mixtures of them, all have one reading: a span begins at B, S or U; at I, E or L after a token outside
any span, after a finished span (E, L, S, U), or after a span of another label; and it lasts while I, E or L of its own
label follow.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from enum import StrEnum

from tagger.corpus.sentence import Span
from tagger.errors import UserError

OUTSIDE = "O"
_PREFIXED = re.compile(r"([BIESLU])-(.+)", re.DOTALL)
_LETTERS = frozenset("BIESLU")
_BARE = frozenset("BI")
_UNNAMED = "_"  # the label of bare B and I tags, as in seqeval


class Scheme(StrEnum):
    """How tags mark spans."""

    IOB1 = "iob1"
    IOB2 = "iob2"
    BIOES = "bioes"
    BILOU = "bilou"
    IO = "io"
    PLAIN = "plain"


def split_tag(tag: str) -> tuple[str, str]:
    """`"B-PER"` → `("B", "PER")`; `"O"` → `("O", "")`; a bare `"B"` has the label `"_"`; `"PER"` is `("I", "PER")`."""
    if tag == OUTSIDE:
        return OUTSIDE, ""
    if tag[1:2] == "-" and tag[0] in _LETTERS:
        return tag[0], tag[2:] or _UNNAMED
    return (tag, _UNNAMED) if tag in _BARE else ("I", tag)


def has_prefix(tag: str) -> bool:
    """Whether a tag is written as prefix and label (`B-PER`), as O, plain tags and bare labels are not."""
    return _PREFIXED.fullmatch(tag) is not None


def detect_scheme(tag_sequences: Iterable[Sequence[str]], source: str = "data") -> Scheme:
    """The scheme that tag sequences are written in.

    Plain tags (parts of speech) have no prefixes. Labels without a prefix beside a majority of O tags are spans in IO.
    B and I tags are IOB1 where B only ever parts two neighbours of one label, IO where B never occurs and otherwise
    IOB2, also where a few spans open with I.

    Args:
        tag_sequences: tags as read, a sequence per sentence.
        source: where they were read, for the message.

    Raises:
        UserError: prefixed tags stand beside unprefixed ones, or BIOES letters beside BILOU letters.
    """
    survey = _Survey()
    for tags in tag_sequences:
        survey.add(tags)
    prefixes, unprefixed = survey.prefixes, survey.unprefixed
    if unprefixed and prefixes:
        raise UserError(
            f"{source}: tags of mixed schemes: {min(unprefixed)!r} is not written as prefix and label, while others "
            f"begin with {'-, '.join(sorted(prefixes))}-; correct the tags or set data.tag_column"
        )
    if unprefixed:
        if unprefixed <= _BARE and survey.outside:
            return Scheme.IOB2
        return Scheme.IO if 2 * survey.outside > survey.total else Scheme.PLAIN
    if prefixes & set("ES") and prefixes & set("LU"):
        raise UserError(
            f"{source}: tags of mixed schemes: BIOES and BILOU prefixes ({', '.join(sorted(prefixes))}) side by side; "
            "write one of the two"
        )
    if prefixes & set("ES"):
        return Scheme.BIOES
    if prefixes & set("LU"):
        return Scheme.BILOU
    if prefixes == {"I"}:
        return Scheme.IO
    return Scheme.IOB1 if prefixes == {"B", "I"} and survey.iob1_fits else Scheme.IOB2


class _Survey:
    """What tags there are, over many sentences."""

    def __init__(self) -> None:
        self.prefixes: set[str] = set()
        self.unprefixed: set[str] = set()
        self.outside = self.total = 0
        self.iob1_fits = True  # so far B has parted two neighbours of one label only

    def add(self, tags: Sequence[str]) -> None:
        previous = OUTSIDE
        for tag in tags:
            if tag == OUTSIDE:
                self.outside += 1
            elif has_prefix(tag):
                self.prefixes.add(tag[0])
                if tag[0] == "B" and (previous == OUTSIDE or previous[2:] != tag[2:]):
                    self.iob1_fits = False
            else:
                self.unprefixed.add(tag)
            previous = tag
        self.total += len(tags)


def spans_from_tags(tags: Sequence[str]) -> list[Span]:
    """Spans of a tag sequence in any span scheme, read leniently (see the module's docstring)."""
    spans: list[Span] = []
    start = -1  # first token of the open span; -1: none is open
    open_label = ""
    for position, tag in enumerate(tags):
        prefix, label = split_tag(tag)
        if start >= 0 and (prefix in "OBSU" or label != open_label):
            spans.append(Span(start, position, open_label))
            start = -1
        if prefix == OUTSIDE:
            continue
        if start < 0:
            start, open_label = position, label
        if prefix in "ESLU":
            spans.append(Span(start, position + 1, label))
            start = -1
    if start >= 0:
        spans.append(Span(start, len(tags), open_label))
    return spans


def tags_from_spans(spans: Iterable[Span], length: int, scheme: Scheme = Scheme.IOB2) -> list[str]:
    """Write non-overlapping spans as `length` tags. `scheme` is IOB2 or BIOES."""
    assert scheme in (Scheme.IOB2, Scheme.BIOES)
    tags = [OUTSIDE] * length
    for start, end, label in spans:
        tags[start:end] = [f"B-{label}"] + [f"I-{label}"] * (end - start - 1)
        if scheme is Scheme.BIOES:
            tags[end - 1] = f"{'S' if end - start == 1 else 'E'}-{label}"
    return tags


def convert_tags(tags: Sequence[str], scheme: Scheme) -> list[str]:
    """Tags of any span scheme rewritten in `scheme` (IOB2, BIOES); plain tags are returned as they are."""
    if scheme is Scheme.PLAIN:
        return list(tags)
    return tags_from_spans(spans_from_tags(tags), len(tags), scheme)


def may_follow(scheme: Scheme, before: str | None, after: str | None) -> bool:
    """Whether `scheme` allows tag `after` right behind tag `before`; None stands for the sentence's begin and end."""
    if scheme is Scheme.PLAIN:
        return True
    prefix, label = split_tag(after if after is not None else OUTSIDE)
    previous, previous_label = split_tag(before if before is not None else OUTSIDE)
    if scheme is Scheme.IOB2:
        return prefix != "I" or (previous in "BI" and previous_label == label)
    assert scheme is Scheme.BIOES
    if previous in "BI":
        return prefix in "IE" and previous_label == label
    return prefix in "OBS"


def count_illegal(tags: Sequence[str], scheme: Scheme) -> int:
    """How many places of a tag sequence break its scheme (IOB2 or BIOES), the sentence's end included."""
    return sum(
        not may_follow(scheme, before, after) for before, after in zip([None, *tags], [*tags, None], strict=True)
    )
