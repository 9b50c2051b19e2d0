"""Gradients and recall against distance, drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tagger.errors import UserError, install_command
from tagger.files import written_whole

CHANCE = 1 / 8
_SMALLEST = 1e-12
_STYLES = ("#767676", "#c77700", "#1f6fbf", "#1a8f6f", "#8b4fb0")
_MARKERS = ("s", "^", "o", "D", "v")
_HEIGHT, _WIDTH = 6.4, 9.6  # inches


def draw(
    curves: Mapping[str, Mapping[str, Mapping[str, Sequence[float]]]], distances: Sequence[int], path: Path
) -> None:
    """A row of three panels for each way of reading: the gradient at the start and after training, and recall.

    Args:
        curves: by way of reading, title of the cell, and name in `recall.examined`: values along the distances.
        distances: the common abscissa.
        path: the SVG file.

    Raises:
        UserError: matplotlib is not installed, or the file cannot be written.
    """
    try:
        import matplotlib
        from matplotlib.figure import Figure
    except ImportError:
        raise UserError(f"drawing needs matplotlib; install the extra: {install_command('report')}") from None
    panels = (
        ("gradient_at_start", "gradient at initialisation"),
        ("gradient", "gradient after training"),
        ("recall", "recall after training"),
    )
    with matplotlib.rc_context(
        {"svg.hashsalt": "cells", "font.size": 9, "axes.spines.top": False, "axes.spines.right": False}
    ):
        figure = Figure(figsize=(_WIDTH, _HEIGHT), layout="constrained")
        axes = figure.subplots(len(curves), len(panels), squeeze=False, sharex=True)
        for row, (reading, of_cells) in zip(axes, curves.items(), strict=True):
            for panel, (name, title) in zip(row, panels, strict=True):
                _panel(panel, {cell: values[name] for cell, values in of_cells.items()}, distances, name)
                panel.set_title(f"{reading}: {title}", loc="left", fontsize=9)
        for panel in axes[-1]:
            panel.set_xlabel("distance in steps")
        handles, labels = axes[0][0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False)
        with written_whole(path) as stream:
            figure.savefig(stream, format="svg", metadata={"Date": None})


def _panel(panel: Any, of_cells: Mapping[str, Sequence[float]], distances: Sequence[int], name: str) -> None:
    for (cell, values), colour, marker in zip(of_cells.items(), _STYLES, _MARKERS, strict=False):
        shown = values if name == "recall" else [max(value, _SMALLEST / 10) for value in values]
        panel.plot(distances, shown, color=colour, marker=marker, markersize=4, linewidth=1.4, label=cell)
    panel.set_xscale("log")
    if name == "recall":
        panel.set_ylim(0, 1.05)
        panel.axhline(CHANCE, color="#aaaaaa", linewidth=0.8, linestyle=":")
    else:
        panel.set_yscale("log")
        panel.set_ylim(bottom=_SMALLEST)
