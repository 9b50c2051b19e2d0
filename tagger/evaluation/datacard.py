"""Describe a data set: sizes, labels, repairs on reading, and sentences that occur in two splits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tagger.corpus.dataset import Split


@dataclass(frozen=True)
class SplitCard:
    """Description of a split.

    Attributes:
        scheme: the scheme of its tags, or `plain`.
        labels: number of entities of each type, or of tokens of each plain tag.
        repeated: number of sentences that repeat the words of an earlier one.
        kept, repaired, rejected: numbers of sentences on reading. If a file holds several splits, they cover the file.
        sources: where it was read from.
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
    """Number of sentences of `split` whose words are a sentence of `other`, too: all, and those with the same tags."""

    split: str
    other: str
    sentences: int
    same_tags: int


@dataclass(frozen=True)
class DataCard:
    """Description of a data set: the splits that could be read, and for each pair the overlap of the later one."""

    title: str
    splits: Mapping[str, SplitCard]
    overlaps: Sequence[Overlap]


def data_card(title: str, splits: Sequence[Split]) -> DataCard:
    """Describe splits, the training split first."""
    forms = {split.name: _forms(split) for split in splits}
    overlaps = []
    for number, later in enumerate(splits):
        for earlier in splits[:number]:
            known = forms[earlier.name]
            there = [sentence for sentence in later.sentences if tuple(sentence.tokens) in known]
            same = sum(tuple(sentence.tags or ()) in known[tuple(sentence.tokens)] for sentence in there)
            overlaps.append(Overlap(later.name, earlier.name, len(there), same))
    return DataCard(title, {split.name: _card(split, len(forms[split.name])) for split in splits}, overlaps)


def _card(split: Split, distinct: int) -> SplitCard:
    read = [report.sentences for report in split.reports]
    return SplitCard(
        sentences=len(split.sentences),
        tokens=sum(map(len, split.sentences)),
        scheme=split.scheme.value,
        labels=dict(sorted(split.labels().items())),
        repeated=len(split.sentences) - distinct,
        kept=sum(tally.kept for tally in read),
        repaired=sum(tally.repaired for tally in read),
        rejected=sum(tally.rejected for tally in read),
        sources=[report.source for report in split.reports],
        notes=[*split.notes, *(place for report in split.reports for place in report.places)],
    )


def _forms(split: Split) -> dict[tuple[str, ...], set[tuple[str, ...]]]:
    """Collect the distinct sentences, each with the tag sequences it occurs with."""
    found: dict[tuple[str, ...], set[tuple[str, ...]]] = {}
    for sentence in split.sentences:
        found.setdefault(tuple(sentence.tokens), set()).add(tuple(sentence.tags or ()))
    return found
