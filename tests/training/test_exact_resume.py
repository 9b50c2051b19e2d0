"""A run that is broken off and resumed ends as the one that was not, whatever its settings: weights and log."""

from __future__ import annotations

import csv
import signal
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from tagger.commands import train
from tagger.training import row_updates
from tagger.training.lightning_module import TaggingModule
from tests.helpers.small_corpus import QUICK, column_files

ROWS = ["embeddings.static.source=bundled", "embeddings.static.trainable=true"]
STEPS = 9  # of an epoch


class BrokenOff(Exception):
    """What ends a run here, where nobody can catch it to keep anything."""


pytestmark = [pytest.mark.extended, pytest.mark.usefixtures("in_tmp_path")]


def run(folder: str, *overrides: str) -> bytes:
    assert train.main([*column_files(Path.cwd()), *QUICK, f"run_dir={folder}", *overrides]) == 0
    return Path(folder, "model", "model.safetensors").read_bytes()


def broken_off(folder: str, before_step: int, *overrides: str, by: Callable[[], Any] | None = None) -> None:
    """Run until that step of training, counted from 1, which is not taken."""
    original, taken = TaggingModule.training_step, 0

    def step(*arguments: Any) -> torch.Tensor:
        nonlocal taken
        taken += 1
        if taken == before_step:
            if by is None:
                raise BrokenOff
            by()
        return original(*arguments)

    arguments = [*column_files(Path.cwd()), *QUICK, f"run_dir={folder}", *overrides]
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(TaggingModule, "training_step", step)
        with pytest.raises(BrokenOff if by is None else SystemExit):
            train.main(arguments)


def logged(folder: str) -> list[dict[str, str]]:
    """The log, but for what depends on the time."""
    with Path(folder, "logs", "csv", "metrics.csv").open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    return [{name: value for name, value in row.items() if name != "tokens_per_second"} for row in rows]


@pytest.mark.parametrize("before_step", [STEPS + 5, 2 * STEPS + 1], ids=["within", "first"])
@pytest.mark.parametrize(
    "overrides",
    [
        ["optim.ema=0.9", "optim.mention_replacement=0.5"],
        ["optim.patience=2", "trainer.max_epochs=6", "optim.lr_schedule=cosine"],
        ["trainer.accumulate_grad_batches=2", "trainer.log_every_n_steps=1"],
        ["trainer.max_steps=25", "trainer.log_every_n_steps=1"],
        ["trainer.check_val_every_n_epoch=2", "trainer.max_epochs=4"],
        ["trainer.limit_train_batches=8", "encoder.layers=2"],
        ["trainer.precision=bf16-mixed", "encoder.cell=lstm", "decoder=softmax"],
    ],
    ids=lambda overrides: overrides[0].split(".")[1],
)
def test_it_ends_with_the_same_weights_and_log(overrides: list[str], before_step: int) -> None:
    unbroken = run("unbroken", *overrides)
    broken_off("run", before_step, *overrides, "checkpoint_seconds=0")
    assert run("run", *overrides, "resume=true") == unbroken
    assert logged("run") == logged("unbroken")


@pytest.mark.parametrize("checkpoint_seconds", ["null", "0"])
@pytest.mark.parametrize("before_step", [STEPS + 5, 2 * STEPS + 1])
def test_it_does_with_tables_updated_row_by_row(
    before_step: int, checkpoint_seconds: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(row_updates, "_LARGE", 1)
    unbroken = run("unbroken", *ROWS)
    broken_off("run", before_step, *ROWS, f"checkpoint_seconds={checkpoint_seconds}")
    assert run("run", *ROWS, "resume=true") == unbroken


def test_how_often_checkpoints_are_kept_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(row_updates, "_LARGE", 1)
    assert run("often", *ROWS, "checkpoint_seconds=0") == run("seldom", *ROWS, "checkpoint_seconds=null")


def test_a_run_that_had_lost_patience_is_not_trained_on(capsys: pytest.CaptureFixture[str]) -> None:
    settings = ["optim.patience=1", "trainer.max_epochs=100", "optim.optimizer.lr=0"]
    first = run("run", *settings)
    assert "trained 2 epochs" in capsys.readouterr().out
    assert run("run", *settings, "resume=true") == first
    assert "trained 2 epochs" in capsys.readouterr().out


@pytest.mark.parametrize("damage", ["cut off", "changed", "gone"])
def test_of_a_damaged_checkpoint_the_one_before_is_taken_and_told(
    damage: str, capsys: pytest.CaptureFixture[str]
) -> None:
    unbroken = run("unbroken")
    broken_off("run", STEPS + 5, "checkpoint_seconds=0")
    last = Path("run/checkpoints/last.ckpt")
    content = last.read_bytes()
    middle = len(content) // 2
    if damage == "gone":
        last.unlink()
    else:
        rest = bytes([content[middle] ^ 1]) + content[middle + 1 :] if damage == "changed" else b""
        last.write_bytes(content[:middle] + rest)
    assert run("run", "resume=true") == unbroken
    assert "last.ckpt: " + ("not there" if damage == "gone" else "damaged") in capsys.readouterr().out


def test_sigterm_keeps_the_step_it_came_at(capsys: pytest.CaptureFixture[str]) -> None:
    unbroken = run("unbroken")
    broken_off("run", STEPS + 5, "checkpoint_seconds=null", by=partial(signal.raise_signal, signal.SIGTERM))
    kept = torch.load("run/checkpoints/last.ckpt", weights_only=True)
    assert kept["global_step"] == STEPS + 5
    assert "stopped by SIGTERM after 1 epoch in" in capsys.readouterr().out
    assert run("run", "resume=true") == unbroken


def test_a_checkpoint_within_an_epoch_of_other_batches_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    broken_off("run", STEPS + 5, "checkpoint_seconds=0")
    arguments = [*column_files(Path.cwd()), *QUICK, "run_dir=run", "resume=true", "seed=9"]
    assert train.main(arguments) == 2
    assert "train.py: the checkpoint was kept within an epoch, whose batches were others" in capsys.readouterr().err
