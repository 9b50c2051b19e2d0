"""Draw the basic charts: dots with intervals, stacked bars, heat maps, curves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tagger.evaluation.page.figures import points
from tagger.evaluation.page.plots import FAINT, INK, LINE, SERIES, SIZE, SMALL, Canvas, colour, grid, legend
from tagger.evaluation.resampling import Interval

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
    """A line through points. `dashed` makes it secondary; `marked` draws a dot at each point."""

    name: str
    x: Sequence[float]
    y: Sequence[float]
    tone: str
    dashed: bool = False
    marked: bool = False


def gauge(plot: str, title: str, value: float, interval: Interval) -> str:
    """Draw a score and its interval on a line from 0 to 100."""
    canvas = Canvas(0.5)
    axes = canvas.axes[0]
    axes.plot([0, 100], [0, 0], color=colour(LINE), linewidth=5, solid_capstyle="round")
    ends = [100 * interval.low, 100 * interval.high]
    axes.plot(ends, [0, 0], color=colour(SERIES[0]), linewidth=9, alpha=0.4, solid_capstyle="round")
    axes.plot([100 * value], [0], "o", color=colour(SERIES[0]), markersize=9)
    axes.set_xlim(-3, 103)
    axes.set_ylim(-1, 1)
    axes.set_xticks([0, 25, 50, 75, 100])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(False)
    return canvas.svg(plot, title)


def dots(plot: str, title: str, rows: Sequence[Row]) -> str:
    """Draw a dot with its interval per row, from 0 to 100. The first row is on top."""
    canvas = Canvas(0.45 + _ROW * len(rows))
    axes = canvas.axes[0]
    for place, (_, value, interval) in enumerate(rows):
        if interval is not None:
            ends = [100 * interval.low, 100 * interval.high]
            axes.plot(ends, [place, place], color=colour(SERIES[0]), linewidth=5, alpha=0.35, solid_capstyle="round")
        axes.plot([100 * value], [place], "o", color=colour(SERIES[0]), markersize=5.5)
        axes.text(107, place, points(value), va="center", ha="left", fontsize=SIZE, color=colour(INK))
    axes.set_xlim(0, 105)
    axes.set_xticks(range(0, 101, 20))
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_yticks(range(len(rows)), [label for label, _, _ in rows])
    axes.spines["left"].set_visible(False)
    grid(axes, "x")
    return canvas.svg(plot, title)


def runs(plot: str, title: str, rows: Sequence[tuple[str, Sequence[float]]]) -> str:
    """Draw a row per system, with a small dot per run and a large one for their mean."""
    canvas = Canvas(0.55 + _ROW * len(rows))
    axes = canvas.axes[0]
    for place, (_, values) in enumerate(rows):
        mean = 100 * sum(values) / len(values)
        axes.plot([100 * value for value in values], [place] * len(values), "o", color=colour(SERIES[0]), markersize=4)
        axes.plot([mean], [place], "o", color=colour(SERIES[0]), markersize=10, alpha=0.4, markeredgewidth=0)
    axes.margins(x=0.15)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_yticks(range(len(rows)), [label for label, _ in rows])
    axes.spines["left"].set_visible(False)
    grid(axes, "x")
    return canvas.svg(plot, title)


def stacks(plot: str, title: str, labels: Sequence[str], sides: Sequence[Bars]) -> str:
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
        axes.set_ylim(len(labels) - 0.4, -0.6)
        axes.set_yticks([])
        axes.spines["left"].set_visible(False)
    canvas.axes[0].set_yticks(range(len(labels)), labels)
    canvas.legend_below(handles)
    return canvas.svg(plot, title)


def heat(plot: str, title: str, names: Sequence[str], counts: Sequence[Sequence[int]], nothing: int) -> str:
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
    for spine in axes.spines.values():
        spine.set_visible(False)
    return canvas.svg(plot, title)


def curves(
    plot: str,
    title: str,
    drawn: Sequence[Curve],
    *,
    x: str,
    y: str = "",
    square: bool = False,
    diagonal: bool = False,
    whole: bool = False,
    sizes: Sequence[Sequence[float]] = (),
) -> str:
    """Draw lines in one panel.

    Args:
        plot, title: name for ids, and title.
        drawn: the lines.
        x, y: labels of the axes.
        square: let both axes go from 0 to 100.
        diagonal: draw the diagonal as the ideal.
        whole: use whole numbers on the x axis, and begin the y axis at 0.
        sizes: sizes of the dots of each marked line.
    """
    canvas = Canvas(3.3 if square else 2.1)
    axes = canvas.axes[0]
    if diagonal:
        axes.plot([0, 100], [0, 100], color=colour(LINE), linewidth=1.2)
    for number, curve in enumerate(drawn):
        line = "--" if curve.dashed else "-"
        axes.plot(curve.x, curve.y, line, color=colour(curve.tone), linewidth=1.8, label=curve.name)
        if curve.marked:
            size = sizes[number] if sizes else 16
            axes.scatter(curve.x, curve.y, s=size, color=colour(curve.tone), zorder=3, linewidths=0)
    if square:
        axes.set_xlim(-2, 102)
        axes.set_ylim(-2, 102)
        axes.set_aspect("equal")
    if whole:
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.set_ylim(bottom=0)
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    grid(axes, "both")
    if len(drawn) > 1:
        legend(axes)
    return canvas.svg(plot, title)


def _short(number: int) -> str:
    """Format a number in at most four characters: 999, 1.2k, 120k, 3.4M."""
    for size, letter in ((1_000_000, "M"), (1_000, "k")):
        if number >= size:
            return f"{number / size:.{number < 10 * size:d}f}{letter}"
    return str(number)
