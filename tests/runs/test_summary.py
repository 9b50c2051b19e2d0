"""Test which runs are summarised together, and their figures."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagger.commands.hydra import hydra_entry
from tagger.errors import UserError
from tagger.runs.record import RunRecord
from tagger.runs.summary import in_points, spread, summarise, table_rows, write_rows

RECORD = RunRecord(
    seed=1,
    data_sha256="a" * 64,
    train_tokens=100,
    dev={"dev_f1": 0.5},
    test={"micro F1": 0.4, "precision": 0.5, "recall": 0.35, "macro F1": 0.3},
    epochs=3,
    seconds=10.0,
    resumed=False,
    stopped_by=None,
    model_bytes=2_000_000,
    versions={"torch": "2.6"},
)


def write_run(folder: Path, *overrides: str, **record: object) -> Path:
    """A run's folder with what is read of it."""
    folder.mkdir(parents=True)
    settings = hydra_entry.compose("train", [f"seed={record.get('seed', 1)}", f'run_dir="{folder}"', *overrides])
    (folder / "config.yaml").write_text(json.dumps(settings), encoding="utf-8")  # which is YAML, too
    replace(RECORD, **record).write(folder)
    return folder


def seeds(folder: Path) -> list[tuple[str, tuple[str, ...], list[int]]]:
    return [(group.data, group.overrides, group.as_row()["seeds"]) for group in summarise([folder]).groups]


def test_runs_that_differ_in_seed_and_folder_are_one_group(tmp_path: Path) -> None:
    for seed in (3, 1, 2):
        write_run(tmp_path / f"run{seed}", seed=seed)
    assert seeds(tmp_path) == [("starter", (), [1, 2, 3])]


def test_other_settings_are_another_group(tmp_path: Path) -> None:
    write_run(tmp_path / "a")
    write_run(tmp_path / "b", "encoder.hidden_size=64")
    write_run(tmp_path / "c", "embeddings=tiny", "encoder.hidden_size=64")
    assert seeds(tmp_path) == [
        ("starter", (), [1]),
        ("starter", ("embeddings=tiny", "encoder.hidden_size=64"), [1]),
        ("starter", ("encoder.hidden_size=64",), [1]),
    ]


def test_runs_of_other_data_are_never_averaged_and_have_their_digest_in_the_name(tmp_path: Path) -> None:
    write_run(tmp_path / "a", seed=1)
    write_run(tmp_path / "b", seed=2, data_sha256="b" * 64)
    write_run(tmp_path / "c", "data=conll", seed=3)
    summary = summarise([tmp_path])
    assert [group.as_row()["seeds"] for group in summary.groups] == [[3], [1], [2]]
    assert [row[0] for row in table_rows(summary.groups)] == ["conll", "starter aaaaaaaa", "starter bbbbbbbb"]


def test_the_same_data_elsewhere_are_the_same_data(tmp_path: Path) -> None:
    write_run(tmp_path / "a", "data=wnut17", "data.dir=here", seed=1)
    write_run(tmp_path / "b", "data=wnut17", "data.dir=there", seed=2)
    assert seeds(tmp_path) == [("wnut17", (), [1, 2])]


def test_unfinished_stopped_and_repeated_runs_are_named(tmp_path: Path) -> None:
    write_run(tmp_path / "a")
    (tmp_path / "b" / "checkpoints").mkdir(parents=True)
    write_run(tmp_path / "c", seed=2, stopped_by="SIGINT")
    write_run(tmp_path / "d")
    summary = summarise([tmp_path])
    assert [group.as_row()["seeds"] for group in summary.groups] == [[1]]
    assert summary.left_out == [
        f"{tmp_path / 'b'}: unfinished: it has no run.json",
        f"{tmp_path / 'c'}: stopped by SIGINT after 3 epochs",
        f"{tmp_path / 'd'}: seed 1 again, as in {tmp_path / 'a'}",
    ]


def test_a_run_given_twice_counts_once(tmp_path: Path) -> None:
    run = write_run(tmp_path / "a")
    (tmp_path / "latest").symlink_to(run)
    summary = summarise([tmp_path, tmp_path / "latest", run])
    assert (len(summary.groups), summary.left_out) == (1, [])


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("run.json", "{", "run.json: damaged"),
        ("run.json", "[]", "run.json: damaged"),
        ("run.json", '{"format": 1}', "run.json: damaged"),
        ("run.json", '{"format": 99}', "run.json: of another format than 1"),
        ("config.yaml", "a: [", "config.yaml: damaged"),
        ("config.yaml", "", "config.yaml: no configuration of a run"),
        ("config.yaml", "[1]", "config.yaml: no configuration of a run"),
    ],
)
def test_a_damaged_run_is_refused(tmp_path: Path, name: str, content: str, problem: str) -> None:
    (write_run(tmp_path / "a") / name).write_text(content, encoding="utf-8")
    with pytest.raises(UserError, match=problem):
        summarise([tmp_path])


def test_a_missing_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="none: no such folder"):
        summarise([tmp_path / "none"])


@given(st.lists(st.floats(0, 1), min_size=2, max_size=6))
def test_mean_and_sample_deviation_are_numpys(values: list[float]) -> None:
    found = spread(values)
    assert found["mean"] == pytest.approx(np.mean(values), abs=1e-6)
    assert found["sd"] == pytest.approx(np.std(values, ddof=1), abs=1e-6)


def test_a_single_value_has_no_deviation() -> None:
    assert spread([0.25]) == {"each": [0.25], "mean": 0.25, "sd": None}
    assert in_points(spread([0.25])) == "25.00"
    assert in_points(spread([0.2, 0.3])) == "25.00 ± 7.07"


def test_a_row_keeps_each_score_and_names_versions_that_differ(tmp_path: Path) -> None:
    write_run(tmp_path / "a", seed=1)
    write_run(tmp_path / "b", seed=2, dev={"dev_f1": 0.7}, seconds=30.0, versions={"torch": "2.7"})
    (group,) = summarise([tmp_path]).groups
    row = group.as_row()
    assert row["dev"]["dev_f1"]["each"] == [0.5, 0.7]
    assert (row["training_seconds"], row["model_bytes"]) == ([10.0, 30.0], [2_000_000, 2_000_000])
    assert row["versions"] == {"torch": "2.6, 2.7"}
    assert table_rows([group])[0][-2:] == ["20", "2.0"]


def test_rows_are_written_as_json_a_line_each(tmp_path: Path) -> None:
    rows = [{"data": "ä", "seeds": [1]}, {"data": "b", "seeds": []}]
    write_rows(tmp_path / "deep" / "rows.json", rows, left_out=["x"])
    text = (tmp_path / "deep" / "rows.json").read_text(encoding="utf-8")
    assert json.loads(text) == {"format": 1, "left_out": ["x"], "rows": rows}
    assert sum(line.startswith("  {") for line in text.splitlines()) == len(rows)


def test_no_rows_are_json_too(tmp_path: Path) -> None:
    write_rows(tmp_path / "rows.json", [])
    assert json.loads((tmp_path / "rows.json").read_text()) == {"format": 1, "rows": []}
