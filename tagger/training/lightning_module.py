"""The Lightning module: loss, dev score by the one decoder, optimiser and schedule."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from pytorch_lightning import LightningModule
from pytorch_lightning.utilities import GradClipAlgorithmType
from pytorch_lightning.utilities.types import OptimizerLRScheduler
from torch import Tensor
from torch.nn import Parameter
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from tagger.corpus.schemes import Scheme, spans_from_tags
from tagger.corpus.sentence import Sentence
from tagger.decoding.decoder import Decoder, batch_sizes_of
from tagger.errors import UserError
from tagger.evaluation.scores import Scores, score, score_entities
from tagger.model.batch import TensorBatch
from tagger.model.network import TaggerModel
from tagger.tensor_shapes import CRF, TRANSFORMER
from tagger.training.loader import Step
from tagger.training.process_group import gathered, joined
from tagger.training.random_states import random_states, restore_random_states
from tagger.training.row_updates import LazyAdam, by_rows, large_tables
from tagger.training.run_config import OptimConfig
from tagger.training.schedule import learning_rate_factor

OptimizerFactory = Callable[[Sequence[Parameter] | Sequence[dict[str, Any]]], Optimizer]
_NO_SETTINGS = {"params", "initial_lr", "fused", "foreach", "capturable"}  # of a group: what it holds, how it computes


class TaggingModule(LightningModule):
    """Trains a `TaggerModel` and scores it on the dev split after each epoch."""

    def __init__(
        self,
        model: TaggerModel,
        *,
        tags: Sequence[str],
        scheme: Scheme,
        dev: Sequence[Sentence],
        dev_scheme: Scheme,
        optim: OptimConfig,
        make_optimizer: OptimizerFactory,
        fingerprint: str,
    ) -> None:
        """
        Args:
            model: what is trained.
            tags, scheme: its output tags and their scheme.
            dev, dev_scheme: the dev split with its tags as read, and their scheme.
            optim: batches and schedule.
            make_optimizer: gives the optimiser for the parameters.
            fingerprint: of the data, kept in checkpoints; see `fits`.
        """
        super().__init__()
        self.model = model
        self.score_name = "dev_accuracy" if scheme is Scheme.PLAIN else "dev_f1"
        self._tags, self._scheme = list(tags), scheme
        self._dev, self._dev_scheme = dev, dev_scheme
        self._optim, self._make_optimizer, self._fingerprint = optim, make_optimizer, fingerprint
        self._predicted: dict[int, list[str]] = {}
        self._decoder: Decoder | None = None
        self._tokens, self._steps, self._started, self._speed = 0, 0, 0.0, 0.0
        self._loss = torch.zeros(())
        self._rows: LazyAdam | None = None
        self._resumed: Mapping[str, Any] = {}

    def on_train_start(self) -> None:
        """Restore, of a resumed run, what Lightning does not know of; it draws no numbers from here to the first step.

        Raises:
            UserError: the checkpoint was kept within an epoch, with tables updated row by row, as they now are not.
        """
        resumed, self._resumed = self._resumed, {}
        states = resumed.get("rows", [])
        if self._rows is not None and len(states) == len(self._rows.state()):
            self._rows.restore(states)
        elif any(states):
            raise UserError(
                "the checkpoint was kept within an epoch, with other settings of optim; resume with those of its run"
            )
        own = resumed.get("processes", [])[self.global_rank : self.global_rank + 1]
        for state in own:
            self._tokens, self._steps = state["tokens"], state["steps"]
            self._loss = state["loss"].to(self.device)
            self._started = time.perf_counter() - state["seconds"]
            restore_random_states(state["random"], self.device)

    def on_train_epoch_start(self) -> None:
        self._tokens, self._steps, self._started = 0, 0, time.perf_counter()
        self._loss = torch.zeros((), device=self.device)

    def training_step(self, batch: tuple[Step, TensorBatch], batch_idx: int) -> Tensor:
        """Mean negative log-likelihood per sentence; weighted so that the mean over processes is one over sentences."""
        step, tensors = batch
        loss = self.model.loss(
            tensors, label_smoothing=self._optim.label_smoothing, recall_cost=self._optim.recall_cost
        )
        tokens, weighted = step.batch.tokens, loss * step.weight
        self._tokens += tokens
        self._steps += 1
        self._loss += weighted.detach()
        if self._is_logged():
            self._speed = self._tokens / (time.perf_counter() - self._started)
            self.log_dict({"loss": loss.detach(), "tokens_per_second": self._speed}, prog_bar=True, batch_size=tokens)
        return weighted

    def _is_logged(self) -> bool:
        """Whether a logger takes this step's figures: to hand them over costs a twentieth of a step."""
        interval: int = vars(self.trainer)["log_every_n_steps"]
        return self.trainer.is_last_batch or (interval > 0 and (self.trainer.global_step + 1) % interval == 0)

    def on_validation_epoch_start(self) -> None:
        self._settle()
        crf = {} if self.model.crf is None else {name: self.model.get_parameter(name).detach() for name in CRF}
        weights = {name: tensor.float().cpu().numpy() for name, tensor in crf.items()}
        self._decoder = Decoder.of(self._tags, self._scheme, weights)
        self._predicted = {}

    def validation_step(self, batch: tuple[Step, TensorBatch], batch_idx: int) -> None:
        """Tag one batch of the dev split."""
        step, tensors = batch
        arrays = step.batch
        assert self._decoder is not None
        with torch.autocast(self.device.type, enabled=False):  # as the saved model tags
            emissions = self.model(tensors).float().cpu().numpy()
        tags = self._decoder.decode(emissions, batch_sizes_of(arrays.lengths))
        self._predicted.update(zip(arrays.sentences.tolist(), tags, strict=True))

    def on_validation_epoch_end(self) -> None:
        scores = self._gathered_scores()
        if scores is not None:
            self.log(self.score_name, scores.headline, prog_bar=True, sync_dist=True)
            # speed and learning rate as well: few steps, and of a short epoch perhaps none, are logged
            optimizers = self.trainer.optimizers
            rate = {"lr": optimizers[0].param_groups[0]["lr"]} if optimizers else {}
            figures = {"epoch_loss": self._loss / max(1, self._steps), "tokens_per_second": self._speed, **rate}
            self.log_dict(figures, sync_dist=True)

    def predictions(self) -> dict[int, list[str]]:
        """All processes' tags for the dev split by sentence number, of the scoring that was last."""
        return joined(gathered(self._predicted, self.trainer.world_size))

    def _gathered_scores(self) -> Scores | None:
        """The dev split's scores from all processes' predictions; None in the sanity check, where few are there."""
        predicted = self.predictions()
        if self.trainer.sanity_checking:
            return None
        gold = [self._dev[number].tags or [] for number in predicted]
        found = list(predicted.values())
        if self._dev_scheme is Scheme.PLAIN:
            return score(gold, found, self._dev_scheme)
        # the same F1, counted in a fraction of the time that all of seqeval's figures take
        return score_entities(map(set, map(spans_from_tags, gold)), map(set, map(spans_from_tags, found)))

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """The configured optimiser, with warm-up and decay over the run's steps."""
        optimizer = self._optimizer()
        tables = large_tables(self.model)
        if tables and self._one_copy() and by_rows(optimizer):
            self._rows = LazyAdam(optimizer, tables)
        total = self._steps_of_schedule()
        schedule = LambdaLR(optimizer, lambda step: learning_rate_factor(step, total, self._optim))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def _steps_of_schedule(self) -> int:
        """The run's steps; 0 where their number is open and the learning rate stays as it is.

        Raises:
            UserError: their number is open, and the learning rate depends on it.
        """
        steps = self.trainer.estimated_stepping_batches
        if math.isfinite(steps):
            return int(steps)
        if self._optim.warmup or self._optim.decay != "constant":
            raise UserError(
                "trainer.max_epochs=-1: the learning rate rises and falls over a known number of epochs; set "
                "trainer.max_epochs, or optim.warmup=0 and optim.decay=constant"
            )
        return 0

    def _one_copy(self) -> bool:
        """Whether the gradients are this process's alone, as they are, and no average of the weights is kept."""
        scaled = getattr(self.trainer.precision_plugin, "scaler", None) is not None
        return self.trainer.world_size == 1 and not scaled and self._optim.ema is None

    def _settle(self) -> None:
        if self._rows is not None:
            self._rows.settle()

    def configure_gradient_clipping(
        self,
        optimizer: Optimizer,
        gradient_clip_val: int | float | None = None,
        gradient_clip_algorithm: str | None = None,
    ) -> None:
        """Clip, rows of large tables too.

        In bfloat16 as well, where Lightning refuses fused optimisers though none of their gradients is scaled.
        """
        precision = self.trainer.precision_plugin
        if getattr(precision, "scaler", None) is not None:
            self.clip_gradients(optimizer, gradient_clip_val, gradient_clip_algorithm)
            return
        if not gradient_clip_val:
            return
        parameters = [*precision.main_params(optimizer), *(self._rows.leaves() if self._rows else ())]
        if gradient_clip_algorithm == GradClipAlgorithmType.VALUE:
            torch.nn.utils.clip_grad_value_(parameters, gradient_clip_val)
        else:
            torch.nn.utils.clip_grad_norm_(parameters, gradient_clip_val)

    def _optimizer(self) -> Optimizer:
        try:
            parameters = [parameter for name, parameter in self.model.named_parameters() if not _tuned(name)]
            tuned = [parameter for name, parameter in self.model.named_parameters() if _tuned(name)]
            if not tuned:
                return self._make_optimizer(parameters)
            groups: list[dict[str, Any]] = [{"params": parameters}, {"params": tuned, "lr": self._optim.encoder_lr}]
            return self._make_optimizer(groups)
        except (TypeError, ValueError) as error:
            raise UserError(f"optim.optimizer: {error}") from error

    def on_train_epoch_end(self) -> None:
        self._settle()  # what is kept now has weights that stand for themselves

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Note what the weights belong to, what rows have missed, and what is each process's own."""
        checkpoint["fingerprint"] = self._fingerprint
        checkpoint["rows"] = [] if self._rows is None else self._rows.state()
        own = {
            "random": random_states(self.device),
            "tokens": self._tokens,
            "steps": self._steps,
            "loss": self._loss.cpu(),
            "seconds": time.perf_counter() - self._started,
        }
        checkpoint["processes"] = gathered(own, self.trainer.world_size)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep that until training starts."""
        self._resumed = {name: checkpoint.get(name, []) for name in ("rows", "processes")}

    def fits(self, checkpoint: Mapping[str, Any]) -> bool:
        """Whether a checkpoint is of these data and settings, those of its optimiser included."""
        groups = [group for state in checkpoint["optimizer_states"] for group in state["param_groups"]]
        same = [_settings(group) for group in groups] == [_settings(group) for group in self._optimizer().param_groups]
        return same and checkpoint.get("fingerprint") == self._fingerprint


def _settings(group: Mapping[str, Any]) -> dict[str, Any]:
    """What an optimiser's group is trained by: neither its state nor how the steps are computed."""
    settings = {name: value for name, value in group.items() if name not in _NO_SETTINGS}
    return settings | {"lr": group.get("initial_lr", group["lr"])}  # before the schedule


def _tuned(name: str) -> bool:
    """Whether a parameter is of an encoder that is trained along."""
    return name.startswith(TRANSFORMER)
