"""Format numbers and names for a page."""

from __future__ import annotations

from tagger.evaluation.estimates import Interval
from tagger.printable import visible_on_page

_LONGEST_NAME = 22
KINDS = {  # names of the kinds of matches and errors, in the order of `Kind`
    "correct": "correct",
    "wrong_type": "wrong type",
    "wrong_boundary": "wrong boundary",
    "wrong_both": "both wrong",
    "missing": "missing",
    "spurious": "spurious",
}


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
