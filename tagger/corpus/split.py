"""One split of a data set, as it was loaded."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Literal

from tagger.corpus.labels import without_ignored
from tagger.corpus.readers.account import ReadReport
from tagger.corpus.schemes import IGNORED, Scheme, spans_from_tags
from tagger.corpus.sentence import Sentence
from tagger.printable import in_a_line

SplitName = Literal["train", "dev", "test"]
SPLITS: tuple[SplitName, ...] = ("train", "dev", "test")


@dataclass
class Split:
    """A split as it was read. After `load_splits`, only the first split keeps reports and notes that several share.

    Attributes:
        name: `train`, `dev` or `test`.
        sentences: with tags as read, or renamed by `data.labels`; at least one.
        scheme: how the tags mark spans, or PLAIN.
        reports: one per file or source.
        notes: one-line remarks on the data, for people who read the results.
        labels_read: the names that `data.labels` could rename (see `names_of_labels`); empty without it.
    """

    name: str
    sentences: list[Sentence]
    scheme: Scheme
    reports: list[ReadReport]
    notes: list[str] = field(default_factory=list)
    labels_read: frozenset[str] = frozenset()

    def account(self) -> str:
        """Summarise for people what was read, file by file, with the notes."""
        tokens = sum(map(len, self.sentences))
        details = [report.summary() for report in self.reports] + self.notes
        first = f"{self.name}: {len(self.sentences):,} sentences, {tokens:,} tokens, tags {self.scheme.value}"
        lines = (line for one in details for line in f"  {one}".split("\n"))
        return "\n".join([first, *map(in_a_line, lines)])

    def labels(self) -> Counter[str]:
        """Count entities by label. If tags are plain, count tokens by tag. Tokens of unknown labels do not count."""
        found: Counter[str] = Counter()
        for sentence in self.sentences:
            if self.scheme is Scheme.PLAIN:
                found.update(without_ignored(sentence))
            else:
                labels = [span.label for span in spans_from_tags(sentence.tags or [])]
                found.update(label for label in labels if sentence.partial is None or label != IGNORED)
        return found
