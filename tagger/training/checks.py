"""Settings of trainer and optimiser that cannot be, told before anything is read."""

from __future__ import annotations

import torch
from pytorch_lightning.accelerators import AcceleratorRegistry

from tagger.errors import UserError
from tagger.training.lightning_module import OptimizerFactory

_KINDS = {"gpu": ("cuda", "mps")}  # names for what one of several may be
_ANY = "auto"


def check_accelerator(name: object) -> None:
    """See that this machine has what a run is to use.

    Args:
        name: as `trainer.accelerator` has it; what is no text is left to Lightning.

    Raises:
        UserError: there is none of that name, or none here.
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
    """See that the optimiser takes its settings.

    Raises:
        UserError: it does not.
    """
    try:
        make_optimizer([torch.nn.Parameter(torch.zeros(1))])
    except (TypeError, ValueError, RuntimeError) as error:
        raise UserError(f"optim.optimizer: {error}") from error
