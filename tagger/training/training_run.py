"""One training run: splits in, a model folder out."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch

from tagger.config import ModelConfig
from tagger.corpus.augmentation import MentionReplacement
from tagger.corpus.dataset import DataConfig, Split
from tagger.corpus.schemes import Scheme
from tagger.corpus.sentence import Sentence
from tagger.errors import UserError
from tagger.model.network import TaggerModel
from tagger.model.out_of_memory import is_out_of_memory
from tagger.model_folder.folder import ModelFolder
from tagger.training.callbacks import best_checkpoint
from tagger.training.checkpoint import BEST, LAST
from tagger.training.data_module import TaggingDataModule
from tagger.training.dev_temperature import calibrated
from tagger.training.epoch_corpora import Distillation, EpochCorpora
from tagger.training.fitting import best_score, fit, load_weights, set_up_process, stopped_too_early
from tagger.training.last_checkpoint import LastCheckpoint
from tagger.training.lightning_module import TaggingModule
from tagger.training.optimizers import OptimizerFactory
from tagger.training.run_config import OptimConfig, RunConfig
from tagger.training.run_folder import WITH_DEV, ResumeState, resume_state
from tagger.training.run_setup import RunSetup, copy_weights, set_up_run
from tagger.training.trainer_setup import TrainerFactory, callbacks_of, set_up_trainer


@dataclass(frozen=True, kw_only=True)
class TrainingResult:
    """The outcome of a run.

    Attributes:
        folder: the best model, by its dev score.
        score_name, score: that score, `dev_f1` or `dev_accuracy`.
        best_epoch: the epoch after which the model had it, from 1.
        epochs: number of epochs trained.
        seconds: time spent on training.
        stopped_by: the signal that ended training early, if one did: SIGINT (Ctrl-C) or SIGTERM.
        device: the device of the training, such as `cpu` or `cuda:0`.
        distilled: the raw text that it learned from, and the teacher, in words; "" without one.
    """

    folder: ModelFolder
    score_name: str
    score: float
    best_epoch: int
    epochs: int
    seconds: float
    stopped_by: signal.Signals | None
    device: str
    distilled: str = ""


@contextmanager
def _advice_when_out_of_memory() -> Iterator[None]:
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if is_out_of_memory(error):
            raise UserError("out of memory; lower optim.batch_tokens or the sizes in encoder and embeddings") from error
        raise


@_advice_when_out_of_memory()
def train(
    splits: Mapping[str, Split],
    *,
    data: DataConfig,
    model: ModelConfig,
    optim: OptimConfig,
    make_trainer: TrainerFactory,
    make_optimizer: OptimizerFactory,
    run: RunConfig,
    distillation: Distillation | None = None,
    progress_bar: bool = False,
    keep_last: bool = False,
) -> TrainingResult:
    """Train on `splits["train"]` and keep the model that is best on `splits["dev"]`.

    Args:
        splits: the data, with their tags as read.
        data: the settings of the data, for the model folder.
        model: the model's shape. With `run.init_from`, the shape of that model is used instead.
        optim: batches and schedule.
        make_trainer: called with `default_root_dir`, `callbacks`, `logger`, `plugins` and `enable_progress_bar`.
        make_optimizer: called with the parameters.
        run: folder, seed, and the model or checkpoint to start from.
        distillation: what to learn from a teacher beside the training split.
        progress_bar: show a progress bar instead of a line per epoch.
        keep_last: keep the model of the last epoch, whatever its score.

    Raises:
        UserError: something in the data, the settings or the run to resume does not fit.
        KeyboardInterrupt, SystemExit: Ctrl-C or SIGTERM came before the end of the first epoch.
    """
    set_up_process(run)
    start = set_up_run(
        splits["train"], model, run.init_from, distillation, language_model=run.init_from_lm
    )  # fmt: skip
    module = _module(start, splits["dev"], optim, make_optimizer)
    checkpoints, monitor = run.run_dir / "checkpoints", module.score_name
    last = LastCheckpoint(checkpoints / LAST, seconds=run.checkpoint_seconds)
    resumed = resume_state(checkpoints, module.fits) if run.resume else ResumeState()
    callbacks = [
        best_checkpoint(checkpoints, monitor), last, *callbacks_of(monitor, optim, progress_bar=progress_bar)
    ]  # fmt: skip
    trainer = set_up_trainer(make_trainer, run.run_dir, callbacks, resumed, progress_bar=progress_bar)
    device = trainer.strategy.root_device
    loaders = _data_module(start, splits, optim, run.seed, last, device)
    began = time.perf_counter()
    stopped_by = fit(trainer, module, loaders, resumed.checkpoint)
    if stopped_by is None and last.terminated:  # SIGTERM came while the last epoch was scored
        stopped_by = signal.SIGTERM
    seconds = time.perf_counter() - began
    if stopped_by and not (checkpoints / BEST).exists():
        raise stopped_too_early(stopped_by, run.run_dir, leads=trainer.is_global_zero)
    network = module.model
    state = load_weights(network, checkpoints / (LAST if keep_last else BEST))
    network.to(device)  # Lightning has moved it back to the CPU
    return TrainingResult(
        folder=calibrated(start.folder(network, data), network, loaders.dev, splits["dev"].sentences),
        score_name=monitor,
        score=best_score(state, monitor),
        best_epoch=int(state["epoch"]) + 1,
        epochs=vars(trainer.fit_loop.epoch_progress.current)["processed"],
        seconds=seconds,
        stopped_by=stopped_by,
        device=str(device),
        distilled="" if distillation is None else str(distillation.text.about),
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
    """Train again on train and dev together, for as many epochs as the best model took. Keep the last model.

    The dev score and the temperature stay those of `outcome`, whose model has not seen the dev split.

    Args:
        outcome: the training that chose the epoch. It is also returned if a signal ends this one.
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


