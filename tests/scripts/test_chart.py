"""`scripts/chart.py`: the chart of speed against F1, and the figures that it is drawn from."""

from __future__ import annotations

import json
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.helpers.repository import REPOSITORY
from tests.helpers.scripts import load_script

chart = load_script("chart.py")
SPEED = json.loads((chart.DOCS / "experiments" / "speed.json").read_text(encoding="utf-8"))
ROWS = {row["system"]: row for row in SPEED["rows"]}
BENCHMARKS = (REPOSITORY / "docs" / "benchmarks.md").read_text(encoding="utf-8")


def words(svg: Path) -> list[str]:
    return [text for element in ElementTree.parse(svg).iter() if (text := (element.text or "").strip())]


@pytest.mark.parametrize("system", ROWS)
def test_the_figures_are_those_of_the_benchmark(system: str) -> None:
    line = next(line for line in BENCHMARKS.splitlines() if line.startswith(f"| {system} |"))
    cells = [cell.strip() for cell in line.split("|")[2:]]
    speeds = [[int(figure.replace(",", "")) for figure in re.findall(r"[\d,]+", cell)] for cell in cells[:2]]
    assert speeds == [ROWS[system]["pretokenised"], ROWS[system]["raw"]]
    assert [float(cells[5]), float(cells[6])] == [ROWS[system]["model_mb"], ROWS[system]["test_f1"]]


def test_the_command_is_that_of_the_benchmark() -> None:
    assert f"The command was `{SPEED['command']}`" in BENCHMARKS


def test_the_committed_chart_is_drawn_from_the_committed_figures(tmp_path: Path) -> None:
    assert chart.main(["--output", str(tmp_path / "chart.svg")]) == 0
    drawn = words(tmp_path / "chart.svg")
    assert {"this tagger", "in fixed point", "spaCy", "CRFsuite"} <= set(drawn)
    assert words(chart.DOCS / "pictures" / "speed-f1.svg") == drawn


def test_a_faster_system_is_further_right_and_a_better_one_higher(tmp_path: Path) -> None:
    rows = [
        {"system": "slow", "pretokenised": [10_000, 10_000, 10_000], "test_f1": 10.0},
        {"system": "fast", "pretokenised": [100_000, 100_000, 100_000], "test_f1": 30.0},
    ]
    chart.draw(rows, tmp_path / "chart.svg")
    svg = (tmp_path / "chart.svg").read_text(encoding="utf-8")
    (slow_x, slow_y), (fast_x, fast_y) = [
        (float(x), float(y)) for x, y in re.findall(r'<use [^>]*x="([\d.]+)" y="([\d.]+)"[^>]*fill: #8a5300', svg)
    ]
    assert fast_x > slow_x
    assert fast_y < slow_y  # SVG counts from the top
