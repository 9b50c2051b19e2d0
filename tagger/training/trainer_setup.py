"""The Lightning trainer of a run, with its callbacks and loggers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from pytorch_lightning import Trainer
from pytorch_lightning.callbacks import Callback, LearningRateMonitor
from pytorch_lightning.loggers import Logger, TensorBoardLogger
from pytorch_lightning.utilities.exceptions import MisconfigurationException

from tagger.errors import UserError
from tagger.training.callbacks import EpochLines, Progress, TerminateOnNaN, averaging, early_stopping
from tagger.training.checkpoint import AtomicCheckpointIO
from tagger.training.metrics_log import MetricsLog
from tagger.training.run_config import OptimConfig
from tagger.training.run_folder import ResumeState

TrainerFactory = Callable[..., Trainer]


def callbacks_of(monitor: str, optim: OptimConfig, *, progress_bar: bool) -> list[Callback]:
    """Make the callbacks of a run, but for those that save checkpoints."""
    return [
        *early_stopping(monitor, optim.patience),
        *averaging(optim.ema),
        LearningRateMonitor(logging_interval="step"),
        TerminateOnNaN(),
        Progress() if progress_bar else EpochLines(),
    ]


def set_up_trainer(
    make_trainer: TrainerFactory,
    run_dir: Path,
    callbacks: Sequence[Callback],
    resumed: ResumeState,
    *,
    progress_bar: bool,
) -> Trainer:
    """Make the trainer, with its logs in the folder of the run.

    Raises:
        UserError: Lightning refuses the settings of `trainer`.
    """
    loggers: list[Logger] = [
        MetricsLog(run_dir / "logs" / "csv" / "metrics.csv", kept=resumed.logged_rows),
        TensorBoardLogger(run_dir, name="logs", version="tensorboard", purge_step=resumed.step or None),
    ]
    try:
        return make_trainer(
            default_root_dir=run_dir,
            callbacks=list(callbacks),
            logger=loggers,
            enable_progress_bar=progress_bar,
            plugins=[AtomicCheckpointIO()],
        )
    except (TypeError, ValueError, MisconfigurationException) as error:
        raise UserError(f"trainer: {error}") from error
