"""Numbers and names as a page shows them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from tagger.evaluation.escaping import visible_on_page
from tagger.evaluation.estimates import Estimate
from tagger.evaluation.page.plots import Table
from tagger.evaluation.resampling import Interval
from tagger.evaluation.training_overlap import Seen

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
    """A fraction of 1 in points of 100."""
    return "–" if value is None else f"{100 * value:.1f}"


def span(interval: Interval | None) -> str:
    """An interval in points of 100."""
    return "–" if interval is None else f"{100 * interval.low:.1f} to {100 * interval.high:.1f}"


def count(value: int | float | None) -> str:
    """A number of things."""
    return "–" if value is None else f"{value:,}"


def name(text: str) -> str:
    """A label beside a plot: visible, and not too long for it."""
    shown = visible_on_page(text)
    return shown if len(shown) <= _LONGEST_NAME else f"{shown[: _LONGEST_NAME - 1]}…"


def cells(estimate: Estimate) -> list[str]:
    """A row of `ESTIMATE_HEADER`."""
    scores = [points(value) for value in (estimate.precision, estimate.recall, estimate.f1)]
    return [*scores, span(estimate.interval), count(estimate.support), count(estimate.predicted)]


def cells_of_group(estimate: Estimate) -> list[str]:
    """The same of a group; where the gold data have nothing of it, there is no score of finding it."""
    shown = cells(estimate)
    if estimate.support:
        return shown
    return [shown[0] if estimate.predicted else points(None), *[points(None)] * 3, *shown[4:]]


def words_named(seen: Seen) -> dict[str, str]:
    """The names of `Words`: without vectors those of the classes that are then left."""
    return WORDS if seen.vectors else {"in_vocabulary": "known words", "out_of_training": "new words"}


def table_of(first: str, rows: Mapping[str, Estimate], row: Callable[[Estimate], Sequence[str]] = cells) -> Table:
    """Estimates by name, each in a row, the first column headed `first`."""
    return Table((first, *ESTIMATE_HEADER), [[visible_on_page(label), *row(one)] for label, one in rows.items()])
