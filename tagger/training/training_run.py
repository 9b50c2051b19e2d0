"""One training run: splits in, a model folder out."""

from __future__ import annotations

import logging
import os
import signal
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning import Trainer, seed_everything
from pytorch_lightning.callbacks import Callback, LearningRateMonitor
from pytorch_lightning.loggers import Logger, TensorBoardLogger
from pytorch_lightning.trainer.states import TrainerStatus
from pytorch_lightning.utilities.exceptions import MisconfigurationException, SIGTERMException

from tagger.config import ModelConfig
from tagger.corpus.augmentation import MentionReplacement
from tagger.corpus.dataset import DataConfig, Split
from tagger.corpus.schemes import Scheme
from tagger.corpus.sentence import Sentence
from tagger.errors import UserError
from tagger.model.network import TaggerModel
from tagger.model.out_of_memory import is_out_of_memory
from tagger.model_folder.folder import ModelFolder
from tagger.training.callbacks import EpochLines, Progress, TerminateOnNaN, averaging, best_checkpoint, early_stopping
from tagger.training.checkpoint import BEST, LAST, AtomicCheckpointIO, read_checkpoint
from tagger.training.data_module import TaggingDataModule
from tagger.training.dev_temperature import calibrated
from tagger.training.last_checkpoint import LastCheckpoint
from tagger.training.lightning_module import OptimizerFactory, TaggingModule
from tagger.training.metrics_log import MetricsLog
from tagger.training.run_config import OptimConfig, RunConfig
from tagger.training.run_folder import WITH_DEV, CheckpointMismatchError, ResumeState, beginning
from tagger.training.run_setup import RunSetup, copy_weights, set_up_run

TrainerFactory = Callable[..., Trainer]


@dataclass(frozen=True, kw_only=True)
class TrainingResult:
    """What a run gave.

    Attributes:
        folder: the best model, by the dev score.
        score_name, score: that score, `dev_f1` or `dev_accuracy`.
        best_epoch: after which it had that, from 1.
        epochs: how many were trained.
        seconds: how long training took.
        stopped_by: the signal that ended it early, if one did: SIGINT (Ctrl-C) or SIGTERM.
        device: what it was trained on, such as `cpu` or `cuda:0`.
    """

    folder: ModelFolder
    score_name: str
    score: float
    best_epoch: int
    epochs: int
    seconds: float
    stopped_by: signal.Signals | None
    device: str


@contextmanager
def _memory_told() -> Iterator[None]:
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if is_out_of_memory(error):
            raise UserError("out of memory; lower optim.batch_tokens or the sizes in encoder and embeddings") from error
        raise


@_memory_told()
def train(
    splits: Mapping[str, Split],
    *,
    data: DataConfig,
    model: ModelConfig,
    optim: OptimConfig,
    make_trainer: TrainerFactory,
    make_optimizer: OptimizerFactory,
    run: RunConfig,
    progress_bar: bool = False,
    keep_last: bool = False,
) -> TrainingResult:
    """Train on `splits["train"]`, keep what is best on `splits["dev"]`.

    Args:
        splits: with their tags as read.
        data: where they came from, for the model folder.
        model: the model's shape; with `run.init_from`, that folder's shape is used instead.
        optim: batches and schedule.
        make_trainer: called with `default_root_dir`, `callbacks`, `logger`, `plugins` and `enable_progress_bar`.
        make_optimizer: called with the parameters.
        run: folder, seed, and what to start from.
        progress_bar: show one, rather than a line per epoch.
        keep_last: keep the model of the last epoch, whatever its score.

    Raises:
        UserError: something in the data, the settings or the run to resume does not fit.
        KeyboardInterrupt, SystemExit: Ctrl-C or SIGTERM before the first epoch's end.
    """
    logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
    torch.set_num_threads(run.threads)
    os.environ.setdefault("OMP_NUM_THREADS", str(run.threads))  # or Lightning takes more where it starts processes
    seed_everything(run.seed, workers=True, verbose=False)
    start = set_up_run(splits["train"], model, run.init_from)
    network = TaggerModel(start.config, start.vocabularies, start.scheme, start.tuned_encoder)
    if start.weights:
        copy_weights(start.weights, network)
    module = TaggingModule(
        network,
        tags=start.vocabularies.tags,
        scheme=start.scheme,
        dev=splits["dev"].sentences,
        dev_scheme=splits["dev"].scheme,
        optim=optim,
        make_optimizer=make_optimizer,
        fingerprint=start.fingerprint(splits["dev"], optim),
    )
    kept = run.run_dir / "checkpoints"
    keeper = LastCheckpoint(kept / LAST, seconds=run.checkpoint_seconds)
    begun = beginning(kept, module.fits) if run.resume else ResumeState()
    callbacks = [best_checkpoint(kept, module.score_name), keeper, *_callbacks(module.score_name, optim, progress_bar)]
    trainer = _make_trainer(make_trainer, run.run_dir, callbacks, begun, progress_bar)
    device = trainer.strategy.root_device
    encoded = {name: start.encoded(splits[name].sentences, device) for name in ("train", "dev")}
    loaders = TaggingDataModule(
        **encoded,
        batch_tokens=optim.batch_tokens,
        seed=run.seed,
        replacement=_replacement(splits["train"].sentences, start, optim.mention_replacement),
        before_batch=keeper.before_batch,
    )
    began = time.perf_counter()
    stopped_by = _fit(trainer, module, loaders, begun.checkpoint)
    if stopped_by is None and keeper.terminated:  # while the last epoch was scored
        stopped_by = signal.SIGTERM
    seconds = time.perf_counter() - began
    if stopped_by and not (kept / BEST).exists():
        if stopped_by is signal.SIGTERM:  # a process that is not the first must not fail: the others would be killed
            raise SystemExit(128 + signal.SIGTERM if trainer.is_global_zero else 0)
        told = f"; resume=true run_dir={run.run_dir} goes on from where it was kept"
        goes_on = told if (kept / LAST).exists() else ""
        raise KeyboardInterrupt(f"before the first epoch's end; there is no model to keep{goes_on}")
    state = _restore(network, kept / (LAST if keep_last else BEST))
    network.to(device)  # Lightning has brought it back to the CPU
    return TrainingResult(
        folder=calibrated(start.folder(network, data), network, encoded["dev"], splits["dev"].sentences),
        score_name=module.score_name,
        score=_best_score(state, module.score_name),
        best_epoch=int(state["epoch"]) + 1,
        epochs=vars(trainer.fit_loop.epoch_progress.current)["processed"],
        seconds=seconds,
        stopped_by=stopped_by,
        device=str(device),
    )


