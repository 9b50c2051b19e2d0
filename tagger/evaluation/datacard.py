"""The data in figures: sizes, labels, what reading repaired, and what stands in two splits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tagger.corpus.dataset import Split


@dataclass(frozen=True)
class SplitCard:
    """A split.

    Attributes:
        sentences, tokens: how many.
        scheme: how its tags mark spans, or `plain`.
        labels: how many entities of each type, or tokens of each plain tag.
        repeated: how many sentences stand in it already, word by word.
        kept, repaired, rejected: sentences on reading; of a file that holds several splits, those of the file.
        sources: where it was read.
        notes: what else a reader should know.
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
    """How many sentences of one split stand in another one, word by word.

    Attributes:
        split, other: their names.
        sentences: of `split` that stand in `other`.
        same_tags: those of them that have the same tags there.
    """

    split: str
    other: str
    sentences: int
    same_tags: int


@dataclass(frozen=True)
class DataCard:
    """The data.

    Attributes:
        title: what they are called.
        splits: those that could be read, by name.
        overlaps: of each pair of splits, the later one in the earlier.
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
    """Distinct sentences, and the tags that each has."""
    found: dict[tuple[str, ...], set[tuple[str, ...]]] = {}
    for sentence in split.sentences:
        found.setdefault(tuple(sentence.tokens), set()).add(tuple(sentence.tags or ()))
    return found


def _overlap(split: Split, name: str, forms: Mapping[tuple[str, ...], set[tuple[str, ...]]]) -> Overlap:
    there = [sentence for sentence in split.sentences if tuple(sentence.tokens) in forms]
    same = sum(tuple(sentence.tags or ()) in forms[tuple(sentence.tokens)] for sentence in there)
    return Overlap(split.name, name, len(there), same)
