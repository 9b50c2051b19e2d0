"""Minimum probability per label for emitted entities."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from tagger.corpus.schemes import OUTSIDE, spans_from_tags
from tagger.corpus.sentence import Sentence
from tagger.errors import UserError


@dataclass(frozen=True, kw_only=True)
class MinimumScores:
    """Minimum probability of entities, for all labels and for some."""

    general: float = 0.0  # for labels without their own
    labels: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def parse(cls, texts: Sequence[str]) -> MinimumScores:
        """Read `P` and `LABEL=P`, in any order.

        Raises:
            UserError: P is no number from 0 to 1, or given twice for the same label.
        """
        found: dict[str | None, float] = {}
        for text in texts:
            label, parted, number = text.rpartition("=")
            key = label if parted else None
            if key in found:
                raise UserError(f"--min-score {text}: given twice for {label or 'all labels'}; leave one out")
            try:
                found[key] = float(number)
            except ValueError:
                found[key] = -1.0
            if not 0 <= found[key] <= 1:
                raise UserError(f"--min-score {text}: expected P or LABEL=P with P from 0 to 1, as 0.5 or PER=0.5")
        return cls(general=found.pop(None, 0.0), labels={label or "": value for label, value in found.items()})

    def require_known(self, labels: Iterable[str]) -> None:
        """Refuse labels that the model does not know.

        Raises:
            UserError: there is one.
        """
        for label in sorted(self.labels.keys() - set(labels)):
            known = ", ".join(sorted(labels))
            raise UserError(f"--min-score: the model knows no label {label!r}; use one of {known}")

    def applied(self, sentence: Sentence) -> Sentence:
        """Remove less probable entities from a sentence: their tags become O and their scores None.

        Args:
            sentence: with predicted tags (IOB2) and their scores.
        """
        assert sentence.tags is not None
        assert sentence.scores is not None
        tags, scores = list(sentence.tags), list(sentence.scores)
        for start, end, label in spans_from_tags(sentence.tags):
            if (scores[start] or 0.0) < self.labels.get(label, self.general):
                tags[start:end] = [OUTSIDE] * (end - start)
                scores[start:end] = [None] * (end - start)
        return replace(sentence, tags=tags, scores=scores)
