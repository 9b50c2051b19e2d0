"""Convert between tags and spans, detect tag schemes, and define legal transitions.

Spans are read leniently, as conlleval and seqeval's default mode do. IOB1, IOB2, BIOES, BILOU and IO tags, and illegal
mixtures of them, all have exactly one reading:

- A span begins at B, S or U.
- A span also begins at I, E or L after O, after a finished span (E, L, S, U), or after a span of another label.
- A span continues while I, E or L of its label follow.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence, Set
from enum import StrEnum
from itertools import repeat

from tagger.corpus.sentence import Span
from tagger.errors import UserError

OUTSIDE = "O"
IGNORED = "_"  # in sentences with `PartialLabels`, the label of tokens whose labels are not known
_IN_SMALL_LETTERS = re.compile(r"[bieslu]-.+", re.DOTALL)
_PREFIXED = re.compile(r"([BIESLU])-(.+)", re.DOTALL)
_LETTERS = frozenset("BIESLU")
UNNAMED = "_"  # the label of bare tags (B, I, E, ...), as in seqeval


class Scheme(StrEnum):
    """A tag scheme: the convention by which tags mark spans."""

    IOB1 = "iob1"
    IOB2 = "iob2"
    BIOES = "bioes"
    BILOU = "bilou"
    IO = "io"
    PLAIN = "plain"


def split_tag(tag: str) -> tuple[str, str]:
    """Split a tag into prefix and label.

    `"B-PER"` → `("B", "PER")`; `"O"` → `("O", "")`; `"PER"` → `("I", "PER")`. A bare prefix has the label `"_"`:
    `"B"` → `("B", "_")`.
    """
    if tag == OUTSIDE:
        return OUTSIDE, ""
    if tag[1:2] == "-" and tag[0] in _LETTERS:
        return tag[0], tag[2:] or UNNAMED
    return (tag, UNNAMED) if tag in _LETTERS else ("I", tag)


def is_bare(tag: str) -> bool:
    """Return whether a tag is a prefix without a label (`B`). Bare tags mark spans of one unnamed type."""
    return tag in _LETTERS


def is_ignored(tag: str) -> bool:
    """Return whether a plain tag, or the label of a tag with prefix, is IGNORED (`_`, `B-_`)."""
    return tag == IGNORED or tag[1:] == f"-{IGNORED}"


def prefixed(tag: str, scheme: Scheme) -> str:
    """Write a tag as prefix and label: in IO `"PER"` → `"I-PER"`, in other span schemes bare `"B"` → `"B-_"`.

    All other tags, and all tags of PLAIN, are returned unchanged.
    """
    if tag == OUTSIDE or scheme is Scheme.PLAIN or has_prefix(tag):
        return tag
    if scheme is Scheme.IO:
        return f"I-{tag}"
    return f"{tag}-{UNNAMED}" if is_bare(tag) else tag


def bare_note(tags: Iterable[str], source: str) -> str:
    """Return a note for people on how bare tags were read."""
    return f"{source}: bare tags {', '.join(sorted(tags))} read as spans of one type without a name ({UNNAMED})"


def has_prefix(tag: str) -> bool:
    """Return whether a tag has both prefix and label (`B-PER`). O, plain tags and bare prefixes do not."""
    return _PREFIXED.fullmatch(tag) is not None


def detect_scheme(
    tag_sequences: Iterable[Sequence[str]], source: str = "data", places: Iterable[str] | None = None
) -> Scheme:
    """Detect the scheme of tag sequences.

    Tags without prefixes:

    - If all tags except O are bare prefixes (`B`, `I`, `E`, ...), they mark spans of one unnamed type. Their letters
      determine the scheme, as in conlleval and seqeval.
    - If most tags are O, other labels are spans in IO.
    - Otherwise they are plain tags, such as parts of speech.

    Tags with prefixes:

    - E or S: BIOES. L or U: BILOU.
    - I only: IO.
    - B and I, with B only between two adjacent spans of one label: IOB1.
    - Otherwise IOB2, even if a few spans open with I.

    Args:
        tag_sequences: tags as read, one sequence per sentence.
        source: name of the data, for messages.
        places: start of each sequence (`file:line`), for messages.

    Raises:
        UserError: tags with and without prefixes are mixed, BIOES letters are mixed with BILOU letters, or prefixes are
            lower case.
    """
    survey = _Survey()
    for tags, place in zip(tag_sequences, places or repeat(""), strict=False):
        survey.add(tags, place)
    survey.refuse_mixtures(source)
    prefixes, unprefixed = survey.prefixes.keys(), survey.unprefixed.keys()
    if unprefixed and survey.outside and all(map(is_bare, unprefixed)):
        return _scheme_of(unprefixed) or Scheme.IOB2
    if unprefixed:
        return Scheme.IO if 2 * survey.outside > survey.total else Scheme.PLAIN
    if scheme := _scheme_of(prefixes):
        return scheme
    if prefixes == {"I"}:
        return Scheme.IO
    return Scheme.IOB1 if prefixes == {"B", "I"} and survey.iob1_fits else Scheme.IOB2


def _scheme_of(letters: Set[str]) -> Scheme | None:
    """Return the scheme that has letters of its own among these."""
    if letters & set("ES"):
        return Scheme.BIOES
    return Scheme.BILOU if letters & set("LU") else None


class _Survey:
    """Statistics of the tags of many sentences."""

    def __init__(self) -> None:
        self.prefixes: dict[str, str] = {}  # prefix → place of the first sentence that has it
        self.unprefixed: dict[str, str] = {}  # tag → place, likewise
        self.outside = self.total = 0
        self.iob1_fits = True  # so far, each B separates two adjacent spans of one label

    def add(self, tags: Sequence[str], place: str) -> None:
        previous = OUTSIDE
        for tag in tags:
            if tag == OUTSIDE:
                self.outside += 1
            elif has_prefix(tag):
                self.prefixes.setdefault(tag[0], place)
                if tag[0] == "B" and (previous == OUTSIDE or previous[2:] != tag[2:]):
                    self.iob1_fits = False
            else:
                self.unprefixed.setdefault(tag, place)
            previous = tag
        self.total += len(tags)

    def refuse_mixtures(self, source: str) -> None:
        """Raise UserError if the tags mix schemes, or have prefixes in lower case."""
        small = {tag for tag in self.unprefixed if _IN_SMALL_LETTERS.fullmatch(tag)}
        if self.unprefixed.keys() <= small | {OUTSIDE.lower()} and (small or (self.unprefixed and self.prefixes)):
            tag, place = next(iter(self.unprefixed.items()))
            raise UserError(
                f"{source}: tags in small letters: {tag!r}{_at(place)}, where O and prefixes, as in 'B-PER', are "
                "capitals; write capitals, or set data.scheme=plain or data.scheme=io if they are not prefixes"
            )
        if self.unprefixed and self.prefixes:
            tag, place = next(iter(self.unprefixed.items()))
            raise UserError(
                f"{source}: tags of mixed schemes: {tag!r} is not written as prefix and label{_at(place)}, while "
                f"others begin with {self._listed('BIESLU')}; correct the tags or set data.tag_column"
            )
        bare = self.unprefixed if self.outside and all(map(is_bare, self.unprefixed)) else {}
        letters = self.prefixes or bare
        if letters.keys() & set("ES") and letters.keys() & set("LU"):
            mixture = f"BIOES and BILOU prefixes: {self._listed('ES')}, and {self._listed('LU')}"
            raise UserError(f"{source}: tags of mixed schemes: {mixture}; write one of the two")

    def _listed(self, letters: str) -> str:
        """List the prefixes that occur among `letters`, with the place of the first."""
        hyphen = "-" if self.prefixes else ""
        places = self.prefixes or self.unprefixed
        found = [letter for letter in places if letter in letters]
        return ", ".join(letter + hyphen for letter in found) + _at(places[found[0]])


def _at(place: str) -> str:
    return place and f" (in the sentence at {place})"


def spans_from_tags(tags: Sequence[str]) -> list[Span]:
    """Convert tags of any span scheme to spans, leniently (see the module's docstring)."""
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
    """Convert non-overlapping spans to `length` tags. `scheme` is IOB2 or BIOES."""
    assert scheme in (Scheme.IOB2, Scheme.BIOES)
    tags = [OUTSIDE] * length
    for start, end, label in spans:
        tags[start:end] = [f"B-{label}"] + [f"I-{label}"] * (end - start - 1)
        if scheme is Scheme.BIOES:
            tags[end - 1] = f"{'S' if end - start == 1 else 'E'}-{label}"
    return tags


def convert_tags(tags: Sequence[str], scheme: Scheme) -> list[str]:
    """Convert tags of any span scheme to `scheme`: IOB2 or BIOES. If it is PLAIN, return the tags unchanged."""
    if scheme is Scheme.PLAIN:
        return list(tags)
    return tags_from_spans(spans_from_tags(tags), len(tags), scheme)


def may_follow(scheme: Scheme, before: str | None, after: str | None) -> bool:
    """Return whether `scheme` allows tag `after` directly after `before`. None is the start or end of the sentence."""
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
    """Count the illegal transitions of a tag sequence (IOB2 or BIOES), including those at its start and end."""
    return sum(
        not may_follow(scheme, before, after) for before, after in zip([None, *tags], [*tags, None], strict=True)
    )
