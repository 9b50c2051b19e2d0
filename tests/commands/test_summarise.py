"""`train.py -m seed=1,2` followed by `tagger summarise`."""

from __future__ import annotations

import contextlib
import json
import statistics
import sys
from pathlib import Path

import pytest

from tagger.commands.main import run_command
from tests.helpers.small_corpus import QUICK, column_files
from tests.helpers.sweeping import train_all_here

pytestmark = pytest.mark.extended


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a multirun of two seeds and two sizes, one of which cannot be."""
    folder = tmp_path_factory.mktemp("sweep")
    with contextlib.chdir(folder), pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["train.py"])
        quick = [override for override in QUICK if not override.startswith("encoder.hidden_size")]
        more = ["report=true", "run_dir=sweep", "trainer.max_epochs=1", "-m", "seed=1,2", "encoder.hidden_size=16,0"]
        assert train_all_here([*column_files(folder), *quick, *more]) == [0, 2, 0, 2]
    return folder / "sweep"


def reported(sweep: Path) -> list[float]:
    return [json.loads(path.read_text())["headline"]["value"] for path in sorted(sweep.glob("*/report/report.json"))]


def test_seeds_are_one_row_with_mean_and_deviation(
    sweep: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command("summarise", [str(sweep), "--json", str(tmp_path / "rows.json")]) == 0
    header, line = capsys.readouterr().out.splitlines()
    (row,) = json.loads((tmp_path / "rows.json").read_text())["rows"]
    assert (row["data"], row["seeds"]) == ("conll", [1, 2])
    assert row["test"]["micro F1"]["each"] == pytest.approx(reported(sweep), abs=1e-6)
    mean, deviation = statistics.fmean(reported(sweep)), statistics.stdev(reported(sweep))
    assert row["test"]["micro F1"]["mean"] == pytest.approx(mean, abs=1e-6)
    assert row["test"]["micro F1"]["sd"] == pytest.approx(deviation, abs=1e-6)
    assert header.split()[:6] == ["data", "overrides", "seeds", "score", "dev", "test"]
    assert f"{100 * mean:.2f} ± {100 * deviation:.2f}" in line


def test_jobs_that_failed_are_named(sweep: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command("summarise", [str(sweep)]) == 0
    told = capsys.readouterr().err.splitlines()
    assert [line.partition(": ")[2] for line in told] == [
        f"{sweep}: job {number} (seed={seed} encoder.hidden_size=0) failed or never started; it left no folder"
        for number, seed in ((1, 1), (3, 2))
    ]


def test_markdown_has_the_same_cells(sweep: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command("summarise", [str(sweep)]) == 0
    text = capsys.readouterr().out.splitlines()
    assert run_command("summarise", [str(sweep), "--markdown"]) == 0
    header, rule, row = capsys.readouterr().out.splitlines()
    assert set(rule) <= set("|-:")
    assert [line.strip("| ").replace(" | ", " ").split() for line in (header, row)] == [line.split() for line in text]


def test_a_folder_without_runs_is_wrong_use(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command("summarise", [str(tmp_path)]) == 2
    assert capsys.readouterr().err == (
        f"tagger summarise: {tmp_path}: no run in it; give the folder of a run or of several\n"
    )
