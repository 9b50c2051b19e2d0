"""Hold the results of an evaluation, which are the content of report.json (docs/report-schema.json)."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from tagger.evaluation.calibration import Calibration
from tagger.evaluation.counting import Errors
from tagger.evaluation.datacard import DataCard
from tagger.evaluation.estimates import Estimate, Interval, ScoreSet
from tagger.evaluation.learning_curve import LearningCurve
from tagger.evaluation.scores import Scores
from tagger.evaluation.training_overlap import TrainingOverlap
from tagger.printable import visible_on_page

FORMAT = 2  # of report.json; raised when a key is added or removed or changes its meaning
_MOST_LABELS_LISTED = 5


@dataclass(frozen=True)
class Headline:
    """A report's main score: micro F1 of entities, accuracy of plain tags."""

    name: str
    value: float
    interval: Interval


@dataclass(frozen=True)
class Tokens:
    """Number of tokens, and the share with the right tag. Tags are compared as written. None where unknown."""

    count: int
    accuracy: float | None
    interval: Interval | None


@dataclass(frozen=True)
class Sentences:
    """Number of sentences, and the share without any error.

    `compared` counts the units compared, which are texts where running text was scored. `right` of them have no error.
    """

    count: int
    compared: int
    right: int
    share: float | None
    interval: Interval | None


@dataclass(frozen=True)
class Legality:
    """Illegal tags of one side as read, before any repair: the scheme, and the sentences and places that break it."""

    scheme: str
    sentences: int
    places: int


@dataclass(frozen=True)
class Resampling:
    """Settings of the bootstrap. It drew `units` times a `unit`: sentences, documents or texts. `level` is of 1."""

    unit: str
    units: int
    resamples: int
    seed: int
    level: float


@dataclass(frozen=True, kw_only=True)
class Report:
    """All results of an evaluation. What does not apply or is not known is None.

    Attributes:
        scores: seqeval's scores for the printed table; not a key of report.json.
        scored: description of what was scored, in display order: model, data, split, predictions, input, …
        entities: scores in seqeval's default mode; None for plain tags.
        strict: scores in seqeval's strict mode.
        partial, type_only, boundary_only: SemEval-2013's measures, micro only; see `counting.CREDITS`.
        surface: score over distinct forms, as WNUT-17 counts them.
        tags: scores of plain tags, token by token; None for entities.
        illegal: of the sides `gold` and `predicted`.
        lengths: scores by length in tokens: of `entities` (none for plain tags), and of `sentences`.
        warnings: one line each.
    """

    scores: Scores
    scored: Mapping[str, str | int | float]
    headline: Headline
    entities: ScoreSet | None = None
    strict: ScoreSet | None = None
    partial: ScoreSet | None = None
    type_only: ScoreSet | None = None
    boundary_only: ScoreSet | None = None
    surface: Estimate | None = None
    tags: ScoreSet | None = None
    tokens: Tokens
    sentences: Sentences
    illegal: Mapping[str, Legality] | None = None
    bootstrap: Resampling
    errors: Errors
    lengths: Mapping[str, Mapping[str, Estimate]]
    seen: TrainingOverlap | None = None
    calibration: Calibration | None = None
    learning: LearningCurve | None = None
    data: DataCard | None = None
    warnings: Sequence[str] = ()

    @property
    def main(self) -> ScoreSet:
        """Scores that the headline is taken from."""
        reading = self.entities or self.tags
        assert reading is not None
        return reading

    def as_dict(self) -> dict[str, Any]:
        """Return the content of report.json. All scores are fractions of 1."""
        content = {"format": FORMAT, **asdict(self)}
        del content["scores"]
        return content


def unknown_label_warnings(gold: Mapping[str, int], known: Collection[str], where: str = "the gold data") -> list[str]:
    """Warn of each entity type (or plain tag) that the model cannot predict. Many are put into one warning.

    `gold` has their numbers in the gold data, which the warning calls `where`, and `known` those of the model.
    """
    unknown = {visible_on_page(name): times for name, times in gold.items() if times and name not in known}
    fate = "unknown to the model: counted as missed"
    if len(unknown) > _MOST_LABELS_LISTED:
        listed = ", ".join(sorted(unknown)[:_MOST_LABELS_LISTED])
        return [f"{len(unknown):,} labels ({listed}, …): in {where} {sum(unknown.values()):,} times, {fate}"]
    return [
        f"label {name}: in {where} {times:,} {'time' if times == 1 else 'times'}, {fate}"
        for name, times in unknown.items()
    ]
