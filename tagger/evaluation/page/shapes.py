"""Draw the basic charts: dots with intervals, stacked bars, heat maps, curves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tagger.evaluation.estimates import Interval
from tagger.evaluation.page.figures import points
from tagger.evaluation.page.plots import FAINT, INK, LEGEND, LINE, SERIES, SIZE, SMALL, Canvas, colour, grid

_ROW = 0.27  # inches
_DARKEST = 0.5  # opacity of the darkest tile; its number stays readable in light and dark
Row = tuple[str, float, Interval | None]
Tone = tuple[str, float]  # a colour and its opacity


@dataclass(frozen=True)
class Bars:
    """Rows of stacked bars in shares of 100: a title, tones by name of the part, and (rows, parts) numbers."""

    title: str
    parts: Mapping[str, Tone]
    rows: Sequence[Sequence[int]]


@dataclass(frozen=True)
class Curve:
    """A line through points. `dashed` makes it secondary; `dots` has the size of the dots at its points, if any."""

    name: str
    x: Sequence[float]
    y: Sequence[float]
    tone: str
    dashed: bool = False
    dots: float | Sequence[float] | None = None


def gauge(value: float, interval: Interval) -> Canvas:
    """Draw a score and its interval on a line from 0 to 100."""
    canvas = Canvas(0.5)
    axes = canvas.axes[0]
    axes.plot([0, 100], [0, 0], color=colour(LINE), linewidth=5, solid_capstyle="round")
    _draw_interval(axes, interval, 0, width=9, alpha=0.4)
    axes.plot([100 * value], [0], "o", color=colour(SERIES[0]), markersize=9)
    axes.set_xlim(-3, 103)
    axes.set_ylim(-1, 1)
    axes.set_xticks([0, 25, 50, 75, 100])
    axes.set_yticks([])
    axes.spines[:].set_visible(False)
    return canvas


def dots(rows: Sequence[Row]) -> Canvas:
    """Draw a dot with its interval per row, from 0 to 100. The first row is on top."""
    canvas = Canvas(0.45 + _ROW * len(rows))
    axes = canvas.axes[0]
    for place, (_, value, interval) in enumerate(rows):
        if interval is not None:
            _draw_interval(axes, interval, place, width=5, alpha=0.35)
        axes.plot([100 * value], [place], "o", color=colour(SERIES[0]), markersize=5.5)
        axes.text(107, place, points(value), va="center", ha="left", fontsize=SIZE, color=colour(INK))
    axes.set_xlim(0, 105)
    axes.set_xticks(range(0, 101, 20))
    _name_rows(axes, [label for label, _, _ in rows])
    grid(axes, "x")
    return canvas


def runs(rows: Sequence[tuple[str, Sequence[float]]]) -> Canvas:
    """Draw a row per system, with a small dot per run and a large one for their mean."""
    canvas = Canvas(0.55 + _ROW * len(rows))
    axes = canvas.axes[0]
    for place, (_, values) in enumerate(rows):
        mean = 100 * sum(values) / len(values)
        axes.plot([100 * value for value in values], [place] * len(values), "o", color=colour(SERIES[0]), markersize=4)
        axes.plot([mean], [place], "o", color=colour(SERIES[0]), markersize=10, alpha=0.4, markeredgewidth=0)
    axes.margins(x=0.15)
    _name_rows(axes, [label for label, _ in rows])
    grid(axes, "x")
    return canvas


def stacks(labels: Sequence[str], sides: Sequence[Bars]) -> Canvas:
    """Draw panels of stacked bars side by side, with a row per label."""
    canvas = Canvas(1.0 + _ROW * len(labels), columns=len(sides))
    handles: dict[str, Any] = {}
    for axes, side in zip(canvas.axes, sides, strict=True):
        begins = [0.0] * len(labels)
        for number, (part, (tone, alpha)) in enumerate(side.parts.items()):
            widths = [100 * row[number] / sum(row) if sum(row) else 0.0 for row in side.rows]
            bars = axes.barh(range(len(labels)), widths, left=begins, height=0.62, color=colour(tone), alpha=alpha)
            handles.setdefault(part, bars)
            begins = [begin + width for begin, width in zip(begins, widths, strict=True)]
        axes.set_title(side.title, fontsize=SMALL, color=colour(FAINT))
        axes.set_xlim(0, 100)
        axes.set_xticks([0, 50, 100])
        _name_rows(axes, labels)
        if axes is not canvas.axes[0]:
            axes.set_yticks([])
    canvas.legend_below(handles)
    return canvas


def heat(names: Sequence[str], counts: Sequence[Sequence[int]], nothing: int) -> Canvas:
    """Draw (names, names) counts as tiles, darker for a larger share of the row.

    The tile in row and column `nothing` is left out.
    """
    canvas = Canvas(1.25 + 0.25 * len(names))
    axes = canvas.axes[0]
    for y, row in enumerate(counts):
        for x, number in enumerate(row):
            if y == x == nothing:
                continue
            share = number / sum(row) if number else 0.0
            tone = SERIES[0] if x == y else SERIES[1]
            axes.barh([y], [0.94], left=x - 0.47, height=0.9, color=colour(tone), alpha=0.05 + _DARKEST * share)
            if number:
                axes.text(x, y, _short(number), ha="center", va="center", fontsize=SMALL - 1, color=colour(INK))
    axes.set_xlim(-0.5, len(names) - 0.5)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.set_xticks(range(len(names)), names, rotation=50, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(len(names)), names)
    axes.set_xlabel("predicted")
    axes.set_ylabel("gold")
    axes.spines[:].set_visible(False)
    return canvas


def curves(drawn: Sequence[Curve], *, x: str, y: str = "", square: bool = False, diagonal: bool = False) -> Canvas:
    """Draw lines in one panel. `x` and `y` are labels of the axes, and the diagonal is the ideal.

    `square` lets both axes go from 0 to 100. Otherwise the x axis has whole numbers, and the y axis begins at 0.
    """
    canvas = Canvas(3.3 if square else 2.1)
    axes = canvas.axes[0]
    if diagonal:
        axes.plot([0, 100], [0, 100], color=colour(LINE), linewidth=1.2)
    for curve in drawn:
        line = "--" if curve.dashed else "-"
        axes.plot(curve.x, curve.y, line, color=colour(curve.tone), linewidth=1.8, label=curve.name)
        if curve.dots is not None:
            axes.scatter(curve.x, curve.y, s=curve.dots, color=colour(curve.tone), zorder=3, linewidths=0)
    if square:
        axes.set_xlim(-2, 102)
        axes.set_ylim(-2, 102)
        axes.set_aspect("equal")
    else:
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.set_ylim(bottom=0)
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    grid(axes, "both")
    if len(drawn) > 1:
        axes.legend(**LEGEND)
    return canvas


def _draw_interval(axes: Any, interval: Interval, place: float, *, width: float, alpha: float) -> None:
    ends = [100 * interval.low, 100 * interval.high]
    axes.plot(ends, [place, place], color=colour(SERIES[0]), linewidth=width, alpha=alpha, solid_capstyle="round")


def _name_rows(axes: Any, labels: Sequence[str]) -> None:
    """Name the rows at the left, the first on top."""
    axes.set_ylim(len(labels) - 0.4, -0.6)
    axes.set_yticks(range(len(labels)), labels)
    axes.spines["left"].set_visible(False)


def _short(number: int) -> str:
    """Format a number in at most four characters: 999, 1.2k, 120k, 3.4M."""
    for size, letter in ((1_000_000, "M"), (1_000, "k")):
        if number >= size:
            return f"{number / size:.{number < 10 * size:d}f}{letter}"
    return str(number)
