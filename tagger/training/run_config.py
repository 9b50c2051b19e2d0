"""The settings of a training run that do not shape the model."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tagger.errors import UserError

_MOST_TIMES = 3


@dataclass(frozen=True, kw_only=True)
class RunConfig:
    """The settings of a run, besides those of data, model and optimiser.

    Attributes:
        run_dir: folder of the model, checkpoints, logs and report.
        seed: of weights, dropout and the order of batches.
        resume: continue the run in `run_dir` from its last checkpoint, if there is one.
        checkpoint_seconds: time between two checkpoints within an epoch; None for none but at its end.
        init_from: a model folder to start from: its weights, and its settings of embeddings, encoder and decoder. New
            words and labels are added to its own.
        init_from_lm: a language model's folder to start from: its embeddings and encoder. Its words join the
            vocabulary.
        train_on_dev: after the best epoch is found, train again on train and dev together, for as many epochs.
        latest: a link to set to `run_dir` when the run has finished; None for no link.
        report: write a report on the test split into `run_dir`. The test split is scored in any case.
        threads: threads of PyTorch on a CPU. At these matrix sizes, a second thread gains little. Beside a busy program
            it can make training a hundred times slower.
    """

    run_dir: Path
    seed: int = 1
    resume: bool = False
    checkpoint_seconds: float | None = 120.0
    init_from: Path | None = None
    init_from_lm: Path | None = None
    train_on_dev: bool = False
    latest: Path | None = Path("runs/latest")
    report: bool = True
    threads: int = 1

    def __post_init__(self) -> None:
        if not 0 <= self.seed < 2**32:
            raise UserError(f"seed: must lie in [0, {2**32}), not {self.seed}")
        if self.init_from and self.init_from_lm:
            raise UserError("init_from and init_from_lm: a run starts from one model; leave one of them out")
        if self.threads < 1:
            raise UserError(f"threads: must be at least 1, not {self.threads}")
        if self.checkpoint_seconds is not None and not self.checkpoint_seconds >= 0:
            raise UserError(f"checkpoint_seconds: must not be negative, but is {self.checkpoint_seconds}")


@dataclass(frozen=True, kw_only=True)
class OptimConfig:
    """The settings of batches, schedule and loss. The optimiser itself comes from the user's configuration.

    Attributes:
        batch_tokens: tokens per batch. Sentences of similar length go together.
        warmup: share of all steps over which the learning rate rises from zero.
        lr_schedule: what the learning rate does after the warm-up: `linear` or `cosine` decay to zero, or `constant`.
        patience: epochs without a better dev score before training stops; None to run all epochs.
        epochs: number of epochs if `trainer.max_epochs` is not set.
        min_steps: minimum number of steps of the optimiser. If `epochs` has fewer, more epochs are trained, up to three
            times as many. Small data sets need them.
        ema: decay of an exponential moving average of the weights, which is then scored and saved; None for no average.
        label_smoothing: share of the gold tags that is spread over all tags; see `TaggerModel.loss`.
        recall_cost: extra cost of missing an entity; see `TaggerModel.loss`.
        mention_replacement: probability of replacing a mention of the training split by another of its label, drawn for
            each epoch.
        recase: share of training sentences that are written in lower case, in capitals or with each word capitalised,
            drawn for each epoch.
        encoder_lr: learning rate of a fine-tuned transformer.
    """

    batch_tokens: int = 600
    warmup: float = 0.1
    lr_schedule: Literal["linear", "cosine", "constant"] = "linear"
    patience: int | None = None
    epochs: int = 20
    min_steps: int = 1500
    ema: float | None = None
    label_smoothing: float = 0.0
    recall_cost: float = 0.5
    mention_replacement: float = 0.0
    recase: float = 0.0
    encoder_lr: float = 2e-5

    def __post_init__(self) -> None:
        if self.batch_tokens < 1:
            raise UserError(f"optim.batch_tokens: must be at least 1, not {self.batch_tokens}")
        if not 0 <= self.warmup < 1:
            raise UserError(f"optim.warmup: must lie in [0, 1), not {self.warmup}")
        if self.patience is not None and self.patience < 1:
            raise UserError(f"optim.patience: must be at least 1, or null; not {self.patience}")
        if self.ema is not None and not 0 <= self.ema < 1:
            raise UserError(f"optim.ema: must lie in [0, 1), or be null; not {self.ema}")
        for name in ("label_smoothing", "mention_replacement", "recase"):
            value = getattr(self, name)
            if not 0 <= value <= 1:
                raise UserError(f"optim.{name}: must lie in [0, 1], not {value}")
        if self.recall_cost < 0 or self.encoder_lr <= 0:
            raise UserError("optim.recall_cost must not be negative, optim.encoder_lr positive")
        if self.epochs < 1:
            raise UserError(f"optim.epochs: must be at least 1, not {self.epochs}")

    def epochs_for(self, tokens: int, batches_per_step: int = 1) -> int:
        """Return the number of epochs for a training split.

        Args:
            tokens: number of tokens of the split.
            batches_per_step: number of batches per step of the optimiser.
        """
        batches = max(1, math.ceil(tokens / self.batch_tokens))
        steps = math.ceil(batches / batches_per_step)
        return min(max(self.epochs, math.ceil(self.min_steps / steps)), _MOST_TIMES * self.epochs)
