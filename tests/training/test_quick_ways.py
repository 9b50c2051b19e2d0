"""Whole runs by the quicker ways: rows of large tables, bfloat16; their results beside the plain ways'."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from tagger.commands import train
from tagger.training import resumable_module, row_updates
from tests.helpers.small_corpus import QUICK, column_files

WORDS = "embeddings.parts.word.table.weight"


pytestmark = [pytest.mark.extended, pytest.mark.usefixtures("in_tmp_path")]


def run(tmp_path: Path, name: str, *overrides: str) -> Path:
    trained = ["embeddings.static.source=bundled", "embeddings.static.trainable=true", "embeddings.characters=null"]
    quick = [setting for setting in QUICK if "characters" not in setting]
    arguments = [*column_files(tmp_path), *quick, *trained, "optim.optimizer.lr=0.005"]
    assert train.main([*arguments, f"run_dir={tmp_path / name}", *overrides]) == 0
    return tmp_path / name


def weights(run_dir: Path) -> dict[str, np.ndarray]:
    return load_file(run_dir / "model" / "model.safetensors")


def assert_alike(one: Path, other: Path) -> None:
    found, expected = weights(one), weights(other)
    for name, tensor in expected.items():
        # of a gradient that is zero but for rounding, Adam makes a whole step, so a few elements go other ways
        assert np.abs(found[name] - tensor).mean() < 5e-4, name


def last(run_dir: Path) -> dict[str, Any]:
    return torch.load(run_dir / "checkpoints" / "last.ckpt", weights_only=True)


@pytest.fixture
def rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every table counts as large."""
    monkeypatch.setattr(row_updates, "_LARGE", 1)


@pytest.mark.parametrize(
    "overrides", [[], ["trainer.accumulate_grad_batches=2"], ["trainer.gradient_clip_val=0"]], ids=str
)
def test_a_run_by_rows_ends_as_one_with_dense_gradients(
    overrides: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dense = run(tmp_path, "dense", "trainer.max_epochs=2", *overrides)
    monkeypatch.setattr(row_updates, "_LARGE", 1)
    assert_alike(run(tmp_path, "rows", "trainer.max_epochs=2", *overrides), dense)


def test_a_run_by_rows_resumes_as_one_with_dense_gradients_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("dense", "rows"):
        run(tmp_path, name, "trainer.max_epochs=2")
        run(tmp_path, name, "trainer.max_epochs=4", "resume=true")
        monkeypatch.setattr(row_updates, "_LARGE", 1)
    assert_alike(tmp_path / "rows", tmp_path / "dense")
    states = [last(tmp_path / name)["optimizer_states"][0]["state"] for name in ("dense", "rows")]
    assert states[0].keys() == states[1].keys()
    assert all(one["step"] == other["step"] for one, other in zip(*(state.values() for state in states), strict=True))


@pytest.mark.usefixtures("rows")
@pytest.mark.parametrize("override", ["optim.ema=0.5", "optim.optimizer._target_=torch.optim.RMSprop"])
def test_where_rows_cannot_be_updated_alone_gradients_are_dense(
    override: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resumable_module, "LazyAdam", lambda *_: pytest.fail("by rows"))
    fused = ["~optim.optimizer.fused"] if "RMSprop" in override else []
    assert (weights(run(tmp_path, "run", "trainer.max_epochs=1", override, *fused))[WORDS] != 0).any()


@pytest.mark.usefixtures("rows")
def test_in_bfloat16_a_run_reaches_a_similar_loss(tmp_path: Path) -> None:
    losses = []
    for precision in ("32-true", "bf16-mixed"):
        run_dir = run(tmp_path, precision, "trainer.max_epochs=3", f"trainer.precision={precision}")
        with (run_dir / "logs" / "csv" / "metrics.csv").open(encoding="utf-8") as stream:
            losses.append([float(row["epoch_loss"]) for row in csv.DictReader(stream) if row["epoch_loss"]])
    assert len(losses[0]) == 3
    assert losses[0][-1] < losses[0][0]
    np.testing.assert_allclose(losses[1], losses[0], rtol=0.05)
    assert losses[0] != losses[1]
