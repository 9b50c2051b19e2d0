"""Agreement of annotators who labelled the same texts: F1 over spans, kappa over tokens."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import NamedTuple

from tagger.corpus.document import Document
from tagger.corpus.schemes import OUTSIDE
from tagger.corpus.writers import sentence_alone

Key = tuple[str, int]  # a text, and how often it came before


class Place(NamedTuple):
    """A span on which annotators disagree: its text and label, and who has it and who has not."""

    text: str
    start: int
    end: int
    label: str
    has: tuple[str, ...]
    lacks: tuple[str, ...]


@dataclass(frozen=True)
class PairAgreement:
    """Agreement of two annotators on the texts that both have.

    Attributes:
        first, second: their names.
        f1: of the second's spans against the first's; it is symmetric. None if neither has a span.
        labels: the same by label.
        kappa: Cohen's, over the tokens' labels. None if chance alone explains all agreement.
        kappa_labelled: the same over tokens that one of them labelled.
    """

    first: str
    second: str
    f1: float | None
    labels: Mapping[str, float]
    kappa: float | None
    kappa_labelled: float | None


@dataclass(frozen=True)
class Agreement:
    """Agreement of several annotators.

    Attributes:
        texts: that all have.
        others: texts that only some have, which are left out.
        tokens: in the texts that all have.
        pairs: each two of them.
        fleiss: Fleiss' kappa of all, over the tokens' labels.
        places: spans that not all have.
    """

    texts: int
    others: int
    tokens: int
    pairs: list[PairAgreement]
    fleiss: float | None
    places: list[Place]


def agreement(annotators: Mapping[str, Sequence[Document]]) -> Agreement:
    """Compare annotators. Texts are matched by their characters, and by order where one occurs several times.

    Args:
        annotators: the documents of each, by name; at least two, with tags of spans or plain tags.
    """
    keyed = {name: _by_text(documents) for name, documents in annotators.items()}
    common = [key for key in next(iter(keyed.values())) if all(key in found for found in keyed.values())]
    every = {key for found in keyed.values() for key in found}
    names = list(keyed)
    tokens = [_token_labels([keyed[name][key] for name in names]) for key in common]
    labels = [row for rows in tokens for row in rows]  # a row per token, an annotator's label in each column
    spans = {name: {(key, *one) for key in common for one in _spans(keyed[name][key])} for name in names}
    pairs = []
    for (left, first), (right, second) in combinations(enumerate(names), 2):
        both = [(row[left], row[right]) for row in labels]
        by_label = {
            label: _f1(*({one for one in spans[name] if one[3] == label} for name in (first, second)))
            for label in sorted({one[3] for name in (first, second) for one in spans[name]})
        }
        pairs.append(
            PairAgreement(
                first,
                second,
                _f1(spans[first], spans[second]),
                {label: value for label, value in by_label.items() if value is not None},
                cohen(both),
                cohen([pair for pair in both if pair != (OUTSIDE, OUTSIDE)]),
            )
        )
    places = list(_places(spans, common))
    return Agreement(len(common), len(every) - len(common), len(labels), pairs, fleiss(labels), places)


def cohen(pairs: Sequence[tuple[str, str]]) -> float | None:
    """Return Cohen's kappa (1960) of two annotators' labels. None if the expected agreement is 1, or there are none."""
    if not pairs:
        return None
    observed = sum(one == other for one, other in pairs) / len(pairs)
    left, right = (Counter(side) for side in zip(*pairs, strict=True))
    expected = sum(left[label] * right[label] for label in left) / len(pairs) ** 2
    return None if expected == 1 else (observed - expected) / (1 - expected)


def fleiss(rows: Sequence[Sequence[str]]) -> float | None:
    """Return Fleiss' kappa (1971) of rows of labels, a column per annotator. None as for `cohen`."""
    if not rows or len(rows[0]) < 2:
        return None
    raters = len(rows[0])
    counts = [Counter(row) for row in rows]
    observed = sum(sum(n * (n - 1) for n in count.values()) for count in counts) / (len(rows) * raters * (raters - 1))
    total = sum(counts, Counter[str]())
    expected = sum((n / (len(rows) * raters)) ** 2 for n in total.values())
    return None if expected == 1 else (observed - expected) / (1 - expected)


def _by_text(documents: Sequence[Document]) -> dict[Key, Document]:
    seen: Counter[str] = Counter()
    found: dict[Key, Document] = {}
    for document in documents:
        found[document.text, seen[document.text]] = document
        seen[document.text] += 1
    return found


def _spans(document: Document) -> list[tuple[int, int, str]]:
    if not document.plain:
        return [(one.start, one.end, one.label) for one in document.entities]
    return [(start, end, tag) for (start, end), tag in _tokens(document)]


def _tokens(document: Document) -> list[tuple[tuple[int, int], str]]:
    """Return the ends of each token in the text, with its tag."""
    found = []
    for sentence in document.sentences:
        known = sentence if sentence.offsets is not None else sentence_alone(sentence)
        found += list(zip(known.offsets or [], sentence.tags or [OUTSIDE] * len(sentence), strict=True))
    return found


def _token_labels(documents: Sequence[Document]) -> list[tuple[str, ...]]:
    """Return each token's label by every annotator. Tokens are the first annotator's."""
    tokens = [ends for ends, _ in _tokens(documents[0])]
    starts = [start for start, _ in tokens]
    columns = []
    for document in documents:
        column = [OUTSIDE] * len(tokens)
        for start, end, label in _spans(document):
            place = max(0, bisect_right(starts, start) - 1)
            while place < len(tokens) and tokens[place][0] < end:
                if tokens[place][1] > start:
                    column[place] = label
                place += 1
        columns.append(column)
    return list(zip(*columns, strict=True))


def _f1(first: set[tuple[Key, int, int, str]], second: set[tuple[Key, int, int, str]]) -> float | None:
    return 2 * len(first & second) / (len(first) + len(second)) if first or second else None


def _places(spans: Mapping[str, set[tuple[Key, int, int, str]]], common: Sequence[Key]) -> Iterator[Place]:
    order = {key: number for number, key in enumerate(common)}
    every = {one for found in spans.values() for one in found}
    for key, start, end, label in sorted(every, key=lambda one: (order[one[0]], *one[1:])):
        has = tuple(name for name, found in spans.items() if (key, start, end, label) in found)
        if len(has) < len(spans):
            lacks = tuple(name for name in spans if name not in has)
            yield Place(key[0], start, end, label, has, lacks)