def train_on_dev(
    outcome: TrainingResult,
    splits: Mapping[str, Split],
    *,
    optim: OptimConfig,
    make_trainer: TrainerFactory,
    run: RunConfig,
    **settings: Any,
) -> TrainingResult:
    """Train anew on train and dev together, for as many epochs as the best model took, and keep the last one's.

    The dev score and the temperature stay those of `outcome`, whose model has not seen the dev split.

    Args:
        outcome: of the training that chose the epoch; what is returned, too, where a signal ends this one.
        splits, optim, make_trainer, run, settings: as `train` takes them.
    """
    both = replace(splits["train"], sentences=[*splits["train"].sentences, *splits["dev"].sentences])
    try:
        again = train(
            {**splits, "train": both},
            optim=replace(optim, patience=None),
            make_trainer=partial(make_trainer, max_epochs=outcome.best_epoch),
            run=replace(run, run_dir=run.run_dir / WITH_DEV),
            keep_last=True,
            **settings,
        )
    except KeyboardInterrupt:
        return replace(outcome, stopped_by=signal.SIGINT)
    except SystemExit:
        return replace(outcome, stopped_by=signal.SIGTERM)
    if again.stopped_by:
        return replace(outcome, stopped_by=again.stopped_by)
    folder = replace(again.folder, temperature=outcome.folder.temperature)
    return replace(outcome, folder=folder, seconds=outcome.seconds + again.seconds)


def _replacement(sentences: Sequence[Sentence], start: RunSetup, probability: float) -> MentionReplacement | None:
    """Of mentions, of which plain tags have none.

    Raises:
        UserError: an encoder has read the sentences as they are.
    """
    if not probability or start.scheme is Scheme.PLAIN:
        return None
    if start.encoder is not None:
        raise UserError("optim.mention_replacement: an encoder reads the sentences as they are; set it to 0")
    return MentionReplacement(sentences, probability)


def _callbacks(monitor: str, optim: OptimConfig, progress_bar: bool) -> list[Callback]:
    """Besides those that keep checkpoints."""
    return [
        *early_stopping(monitor, optim.patience),
        *averaging(optim.ema),
        LearningRateMonitor(logging_interval="step"),
        TerminateOnNaN(),
        Progress() if progress_bar else EpochLines(),
    ]


def _make_trainer(
    make_trainer: TrainerFactory, run_dir: Path, callbacks: Sequence[Callback], begun: ResumeState, progress_bar: bool
) -> Trainer:
    loggers: list[Logger] = [
        MetricsLog(run_dir / "logs" / "csv" / "metrics.csv", kept=begun.logged_rows),
        TensorBoardLogger(run_dir, name="logs", version="tensorboard", purge_step=begun.step or None),
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


def _fit(
    trainer: Trainer, module: TaggingModule, loaders: TaggingDataModule, resumed: Path | None
) -> signal.Signals | None:
    """Fit, from the checkpoint `resumed` on if there is one; returns the signal that ended it early."""
    handler = signal.getsignal(signal.SIGINT)
    try:
        with warnings.catch_warnings():
            # batches are made in the main process on purpose: that takes a hundredth of a step's time
            warnings.filterwarnings("ignore", message=".*does not have many workers.*")
            warnings.filterwarnings("ignore", message=".*exists and is not empty.*")  # a run resumed
            warnings.filterwarnings("ignore", message=".*smaller than the logging interval.*")
            warnings.filterwarnings("ignore", message=".*LeafSpec.*", category=FutureWarning)  # Lightning's own
            trainer.fit(module, loaders, ckpt_path=resumed, weights_only=True)
    except SystemExit as error:  # what Lightning makes of a signal
        if trainer.state.status is not TrainerStatus.INTERRUPTED:
            raise
        return signal.SIGTERM if isinstance(error, SIGTERMException) else signal.SIGINT
    except MisconfigurationException as error:
        raise UserError(f"{resumed or 'trainer'}: {error}; correct the settings in trainer") from error
    except RuntimeError as error:
        if resumed and "loading state_dict" in str(error):
            raise CheckpointMismatchError(resumed) from error
        if "'fused' optimizer" in str(error):  # whose gradients 16-mixed scales
            raise UserError(f"trainer.precision={trainer.precision}: set optim.optimizer.fused=false too") from error
        raise
    finally:
        signal.signal(signal.SIGINT, handler)
    return None


def _restore(network: TaggerModel, checkpoint: Path) -> dict[str, Any]:
    """Load a checkpoint's weights; returns the checkpoint.

    Raises:
        UserError: there is none, or it is damaged.
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


def _best_score(state: Mapping[str, Any], name: str) -> float:
    saved = next(entry for entry in state["callbacks"].values() if entry.get("monitor") == name)
    return float(saved["best_model_score"])
