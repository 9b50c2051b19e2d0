"""Refuse impossible settings of trainer and optimiser before any data are read."""

from __future__ import annotations

import torch
from pytorch_lightning.accelerators import AcceleratorRegistry

from tagger.errors import UserError
from tagger.training.optimizers import OptimizerFactory

_KINDS = {"gpu": ("cuda", "mps")}  # names that stand for several kinds
_ANY = "auto"


def check_accelerator(name: object) -> None:
    """Check that this machine has the accelerator of a run.

    Args:
        name: the value of `trainer.accelerator`. Lightning itself checks a value that is no text.

    Raises:
        UserError: the name is unknown, or this machine has no such accelerator.
    """
    known = AcceleratorRegistry.available_accelerators()
    if not isinstance(name, str) or name == _ANY:
        return
    kinds = _KINDS.get(name, (name,))
    if not set(kinds) <= set(known):
        raise UserError(f"trainer.accelerator={name}: no such kind; use {', '.join((_ANY, *_KINDS, *known))}")
    if not any(AcceleratorRegistry[kind]["accelerator"].is_available() for kind in kinds):
        raise UserError(
            f"trainer.accelerator={name}: there is none on this machine; set trainer.accelerator=cpu or auto"
        )


def check_optimizer(make_optimizer: OptimizerFactory) -> None:
    """Check that the optimiser accepts its settings.

    Raises:
        UserError: it does not.
    """
    try:
        make_optimizer([torch.nn.Parameter(torch.zeros(1))])
    except (TypeError, ValueError, RuntimeError) as error:
        raise UserError(f"optim.optimizer: {error}") from error
