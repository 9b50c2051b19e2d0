"""What an evaluation found, as one tree of figures: the content of report.json (docs/report-schema.json)."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

from tagger.evaluation.calibration import Calibration
from tagger.evaluation.datacard import DataCard
from tagger.evaluation.error_kinds import Errors
from tagger.evaluation.escaping import visible_on_page
from tagger.evaluation.estimates import Estimate, Reading
from tagger.evaluation.learning_curve import Learning
from tagger.evaluation.resampling import Interval
from tagger.evaluation.scores import Scores
from tagger.evaluation.training_overlap import Seen

FORMAT = 2  # of report.json; raised when a key changes its meaning, comes to be promised, or goes away
_MOST_LABELS_LISTED = 5


@dataclass(frozen=True)
class Headline:
    """The one number: micro F1 of entities, accuracy of plain tags."""

    name: str
    value: float
    interval: Interval


@dataclass(frozen=True)
class Tokens:
    """How many tokens there are, and the share with the right tag, tags compared as written; None where unknown."""

    count: int
    accuracy: float | None
    interval: Interval | None


@dataclass(frozen=True)
class Sentences:
    """How many sentences there are, and how many of what is compared as one (sentences, or texts) hold no error.

    Attributes:
        count: sentences.
        compared: sentences or, where running text was scored, texts.
        right: of these, how many hold no error.
        share: right / compared.
        interval: of the share.
    """

    count: int
    compared: int
    right: int
    share: float | None
    interval: Interval | None


@dataclass(frozen=True)
class Legality:
    """One side's tags as read, before any repair: their scheme, sentences that break it, and places that do."""

    scheme: str
    sentences: int
    places: int


@dataclass(frozen=True)
class Illegal:
    """Tag sequences that no tagger may write."""

    gold: Legality
    predicted: Legality


@dataclass(frozen=True)
class Resampling:
    """How intervals were made: what was drawn (sentences, documents or texts), of how many, how often, the seed."""

    unit: str
    units: int
    resamples: int
    seed: int
    level: float


@dataclass(frozen=True)
class Lengths:
    """Scores by length in tokens: of entities (none for plain tags), and of sentences."""

    entities: Mapping[str, Estimate]
    sentences: Mapping[str, Estimate]


@dataclass(frozen=True, kw_only=True)
class Report:
    """Everything that is known of a set of predictions. What does not apply, or is not known, is None.

    Attributes:
        scores: what seqeval says, for the printed table; not in report.json by itself.
        scored: what was scored, in words and in the order to show it: model, data, split, predictions, input, …
        headline: the one number.
        entities: seqeval's default reading; of plain tags it is None.
        strict: seqeval's strict reading.
        partial, type_only, boundary_only: SemEval-2013's readings, micro alone.
        surface: distinct forms, as WNUT-17 counts them.
        tags: plain tags, one by one; of entities it is None.
        tokens, sentences, illegal, bootstrap, errors, lengths, seen, calibration, learning, data: see their classes.
        warnings: what a reader of the scores should know, a line each.
    """

    scores: Scores
    scored: Mapping[str, str | int | float]
    headline: Headline
    entities: Reading | None = None
    strict: Reading | None = None
    partial: Reading | None = None
    type_only: Reading | None = None
    boundary_only: Reading | None = None
    surface: Estimate | None = None
    tags: Reading | None = None
    tokens: Tokens
    sentences: Sentences
    illegal: Illegal | None = None
    bootstrap: Resampling
    errors: Errors
    lengths: Lengths
    seen: Seen | None = None
    calibration: Calibration | None = None
    learning: Learning | None = None
    data: DataCard | None = None
    warnings: Sequence[str] = ()

    @property
    def reading(self) -> Reading:
        """The one that the headline is of."""
        reading = self.entities or self.tags
        assert reading is not None
        return reading

    def as_dict(self) -> dict[str, Any]:
        """The content of report.json. All scores are fractions of 1."""
        content: dict[str, Any] = {"format": FORMAT}
        for name in (one.name for one in fields(self) if one.name != "scores"):
            value = getattr(self, name)
            content[name] = asdict(value) if hasattr(value, "__dataclass_fields__") else value
        return {**content, "scored": dict(self.scored), "warnings": list(self.warnings)}


def unknown_label_warnings(gold: Mapping[str, int], known: Collection[str], where: str = "the gold data") -> list[str]:
    """A warning for each entity type (or plain tag) that the model cannot predict; one for all where there are many.

    Args:
        gold: how often each entity type (or plain tag) stands in the gold data.
        known: the entity types (or plain tags) of the model.
        where: what to call the gold data.
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
