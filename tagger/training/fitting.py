"""Fit a network with Lightning: before, meanwhile and after."""

from __future__ import annotations

import logging
import os
import signal
import threading
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning import LightningDataModule, Trainer, seed_everything
from pytorch_lightning.trainer.states import TrainerStatus
from pytorch_lightning.utilities.exceptions import MisconfigurationException, SIGTERMException
from torch import nn

from tagger.errors import UserError
from tagger.training.checkpoint import LAST, read_checkpoint
from tagger.training.resumable_module import ResumableModule
from tagger.training.run_config import RunConfig
from tagger.training.run_folder import CheckpointMismatchError


def set_up_process(run: RunConfig) -> None:
    """Set log level, threads and seed for the whole process."""
    logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
    torch.set_num_threads(run.threads)
    os.environ.setdefault("OMP_NUM_THREADS", str(run.threads))  # or Lightning takes more where it starts processes
    seed_everything(run.seed, workers=True, verbose=False)


def fit(
    trainer: Trainer, module: ResumableModule, loaders: LightningDataModule, resumed: Path | None
) -> signal.Signals | None:
    """Train to the end, or until a signal comes.

    Args:
        trainer, module, loaders: Lightning's parts of the run.
        resumed: the checkpoint to continue from, if there is one.

    Returns:
        The signal that ended training early, if one did: SIGINT or SIGTERM.

    Raises:
        UserError: Lightning refuses the settings of the trainer, or the checkpoint does not fit the network.
    """
    handler = signal.getsignal(signal.SIGINT)
    try:
        with _without_expected_warnings():
            # weights_only: torch.load reads the checkpoint without unpickling objects; the optimiser is in it, too
            trainer.fit(module, loaders, ckpt_path=resumed, weights_only=True)
    except SystemExit as error:  # Lightning turns signals into it
        if trainer.state.status is not TrainerStatus.INTERRUPTED:
            raise
        return signal.SIGTERM if isinstance(error, SIGTERMException) else signal.SIGINT
    except MisconfigurationException as error:
        raise UserError(f"{resumed or 'trainer'}: {error}; correct the settings in trainer") from error
    except RuntimeError as error:
        if resumed and "loading state_dict" in str(error):
            raise CheckpointMismatchError(resumed) from error
        if "'fused' optimizer" in str(error):  # 16-mixed scales the gradients
            raise UserError(f"trainer.precision={trainer.precision}: set optim.optimizer.fused=false too") from error
        raise
    finally:
        if threading.current_thread() is threading.main_thread():  # others may set no handler
            signal.signal(signal.SIGINT, handler)
    return None


def stopped_too_early(stopped_by: signal.Signals, run_dir: Path, *, leads: bool) -> BaseException:
    """Make the exception for a run that a signal ended before it had a model. One process of a run leads the others."""
    if stopped_by is signal.SIGTERM:  # if another process than the first failed, Lightning would kill the others
        return SystemExit(128 + signal.SIGTERM if leads else 0)
    kept = (run_dir / "checkpoints" / LAST).exists()
    advice = f"; resume=true run_dir={run_dir} continues" if kept else ""
    return KeyboardInterrupt(f"before the first epoch's end; there is no model to keep{advice}")


def load_weights(network: nn.Module, checkpoint: Path) -> dict[str, Any]:
    """Load the weights of a checkpoint into a network. Returns the checkpoint.

    Raises:
        UserError: the checkpoint is missing or damaged.
    """
    if not checkpoint.exists():
        raise UserError(
            f"{checkpoint}: not there, as no epoch was trained to its end and scored; check trainer.max_epochs, "
            "max_steps, check_val_every_n_epoch, limit_val_batches and fast_dev_run"
        )
    state = read_checkpoint(checkpoint)
    prefix = "model."
    weights = {
        name.removeprefix(prefix): tensor for name, tensor in state["state_dict"].items() if name.startswith(prefix)
    }
    network.load_state_dict(weights)
    return state


def best_score(checkpoint: Mapping[str, Any], name: str) -> float:
    """Return the best dev score that a checkpoint records, by the name of the score."""
    saved = next(entry for entry in checkpoint["callbacks"].values() if entry.get("monitor") == name)
    return float(saved["best_model_score"])


@contextmanager
def _without_expected_warnings() -> Iterator[None]:
    with warnings.catch_warnings():
        # the main process makes the batches on purpose: this takes a hundredth of a step's time
        warnings.filterwarnings("ignore", message=".*does not have many workers.*")
        warnings.filterwarnings("ignore", message=".*exists and is not empty.*")  # in a resumed run
        warnings.filterwarnings("ignore", message=".*smaller than the logging interval.*")
        warnings.filterwarnings("ignore", message=".*LeafSpec.*", category=FutureWarning)  # in Lightning itself
        yield
