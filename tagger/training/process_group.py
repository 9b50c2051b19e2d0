"""How many processes a run has, what they tell each other, and which of them leads."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, TypeVar

import torch
from pytorch_lightning.accelerators import AcceleratorRegistry
from pytorch_lightning.plugins.environments import (
    ClusterEnvironment,
    LightningEnvironment,
    LSFEnvironment,
    MPIEnvironment,
    SLURMEnvironment,
    TorchElasticEnvironment,
)
from pytorch_lightning.utilities.exceptions import MisconfigurationException

from tagger.errors import UserError

_LAUNCHERS: tuple[type[ClusterEnvironment], ...] = (  # in the order in which Lightning looks for them
    *(TorchElasticEnvironment, SLURMEnvironment, LSFEnvironment, MPIEnvironment),
    LightningEnvironment,
)
_KINDS = {"auto": ("mps", "cuda", "cpu"), "gpu": ("mps", "cuda")}  # likewise

Told = TypeVar("Told")


def is_leader() -> bool:
    """Whether this is the process that reports and saves: the first on the first machine, as its launcher counts.

    Raises:
        UserError: the launcher was asked for processes in a way that Lightning does not take.
    """
    launcher = next(kind for kind in _LAUNCHERS if kind.detect())
    try:
        found = launcher()
    except (RuntimeError, ValueError) as error:
        raise UserError(f"trainer: {error}") from error
    return found.local_rank() == found.node_rank() == 0


def batches_per_step(trainer: Mapping[str, Any]) -> int:
    """How many batches a step of the optimiser sees: devices × nodes × accumulated ones.

    Args:
        trainer: Lightning's settings; what it will refuse counts as 1.
    """
    counts = (_devices(trainer), trainer.get("num_nodes"), trainer.get("accumulate_grad_batches"))
    return math.prod(count for count in counts if isinstance(count, int) and count > 0)


def _devices(trainer: Mapping[str, Any]) -> int:
    """How many there are on each machine, counted by Lightning, which does not start CUDA for that."""
    name, wanted = trainer.get("accelerator"), trainer.get("devices", "auto")
    if not isinstance(name, str):
        return 1
    known = [AcceleratorRegistry[kind]["accelerator"] for kind in _KINDS.get(name, (name,))]
    kind = next(kind for kind in known if kind.is_available())
    try:
        found = kind.parse_devices(kind.auto_device_count() if wanted == "auto" else wanted)
        return len(kind.get_parallel_devices(found))
    except (TypeError, ValueError, MisconfigurationException):
        return 1


def gathered(own: Told, processes: int) -> list[Told]:
    """What every process has, in their order, on all of them.

    Args:
        own: this process's.
        processes: how many there are; all have to call this.
    """
    if processes == 1:
        return [own]
    told: list[Told | None] = [None] * processes
    torch.distributed.all_gather_object(told, own)
    return [entry for entry in told if entry is not None]


def joined(shares: list[Mapping[int, list[str]]]) -> dict[int, list[str]]:
    """All shares' predictions by sentence number, in rising order.

    Raises:
        ValueError: a sentence is in two shares.
    """
    together = {number: tags for share in shares for number, tags in share.items()}
    if len(together) != sum(map(len, shares)):
        raise ValueError("a sentence was tagged by two processes")
    return dict(sorted(together.items()))
