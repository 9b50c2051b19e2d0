"""Save the last checkpoint at moments from which a run can be resumed exactly."""

from __future__ import annotations

import signal
import threading
import time
from pathlib import Path
from typing import Any

from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.callbacks import Checkpoint
from pytorch_lightning.utilities.exceptions import SIGTERMException

from tagger.training.metrics_log import MetricsLog

_AGREE_EVERY = 10  # batches between two agreements of several processes, which take a while


class LastCheckpoint(Checkpoint):
    """Save the last checkpoint at the end of each epoch, within epochs every so many seconds, and at SIGTERM.

    Within an epoch, it is saved between two batches: Lightning has then counted and logged all of the batch before and
    nothing of the next. At the end of an epoch, Lightning's own counters say that the epoch is not quite finished. How
    it would continue from there depends on the trainer's settings. So the counters are saved as finished.
    """

    def __init__(self, path: Path, *, seconds: float | None) -> None:
        """
        Args:
            path: place of the checkpoint.
            seconds: time between two checkpoints in an epoch; None for none within epochs.
        """
        self._path, self._seconds = path, seconds
        self._trainer: Trainer | None = None
        self._saved_at = 0.0
        self._epoch_ends = False
        self._begins_an_epoch = False
        self.terminated = False

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        self._trainer = trainer

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        # Lightning's own handler waits for the other processes, whatever these are doing
        if threading.current_thread() is threading.main_thread():  # others may set no handler
            signal.signal(signal.SIGTERM, self._on_sigterm)
        self._saved_at = time.monotonic()
        if self._begins_an_epoch:
            trainer.fit_loop.epoch_loop.restarting = False

    def before_batch(self, number: int) -> None:
        """Save a checkpoint if it is due. Call this before a batch is made.

        Args:
            number: of the batch in the epoch.

        Raises:
            SIGTERMException: this signal has come. The checkpoint is saved.
        """
        trainer = self._trainer
        if trainer is None or number % trainer.accumulate_grad_batches:
            return
        if trainer.world_size > 1 and number % (_AGREE_EVERY * trainer.accumulate_grad_batches):
            return
        due = self._seconds is not None and time.monotonic() - self._saved_at >= self._seconds
        ended = trainer.strategy.reduce_boolean_decision(self.terminated, all=False)
        if trainer.strategy.reduce_boolean_decision(due, all=False) or ended:
            if number:  # else it was saved at the end of the epoch before
                self._save(trainer)
            if ended:
                raise SIGTERMException

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._epoch_ends = True
        self._save(trainer)
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

    def _save(self, trainer: Trainer) -> None:
        if not vars(trainer)["fast_dev_run"]:
            trainer.save_checkpoint(self._path, weights_only=False)
        self._saved_at = time.monotonic()

    def _on_sigterm(self, *_: object) -> None:
        self.terminated = True
