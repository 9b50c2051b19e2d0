"""When a run's last checkpoint is kept: where it can be resumed to the bit."""

from __future__ import annotations

import signal
import time
from pathlib import Path
from typing import Any

from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.callbacks import Checkpoint
from pytorch_lightning.utilities.exceptions import SIGTERMException

from tagger.training.metrics_log import MetricsLog

_AGREE_EVERY = 10  # batches: that often several processes ask each other, which takes them a while


class LastCheckpoint(Checkpoint):
    """Keeps the last checkpoint at each epoch's end, within epochs every so many seconds, and at SIGTERM.

    Within an epoch that is between two batches, when Lightning has counted and logged all of the one before and nothing
    of the next. At an epoch's end Lightning's own counters are those of an epoch not quite finished, from which it goes
    on in one way or another, depending on the trainer's settings; what is kept says that it is finished.
    """

    def __init__(self, path: Path, *, seconds: float | None) -> None:
        """
        Args:
            path: of the checkpoint.
            seconds: between two checkpoints in an epoch; None for none there.
        """
        self._path, self._seconds = path, seconds
        self._trainer: Trainer | None = None
        self._kept_at = 0.0
        self._epoch_ends = False
        self._begins_an_epoch = False
        self.terminated = False

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        self._trainer = trainer

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        # Lightning's own handler talks to the other processes whatever these are at
        signal.signal(signal.SIGTERM, self._note)
        self._kept_at = time.monotonic()
        if self._begins_an_epoch:
            trainer.fit_loop.epoch_loop.restarting = False

    def before_batch(self, number: int) -> None:
        """Called before the batch of this number in the epoch is made.

        Raises:
            SIGTERMException: that signal has come; everything is kept.
        """
        trainer = self._trainer
        if trainer is None or number % trainer.accumulate_grad_batches:
            return
        if trainer.world_size > 1 and number % (_AGREE_EVERY * trainer.accumulate_grad_batches):
            return
        due = self._seconds is not None and time.monotonic() - self._kept_at >= self._seconds
        ended = trainer.strategy.reduce_boolean_decision(self.terminated, all=False)
        if trainer.strategy.reduce_boolean_decision(due, all=False) or ended:
            if number:  # else it was kept at the end of the epoch before
                self._keep(trainer)
            if ended:
                raise SIGTERMException

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._epoch_ends = True
        self._keep(trainer)
        self._epoch_ends = False

    def on_save_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        logs = [logger for logger in trainer.loggers if isinstance(logger, MetricsLog)]
        checkpoint["logged_rows"] = logs[0].rows if logs and trainer.is_global_zero else 0
        checkpoint["between_epochs"] = self._epoch_ends
        if self._epoch_ends:
            for counter in checkpoint["loops"]["fit_loop"]["epoch_progress"].values():
                counter["completed"] = counter["processed"]

    def on_load_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        self._begins_an_epoch = checkpoint.get("between_epochs", True)

    def _keep(self, trainer: Trainer) -> None:
        if not vars(trainer)["fast_dev_run"]:
            trainer.save_checkpoint(self._path, weights_only=False)
        self._kept_at = time.monotonic()

    def _note(self, *_: object) -> None:
        self.terminated = True
