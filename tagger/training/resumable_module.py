"""A Lightning module that can be resumed exactly: its optimiser, its log, and its state in checkpoints."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import torch
from pytorch_lightning import LightningModule
from pytorch_lightning.utilities import GradClipAlgorithmType
from pytorch_lightning.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from tagger.errors import UserError
from tagger.training.optimizers import OptimizerFactory, comparable_group, optimizer_of, schedule_steps
from tagger.training.process_group import gathered
from tagger.training.random_states import random_states, restore_random_states
from tagger.training.row_updates import LazyAdam, by_rows, large_tables
from tagger.training.run_config import OptimConfig
from tagger.training.schedule import learning_rate_factor


class ResumableModule(LightningModule):
    """The training of a network, but for its loss and its score. A subclass adds the steps and the scores.

    Attributes:
        model: the network.
    """

    def __init__(
        self, model: nn.Module, *, optim: OptimConfig, make_optimizer: OptimizerFactory, fingerprint: str
    ) -> None:
        """
        Args:
            model: the network to train.
            optim: batches and schedule.
            make_optimizer: called with the parameters, returns the optimiser.
            fingerprint: digest of data and settings, stored in checkpoints; see `fits`.
        """
        super().__init__()
        self.model = model
        self._optim, self._make_optimizer, self._fingerprint = optim, make_optimizer, fingerprint
        self._tokens, self._steps, self._started, self._speed = 0, 0, 0.0, 0.0
        self._loss = torch.zeros(())
        self._rows: LazyAdam | None = None
        self._resumed: Mapping[str, Any] = {}

    def on_train_start(self) -> None:
        """Restore the state of a resumed run that Lightning does not restore.

        This is the right moment for the random states: Lightning draws no numbers from here to the first step.

        Raises:
            UserError: the checkpoint was saved within an epoch, with tables updated row by row, and now they are not.
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

    def _is_logged(self) -> bool:
        """Return whether a logger records this step. To log every step would cost a twentieth of its time."""
        interval: int = vars(self.trainer)["log_every_n_steps"]
        return self.trainer.is_last_batch or (interval > 0 and (self.trainer.global_step + 1) % interval == 0)

    def _counted(self, loss: Tensor, tokens: int, weight: float, speed: str) -> Tensor:
        """Count a training step, and log it where a logger records it.

        Args:
            loss: of the batch.
            tokens: of the batch.
            weight: factor of the loss.
            speed: name of the logged tokens per second.

        Returns:
            The weighted loss.
        """
        weighted = loss * weight
        self._tokens += tokens
        self._steps += 1
        self._loss += weighted.detach()
        if self._is_logged():
            self._speed = self._tokens / (time.perf_counter() - self._started)
            self.log_dict({"loss": loss.detach(), speed: self._speed}, prog_bar=True, batch_size=tokens)
        return weighted

    def _log_epoch(self, speed: str) -> None:
        """Log an epoch's loss, speed and learning rate: few steps are logged, and perhaps none of a short epoch."""
        optimizers = self.trainer.optimizers
        rate = {"lr": optimizers[0].param_groups[0]["lr"]} if optimizers else {}
        figures = {"epoch_loss": self._loss / max(1, self._steps), speed: self._speed, **rate}
        self.log_dict(figures, sync_dist=True)

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """Make the configured optimiser, with its learning-rate schedule over the steps of the run."""
        optimizer = self._optimizer()
        tables = large_tables(self.model)
        if tables and self._one_copy() and by_rows(optimizer):
            self._rows = LazyAdam(optimizer, tables)
        total = schedule_steps(self.trainer, self._optim)
        schedule = LambdaLR(optimizer, lambda step: learning_rate_factor(step, total, self._optim))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def _optimizer(self) -> Optimizer:
        return optimizer_of(self.model, self._make_optimizer, self._optim.encoder_lr)

    def _one_copy(self) -> bool:
        """Return whether there is one process, with unscaled gradients and no average of the weights."""
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
        """Clip all gradients, those of rows of large tables too.

        This also works in bfloat16. There, Lightning itself refuses fused optimisers, although no gradient is scaled.
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

    def on_train_epoch_end(self) -> None:
        self._settle()  # so that checkpoints have up-to-date weights

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add the fingerprint, the steps that rows have missed, and the state of each process."""
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
        """Keep the added state until training starts."""
        self._resumed = {name: checkpoint.get(name, []) for name in ("rows", "processes")}

    def fits(self, checkpoint: Mapping[str, Any]) -> bool:
        """Return whether a checkpoint has these data and settings, including those of the optimiser."""
        saved = [group for state in checkpoint["optimizer_states"] for group in state["param_groups"]]
        same = list(map(comparable_group, saved)) == list(map(comparable_group, self._optimizer().param_groups))
        return same and checkpoint.get("fingerprint") == self._fingerprint
