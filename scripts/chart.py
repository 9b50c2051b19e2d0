"""Draw the chart of speed against F1: docs/pictures/speed-f1.svg, from docs/experiments/speed.json.

    python scripts/chart.py

The JSON file has the figures of the last benchmark (docs/benchmarks.md), with its command and machine. The chart is as
wide as a phone. It has a background of its own, so that it can be read on light and on dark pages.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.figure import Figure

DOCS = Path(__file__).resolve().parent.parent / "docs"
_SIZE = (4.2, 2.9)  # inches
_PAPER, _INK, _FAINT, _LINE = "#ffffff", "#1b1f24", "#57606a", "#d0d7de"
_OURS, _PEER = "#0b62c4", "#8a5300"
_STYLE: Any = {"svg.fonttype": "none", "svg.hashsalt": "speed-f1", "font.size": 9, "font.family": "sans-serif"}
# label in the chart, its offset from the point in points, and the side of the text that is anchored there
_LABELS = {
    "this tagger": ("this tagger", (-7, 6), "right"),
    "this tagger, int16": ("in fixed point", (0, -15), "center"),
    "spaCy": ("spaCy", (0, 8), "center"),
    "spaCy, use_blis = False": ("spaCy\nwithout BLIS", (0, -25), "center"),
    "CRFsuite": ("CRFsuite", (0, 8), "center"),
}


def draw(rows: Sequence[dict[str, Any]], target: Path) -> None:
    """Draw a point for each system, with the range of its rounds.

    Args:
        rows: systems, each with `system`, `pretokenised` (median, lowest and highest tokens/s) and `test_f1`.
        target: SVG file to write.
    """
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=_SIZE, layout="constrained", facecolor=_PAPER)
        axes = figure.subplots()
        axes.set_facecolor(_PAPER)
        for row in rows:
            median, lowest, highest = row["pretokenised"]
            colour = _OURS if row["system"].startswith("this tagger") else _PEER
            axes.plot([lowest, highest], [row["test_f1"]] * 2, color=colour, linewidth=2, alpha=0.4)
            axes.plot(median, row["test_f1"], "o", color=colour, markersize=7)
            label, offset, side = _LABELS.get(row["system"], (row["system"], (0, 8), "center"))
            place: Any = {"xytext": offset, "textcoords": "offset points", "ha": side, "color": colour}
            axes.annotate(label, (median, row["test_f1"]), **place)
        axes.set(xscale="log", xlim=(7_000, 420_000), ylim=(0, 40))
        ticks = [10_000, 30_000, 100_000, 300_000]
        axes.set_xticks(ticks, [f"{tick:,}" for tick in ticks])
        axes.set_xticks([], minor=True)
        axes.set_xlabel("tokens a second on one core (faster →)", color=_FAINT)
        axes.set_ylabel("F1 on WNUT-17 (better →)", color=_FAINT)
        axes.grid(color=_LINE, linewidth=0.6)
        axes.set_axisbelow(True)
        axes.tick_params(length=0, labelcolor=_INK)
        for name, spine in axes.spines.items():
            spine.set(visible=name in ("left", "bottom"), color=_LINE)
        figure.savefig(target, format="svg", metadata={"Date": None, "Creator": None})
    lines = target.read_text(encoding="utf-8").splitlines()
    target.write_text("".join(f"{line.rstrip()}\n" for line in lines), encoding="utf-8")


def main(arguments: Sequence[str] | None = None) -> int:
    """Draw the chart; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, default=DOCS / "experiments" / "speed.json", help="figures to draw")
    parser.add_argument("--output", type=Path, default=DOCS / "pictures" / "speed-f1.svg", help="SVG file to write")
    options = parser.parse_args(arguments)
    draw(json.loads(options.json.read_text(encoding="utf-8"))["rows"], options.output)
    return 0


if __name__ == "__main__":
    sys.exit(main())
