"""The log of figures: a table that goes on where a checkpoint was kept."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
import torch

from tagger.training.metrics_log import MetricsLog


def read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return [{name: value for name, value in row.items() if value} for row in csv.DictReader(stream)]


def test_each_time_is_a_row_and_each_figure_a_column(tmp_path: Path) -> None:
    log = MetricsLog(tmp_path / "logs" / "metrics.csv")
    log.log_metrics({"loss": torch.tensor(0.5)}, 1)
    assert log.rows == 1
    log.log_metrics({"loss": 0.25}, 2)
    log.save()
    log.log_metrics({"dev_f1": 0.75}, 2)
    log.finalize("success")
    rows = [{"loss": "0.5", "step": "1"}, {"loss": "0.25", "step": "2"}, {"dev_f1": "0.75", "step": "2"}]
    assert read(tmp_path / "logs" / "metrics.csv") == rows


@pytest.mark.parametrize(
    ("kept", "expected"), [(2, [0, 1, 7]), (0, [7]), (None, [0, 1, 2, 3, 7]), (9, [0, 1, 2, 3, 7])]
)
def test_a_resumed_run_drops_the_rows_of_steps_it_takes_again(
    tmp_path: Path, kept: int | None, expected: list[int]
) -> None:
    path = tmp_path / "metrics.csv"
    before = MetricsLog(path)
    for step in range(4):
        before.log_metrics({"loss": 1.0}, step)
    before.save()
    after = MetricsLog(path, kept=kept)
    after.log_metrics({"loss": 2.0, "rate": 0.1}, 7)
    after.save()
    assert [int(row["step"]) for row in read(path)] == expected
    assert after.rows == len(expected)


def test_a_row_half_written_when_the_run_was_killed_is_no_hindrance(tmp_path: Path) -> None:
    path = tmp_path / "metrics.csv"
    path.write_text("loss,step\n1.0,0\n1.0,1\n0.")
    after = MetricsLog(path, kept=2)
    after.log_metrics({"loss": 2.0}, 2)
    after.save()
    assert [row["step"] for row in read(path)] == ["0", "1", "2"]
