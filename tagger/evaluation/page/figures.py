"""Format numbers and names for a page."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from tagger.evaluation.escaping import visible_on_page
from tagger.evaluation.estimates import Estimate
from tagger.evaluation.page.plots import Table
from tagger.evaluation.resampling import Interval
from tagger.evaluation.training_overlap import TrainingOverlap

_LONGEST_NAME = 22

KINDS = {
    "correct": "correct",
    "wrong_type": "wrong type",
    "wrong_boundary": "wrong boundary",
    "wrong_both": "both wrong",
    "missing": "missing",
    "spurious": "spurious",
}
READINGS = {
    "entities": "bounds and type",
    "strict": "the same, strict tags",
    "partial": "partial overlap",
    "type_only": "type only",
    "boundary_only": "boundary only",
}
MENTIONS = {"same_type": "seen, same type", "other_type": "seen, other type", "new": "not seen"}
WORDS = {
    "in_vocabulary": "known words",
    "out_of_training": "new, with vector",
    "out_of_vectors": "without vector",
    "out_of_both": "new, without vector",
}
ESTIMATE_HEADER = ("precision", "recall", "F1", "95% interval of F1", "gold", "predicted")


def points(value: float | None) -> str:
    """Format a fraction of 1 as points of 100."""
    return "–" if value is None else f"{100 * value:.1f}"


def span(interval: Interval | None) -> str:
    """Format an interval as points of 100."""
    return "–" if interval is None else f"{100 * interval.low:.1f} to {100 * interval.high:.1f}"


def count(value: int | float | None) -> str:
    """Format a count."""
    return "–" if value is None else f"{value:,}"


def name(text: str) -> str:
    """Shorten a label for a plot and make its control characters visible."""
    shown = visible_on_page(text)
    return shown if len(shown) <= _LONGEST_NAME else f"{shown[: _LONGEST_NAME - 1]}…"


def cells(estimate: Estimate) -> list[str]:
    """Format an estimate as a row below `ESTIMATE_HEADER`."""
    scores = [points(value) for value in (estimate.precision, estimate.recall, estimate.f1)]
    return [*scores, span(estimate.interval), count(estimate.support), count(estimate.predicted)]


def cells_of_group(estimate: Estimate) -> list[str]:
    """Format the estimate of a group. Without gold members it has no recall and no F1."""
    shown = cells(estimate)
    if estimate.support:
        return shown
    return [shown[0] if estimate.predicted else points(None), *[points(None)] * 3, *shown[4:]]


def words_named(seen: TrainingOverlap) -> dict[str, str]:
    """Return the names of the classes in `WordClass`. Without vectors only two of them occur."""
    return WORDS if seen.vectors else {"in_vocabulary": "known words", "out_of_training": "new words"}


def table_of(first: str, rows: Mapping[str, Estimate], row: Callable[[Estimate], Sequence[str]] = cells) -> Table:
    """Make a table with a row per estimate. `first` is the heading of the first column."""
    return Table((first, *ESTIMATE_HEADER), [[visible_on_page(label), *row(one)] for label, one in rows.items()])
