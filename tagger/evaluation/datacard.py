"""Describe a data set: sizes, labels, repairs on reading, and sentences that occur in two splits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tagger.corpus.dataset import Split


@dataclass(frozen=True)
class SplitCard:
    """Description of a split.

    Attributes:
        sentences, tokens: their numbers.
        scheme: the scheme of its tags, or `plain`.
        labels: number of entities of each type, or of tokens of each plain tag.
        repeated: number of sentences that repeat the words of an earlier one.
        kept, repaired, rejected: numbers of sentences on reading. If a file holds several splits, they cover the file.
        sources: where it was read from.
        notes: further remarks.
    """

    sentences: int
    tokens: int
    scheme: str
    labels: Mapping[str, int]
    repeated: int
    kept: int
    repaired: int
    rejected: int
    sources: Sequence[str]
    notes: Sequence[str]


@dataclass(frozen=True)
class Overlap:
    """Number of sentences of one split whose words also occur as a sentence of another.

    Attributes:
        split, other: names of the splits.
        sentences: number of sentences of `split` that occur in `other`.
        same_tags: number of those that have the same tags there.
    """

    split: str
    other: str
    sentences: int
    same_tags: int


@dataclass(frozen=True)
class DataCard:
    """Description of a data set.

    Attributes:
        title: its name.
        splits: the splits that could be read, by name.
        overlaps: for each pair of splits, the overlap of the later one with the earlier one.
    """

    title: str
    splits: Mapping[str, SplitCard]
    overlaps: Sequence[Overlap]


def data_card(title: str, splits: Sequence[Split]) -> DataCard:
    """Describe splits, the training split first."""
    forms = {split.name: _forms(split) for split in splits}
    overlaps = [
        _overlap(later, earlier.name, forms[earlier.name])
        for number, later in enumerate(splits)
        for earlier in splits[:number]
    ]
    return DataCard(title, {split.name: _card(split, len(forms[split.name])) for split in splits}, overlaps)


def _card(split: Split, distinct: int) -> SplitCard:
    labels: Counter[str] = split.labels()
    return SplitCard(
        sentences=len(split.sentences),
        tokens=sum(map(len, split.sentences)),
        scheme=split.scheme.value,
        labels=dict(sorted(labels.items())),
        repeated=len(split.sentences) - distinct,
        kept=sum(report.sentences.kept for report in split.reports),
        repaired=sum(report.sentences.repaired for report in split.reports),
        rejected=sum(report.sentences.rejected for report in split.reports),
        sources=[report.source for report in split.reports],
        notes=[*split.notes, *(place for report in split.reports for place in report.places)],
    )


def _forms(split: Split) -> dict[tuple[str, ...], set[tuple[str, ...]]]:
    """Collect the distinct sentences, each with the tag sequences it occurs with."""
    found: dict[tuple[str, ...], set[tuple[str, ...]]] = {}
    for sentence in split.sentences:
        found.setdefault(tuple(sentence.tokens), set()).add(tuple(sentence.tags or ()))
    return found


def _overlap(split: Split, name: str, forms: Mapping[tuple[str, ...], set[tuple[str, ...]]]) -> Overlap:
    there = [sentence for sentence in split.sentences if tuple(sentence.tokens) in forms]
    same = sum(tuple(sentence.tags or ()) in forms[tuple(sentence.tokens)] for sentence in there)
    return Overlap(split.name, name, len(there), same)
