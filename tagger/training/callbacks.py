"""What a run reports and keeps while it trains."""

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
    """One line per scored epoch on standard error, where no progress bar is shown.

    It is said when the epoch counts as trained and its checkpoints are kept: a run that is then stopped has that many,
    and the best of them. Lightning calls what is a `Checkpoint` last, in the order in which the trainer was given it.
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
    """Ends training where the loss is no number any more; the best model before that is kept.

    Raises:
        UserError: there was none before.
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
        told = f"the loss of epoch {trainer.current_epoch + 1} is {float(loss)}; lower optim.optimizer.lr"
        kept = trainer.checkpoint_callback
        if not isinstance(kept, ModelCheckpoint) or not kept.best_model_path:
            raise UserError(told)
        if trainer.is_global_zero:
            print(f"warning: training ends here: {told}", file=sys.stderr, flush=True)
        trainer.should_stop = self._diverged = True


class _Patience(EarlyStopping):
    """Does not train on where a run is resumed that had ended."""

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        trainer.should_stop = trainer.should_stop or self.wait_count >= self.patience


class _BestCheckpoint(ModelCheckpoint):
    """Of equal scores keeps the later one's, whose learning rate has fallen further; small dev splits have many.

    Remembers the best score, and leaves other files alone, where the run's folder was moved or copied meanwhile.
    """

    _scored = False  # since the last look; without, the score is of an earlier epoch

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._scored = not trainer.sanity_checking
        super().on_validation_end(trainer, pl_module)

    def check_monitor_top_k(self, trainer: Trainer, current: Tensor | None = None) -> bool:
        scored, self._scored = self._scored, False
        if not math.isfinite(trainer.callback_metrics.get("epoch_loss", 0.0)):
            return False  # weights that have become useless, whatever their score
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
    """Keeps `best.ckpt`, by the dev score; of equals the later."""
    return _BestCheckpoint(
        dirpath=folder,
        filename=Path(BEST).stem,
        monitor=monitor,
        mode="max",
        enable_version_counter=False,
        auto_insert_metric_name=False,
    )


def early_stopping(monitor: str, patience: int | None) -> list[Callback]:
    """Stops after `patience` epochs without a better dev score; nothing where that is None."""
    return [] if patience is None else [_Patience(monitor, mode="max", patience=patience)]


class _Averaging(EMAWeightAveraging):
    """Keeps the average where the weights are, which it is set up before they are moved to."""

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        assert self._average_model is not None
        self._average_model.to(pl_module.device)


def averaging(decay: float | None) -> list[Callback]:
    """Scores and keeps an exponential moving average of the weights; nothing where the decay is None."""
    return [] if decay is None else [_Averaging(decay=decay, use_buffers=False)]
