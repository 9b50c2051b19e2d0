"""What a run keeps while it trains."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.callbacks import EMAWeightAveraging, ModelCheckpoint

from tagger.errors import UserError
from tagger.training.callbacks import StopAtDivergence, averaging, best_checkpoint


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


@pytest.mark.parametrize("loss", [float("nan"), float("inf")])
def test_a_loss_that_is_no_number_ends_training_and_keeps_the_best_before(
    loss: float, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    best = best_of(tmp_path)
    trainer = Trainer(callbacks=[best], logger=False, enable_progress_bar=False, accelerator="cpu")
    trainer.callback_metrics["epoch_loss"] = torch.tensor(loss)
    with pytest.raises(UserError, match=rf"the loss of epoch 1 is {loss}; lower optim\.optimizer\.lr"):
        StopAtDivergence().on_validation_end(trainer, None)  # type: ignore[arg-type]
    best.best_model_path = "best.ckpt"
    StopAtDivergence().on_validation_end(trainer, None)  # type: ignore[arg-type]
    assert trainer.should_stop
    assert capsys.readouterr().err.startswith("warning: training ends here")


def test_a_loss_that_is_a_number_ends_nothing(tmp_path: Path) -> None:
    trainer = Trainer(callbacks=[best_of(tmp_path)], logger=False, enable_progress_bar=False, accelerator="cpu")
    trainer.callback_metrics["epoch_loss"] = torch.tensor(3.0)
    StopAtDivergence().on_validation_end(trainer, None)  # type: ignore[arg-type]
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
