"""The optimiser of a run: its parameters in groups, and the length of its learning-rate schedule."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pytorch_lightning import Trainer
from torch.nn import Module, Parameter
from torch.optim import Optimizer

from tagger.errors import UserError
from tagger.tensor_shapes import TRANSFORMER
from tagger.training.run_config import OptimConfig

OptimizerFactory = Callable[[Sequence[Parameter] | Sequence[dict[str, Any]]], Optimizer]
_NOT_COMPARED = {"params", "initial_lr", "fused", "foreach", "capturable"}  # keys of a group that change no result


def optimizer_of(model: Module, make_optimizer: OptimizerFactory, encoder_lr: float) -> Optimizer:
    """Make the optimiser. The weights of a fine-tuned encoder are a group with a learning rate of their own.

    Raises:
        UserError: the optimiser refuses its settings.
    """
    parameters = [parameter for name, parameter in model.named_parameters() if not name.startswith(TRANSFORMER)]
    tuned = [parameter for name, parameter in model.named_parameters() if name.startswith(TRANSFORMER)]
    try:
        if not tuned:
            return make_optimizer(parameters)
        groups: list[dict[str, Any]] = [{"params": parameters}, {"params": tuned, "lr": encoder_lr}]
        return make_optimizer(groups)
    except (TypeError, ValueError) as error:
        raise UserError(f"optim.optimizer: {error}") from error


def comparable_group(group: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of an optimiser's group that decide the result, as they were before the schedule."""
    settings = {name: value for name, value in group.items() if name not in _NOT_COMPARED}
    return settings | {"lr": group.get("initial_lr", group["lr"])}


def schedule_steps(trainer: Trainer, optim: OptimConfig) -> int:
    """Return the number of steps of a run; 0 if it is open and the learning rate is constant.

    Raises:
        UserError: the number is open, and the learning rate depends on it.
    """
    steps = trainer.estimated_stepping_batches
    if math.isfinite(steps):
        return int(steps)
    if optim.warmup or optim.lr_schedule != "constant":
        raise UserError(
            "trainer.max_epochs=-1: the learning rate rises and falls over a known number of epochs; set "
            "trainer.max_epochs, or optim.warmup=0 and optim.lr_schedule=constant"
        )
    return 0
