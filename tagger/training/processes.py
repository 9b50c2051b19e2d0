"""What the processes of a run tell each other, and which of them leads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

import torch
from pytorch_lightning.plugins.environments import (
    ClusterEnvironment,
    LightningEnvironment,
    LSFEnvironment,
    MPIEnvironment,
    SLURMEnvironment,
    TorchElasticEnvironment,
)

from tagger.errors import UserError

_LAUNCHERS: tuple[type[ClusterEnvironment], ...] = (  # in the order in which Lightning looks for them
    *(TorchElasticEnvironment, SLURMEnvironment, LSFEnvironment, MPIEnvironment),
    LightningEnvironment,
)

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
