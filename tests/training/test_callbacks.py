"""What a run keeps while it trains."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.callbacks import EMAWeightAveraging, ModelCheckpoint
from torch.utils.data import DataLoader

from tagger.errors import UserError
from tagger.training.callbacks import TerminateOnNaN, averaging, best_checkpoint


def best_of(folder: Path) -> ModelCheckpoint:
    return best_checkpoint(folder, "dev_f1")


def test_a_run_moved_elsewhere_remembers_its_best_score_and_leaves_the_old_place_alone(tmp_path: Path) -> None:
    before, after = best_of(tmp_path / "old"), best_of(tmp_path / "new")
    path, score = f"{tmp_path}/old/best.ckpt", torch.tensor(0.7)
    before.best_model_path = before.kth_best_model_path = path
    before.best_model_score = before.kth_value = score
    before.best_k_models = {path: score}
    after.load_state_dict(before.state_dict())
    moved = f"{tmp_path}/new/best.ckpt"
    assert (after.best_model_score, after.kth_value) == (score, score)
    assert (after.best_model_path, after.kth_best_model_path) == (moved, moved)
    assert after.best_k_models == {moved: score}


class Scored(LightningModule):
    """Has given dev scores and losses, an epoch each."""

    def __init__(self, scores: Sequence[float], losses: Sequence[float]) -> None:
        super().__init__()
        self._scores, self._losses = scores, losses
        self._layer = torch.nn.Linear(1, 1)

    def training_step(self, batch: torch.Tensor) -> torch.Tensor:
        return self._layer(batch)

    def validation_step(self, batch: torch.Tensor) -> None:
        self.log("dev_f1", self._scores[self.current_epoch])
        self.log("epoch_loss", self._losses[self.current_epoch])

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.1)


@pytest.mark.parametrize(
    ("scores", "kept"), [([0.5, 0.7, 0.6], 1), ([0.7, 0.5, 0.7, 0.6], 2), ([0.0, 0.0, 0.0], 2), ([0.1, 0.2], 1)]
)
def test_the_best_is_kept_and_of_equals_the_later(scores: list[float], kept: int, tmp_path: Path) -> None:
    assert kept_epoch(tmp_path, Scored(scores, [1.0] * len(scores))) == kept


@pytest.mark.parametrize("score", [0.0, 0.5])
@pytest.mark.parametrize("loss", [float("nan"), float("inf")])
def test_an_epoch_whose_loss_is_no_number_is_not_kept(score: float, loss: float, tmp_path: Path) -> None:
    assert kept_epoch(tmp_path, Scored([0.0, score], [1.0, loss])) == 0


def test_an_epoch_cut_short_before_it_is_scored_is_not_kept(tmp_path: Path) -> None:
    assert kept_epoch(tmp_path, Scored([0.1, 0.7, 0.9], [1.0] * 3), max_steps=5) == 1


def kept_epoch(tmp_path: Path, module: Scored, **settings: int) -> int:
    """Train, and tell of which epoch, from 0, the checkpoint is that is left."""
    quiet: dict[str, Any] = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False}
    trainer = Trainer(
        max_epochs=len(module._scores),
        accelerator="cpu",
        num_sanity_val_steps=0,
        callbacks=[best_of(tmp_path)],
        **quiet,
        **settings,
    )
    trainer.fit(module, *(DataLoader([torch.zeros(1)] * 2) for _ in range(2)))  # type: ignore[arg-type]
    assert [path.name for path in tmp_path.iterdir()] == ["best.ckpt"]
    epoch: int = torch.load(tmp_path / "best.ckpt", weights_only=True)["epoch"]
    return epoch


@pytest.mark.parametrize("loss", [float("nan"), float("inf")])
def test_a_loss_that_is_no_number_ends_training_and_keeps_the_best_before(
    loss: float, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    best = best_of(tmp_path)
    trainer = Trainer(callbacks=[best], logger=False, enable_progress_bar=False, accelerator="cpu")
    trainer.callback_metrics["epoch_loss"] = torch.tensor(loss)
    with pytest.raises(UserError, match=rf"the loss of epoch 1 is {loss}; lower optim\.optimizer\.lr"):
        TerminateOnNaN().on_validation_end(trainer, None)  # type: ignore[arg-type]
    best.best_model_path = "best.ckpt"
    TerminateOnNaN().on_validation_end(trainer, None)  # type: ignore[arg-type]
    assert trainer.should_stop
    assert capsys.readouterr().err.startswith("warning: training ends here")


def test_a_loss_that_is_a_number_ends_nothing(tmp_path: Path) -> None:
    trainer = Trainer(callbacks=[best_of(tmp_path)], logger=False, enable_progress_bar=False, accelerator="cpu")
    trainer.callback_metrics["epoch_loss"] = torch.tensor(3.0)
    TerminateOnNaN().on_validation_end(trainer, None)  # type: ignore[arg-type]
    assert not trainer.should_stop


def test_an_average_is_kept_where_the_weights_are() -> None:
    module = LightningModule()
    module.layer = torch.nn.Linear(2, 3)
    (callback,) = averaging(0.9)
    trainer = Trainer(logger=False, enable_progress_bar=False, accelerator="cpu")
    callback.setup(trainer, module, "fit")
    module.to("meta")
    callback.on_train_start(trainer, module)
    assert isinstance(callback, EMAWeightAveraging)
    assert callback._average_model is not None
    assert {tensor.device.type for tensor in callback._average_model.state_dict().values()} == {"meta"}


class Climbing(LightningModule):
    """Has one weight, which each step raises by 1."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(()))

    def training_step(self, batch: torch.Tensor) -> torch.Tensor:
        return -self.weight

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=1.0)


@pytest.mark.parametrize("decay", [0.0, 0.3, 0.9])
def test_the_average_has_the_decay_asked_for(decay: float) -> None:
    module = Climbing()
    quiet: dict[str, Any] = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False}
    trainer = Trainer(max_steps=5, accelerator="cpu", enable_checkpointing=False, callbacks=averaging(decay), **quiet)
    trainer.fit(module, DataLoader([torch.zeros(1)] * 5))  # type: ignore[arg-type]
    average = 1.0  # the weight after the first step
    for weight in (2.0, 3.0, 4.0, 5.0):
        average = decay * average + (1 - decay) * weight
    assert float(module.weight.detach()) == pytest.approx(average)
