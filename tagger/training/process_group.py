"""The processes of a run: their number, which one leads, and how they exchange data."""

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
_KINDS = {"auto": ("mps", "cuda", "cpu"), "gpu": ("mps", "cuda")}  # in Lightning's order

T = TypeVar("T")


def is_leader() -> bool:
    """Return whether this process reports and saves: the first on the first machine, by the launcher's count.

    Raises:
        UserError: Lightning does not accept how the launcher was asked for processes.
    """
    launcher = next(kind for kind in _LAUNCHERS if kind.detect())
    try:
        found = launcher()
    except (RuntimeError, ValueError) as error:
        raise UserError(f"trainer: {error}") from error
    return found.local_rank() == found.node_rank() == 0


def batches_per_step(trainer: Mapping[str, Any]) -> int:
    """Return the number of batches per step of the optimiser: devices × nodes × accumulated batches.

    Args:
        trainer: Lightning's settings. A value that Lightning will refuse counts as 1.
    """
    counts = (_devices(trainer), trainer.get("num_nodes"), trainer.get("accumulate_grad_batches"))
    return math.prod(count for count in counts if isinstance(count, int) and count > 0)


def _devices(trainer: Mapping[str, Any]) -> int:
    """Count the devices of each machine. Lightning counts them without starting CUDA."""
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


def gathered(own: T, processes: int) -> list[T]:
    """Collect a value from every process, in their order.

    Args:
        own: the value of this process.
        processes: number of processes. All of them must call this.
    """
    if processes == 1:
        return [own]
    found: list[T | None] = [None] * processes
    torch.distributed.all_gather_object(found, own)
    return [entry for entry in found if entry is not None]


def joined(shares: list[Mapping[int, list[str]]]) -> dict[int, list[str]]:
    """Join the predictions of all shares by sentence number, in rising order.

    Raises:
        ValueError: a sentence is in two shares.
    """
    together = {number: tags for share in shares for number, tags in share.items()}
    if len(together) != sum(map(len, shares)):
        raise ValueError("a sentence was tagged by two processes")
    return dict(sorted(together.items()))
