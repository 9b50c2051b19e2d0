"""Lightning callbacks: progress, best checkpoint, early stopping, average of the weights."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import Any

from pytorch_lightning import Callback, LightningModule, Trainer
from pytorch_lightning.callbacks import Checkpoint, EarlyStopping, EMAWeightAveraging, ModelCheckpoint, TQDMProgressBar
from torch import Tensor

from tagger.errors import UserError
from tagger.training.checkpoint import BEST
from tagger.training.epoch_line import epoch_line


class Progress(TQDMProgressBar):
    """A progress bar with loss, tokens per second and dev score."""

    def get_metrics(
        self, trainer: Trainer, pl_module: LightningModule
    ) -> dict[str, int | str | float | dict[str, float]]:
        return {name: value for name, value in super().get_metrics(trainer, pl_module).items() if name != "v_num"}


class EpochLines(Checkpoint):
    """Print a line per scored epoch on standard error. Use it where no progress bar is shown.

    The line is printed after the epoch's checkpoints are saved. A run that is stopped then has these epochs. This is
    why the class is a `Checkpoint`: Lightning calls these last, in the order of the trainer's list.
    """

    def __init__(self) -> None:
        self._line: str | None = None

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if not trainer.sanity_checking and trainer.is_global_zero:
            self._line = epoch_line(trainer.current_epoch + 1, trainer.callback_metrics)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self._line is not None:
            print(self._line, file=sys.stderr, flush=True)
        self._line = None


class TerminateOnNaN(Callback):
    """End training when the loss is NaN or infinite. The best model before that is kept.

    Raises:
        UserError: there is no model from before.
    """

    def __init__(self) -> None:
        self._diverged = False

    def state_dict(self) -> dict[str, Any]:
        return {"diverged": self._diverged}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._diverged = state_dict["diverged"]

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        trainer.should_stop = trainer.should_stop or self._diverged

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        loss = trainer.callback_metrics.get("epoch_loss")
        if trainer.sanity_checking or loss is None or math.isfinite(loss):
            return
        problem = f"the loss of epoch {trainer.current_epoch + 1} is {float(loss)}; lower optim.optimizer.lr"
        best = trainer.checkpoint_callback
        if not isinstance(best, ModelCheckpoint) or not best.best_model_path:
            raise UserError(problem)
        if trainer.is_global_zero:
            print(f"warning: training ends here: {problem}", file=sys.stderr, flush=True)
        trainer.should_stop = self._diverged = True


class _Patience(EarlyStopping):
    """Early stopping that also ends a resumed run at once, if its patience had run out."""

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        trainer.should_stop = trainer.should_stop or self.wait_count >= self.patience


class _BestCheckpoint(ModelCheckpoint):
    """Save the best checkpoint. Of equal scores, the later one wins, since its learning rate is lower.

    Small dev splits have many equal scores. The best score is also remembered if the folder of the run was moved or
    copied, and then files at the old place are left alone.
    """

    _scored = False  # whether there was a score since the last check; if not, the score is an earlier epoch's

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._scored = not trainer.sanity_checking
        super().on_validation_end(trainer, pl_module)

    def check_monitor_top_k(self, trainer: Trainer, current: Tensor | None = None) -> bool:
        scored, self._scored = self._scored, False
        if not math.isfinite(trainer.callback_metrics.get("epoch_loss", 0.0)):
            return False  # the weights are useless, whatever their score
        if scored and current is not None and self.best_model_score is not None and current == self.best_model_score:
            return True
        return super().check_monitor_top_k(trainer, current)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        def here(path: str) -> str:
            return str(Path(str(self.dirpath), Path(path).name)) if path else path

        paths = {name: here(state_dict[name]) for name in ("best_model_path", "kth_best_model_path", "last_model_path")}
        best = {here(path): score for path, score in state_dict["best_k_models"].items()}
        super().load_state_dict({**state_dict, **paths, "best_k_models": best, "dirpath": self.dirpath})


def best_checkpoint(folder: Path, monitor: str) -> ModelCheckpoint:
    """Save `best.ckpt`, by the dev score. Of equal scores, the later one wins."""
    return _BestCheckpoint(
        dirpath=folder,
        filename=Path(BEST).stem,
        monitor=monitor,
        mode="max",
        enable_version_counter=False,
        auto_insert_metric_name=False,
    )


def early_stopping(monitor: str, patience: int | None) -> list[Callback]:
    """Stop after `patience` epochs without a better dev score. Empty if `patience` is None."""
    return [] if patience is None else [_Patience(monitor, mode="max", patience=patience)]


class _Averaging(EMAWeightAveraging):
    """Moving average on the device of the weights. Lightning makes it before it moves them there."""

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        assert self._average_model is not None
        self._average_model.to(pl_module.device)


def averaging(decay: float | None) -> list[Callback]:
    """Score and save an exponential moving average of the weights. Empty if `decay` is None."""
    return [] if decay is None else [_Averaging(decay=decay, use_buffers=False)]