def _module(start: RunSetup, dev: Split, optim: OptimConfig, make_optimizer: OptimizerFactory) -> TaggingModule:
    """Make the network with its first weights, and what trains and scores it."""
    network = TaggerModel(start.config, start.vocabularies, start.scheme, start.tuned_encoder)
    if start.weights:
        copy_weights(start.weights, network)
    return TaggingModule(
        network,
        tags=start.vocabularies.tags,
        scheme=start.scheme,
        dev=dev.sentences,
        dev_scheme=dev.scheme,
        optim=optim,
        make_optimizer=make_optimizer,
        fingerprint=start.fingerprint(dev, optim),
    )


def _data_module(
    start: RunSetup,
    splits: Mapping[str, Split],
    optim: OptimConfig,
    seed: int,
    last: LastCheckpoint,
    device: torch.device,
) -> TaggingDataModule:
    sentences = splits["train"].sentences
    if optim.recase and start.encoder is not None:
        raise UserError("optim.recase: embeddings.transformer reads sentences as they are written; set optim.recase=0")
    corpora = EpochCorpora(
        sentences,
        start.encoded(sentences, device),
        seed=seed,
        replacement=_replacement(sentences, start, optim.mention_replacement),
        recase=optim.recase,
        distillation=start.distillation,
        encoder=start.feature_encoder,
        scheme=start.scheme,
    )
    return TaggingDataModule(
        train=corpora,
        dev=start.encoded(splits["dev"].sentences, device),
        batch_tokens=optim.batch_tokens,
        seed=seed,
        before_batch=last.before_batch,
    )


def _replacement(sentences: Sequence[Sentence], start: RunSetup, probability: float) -> MentionReplacement | None:
    """Make the replacement of mentions; None where it is off, and for plain tags, which have no mentions.

    Raises:
        UserError: the model has a transformer, which has read the sentences as they are written.
    """
    if not probability or start.scheme is Scheme.PLAIN:
        return None
    if start.encoder is not None:
        raise UserError(
            "optim.mention_replacement: embeddings.transformer reads sentences as they are written; set "
            "optim.mention_replacement=0"
        )
    return MentionReplacement(sentences, probability)
