"""How far back a cell sees: recall of symbols over a distance, and the gradient that reaches back over it.

The task is to copy: `COPIED` symbols in a row, each one of `SYMBOLS`, stand before or behind the middle of a sequence,
each as likely, the nearest d away from it; at the middle all of them are to be named, in their order, from the state
there. All else is fillers, one of as many other symbols, but for the middle, which asks. One network for each cell, way
of reading and seed is trained on distances drawn log-uniformly from 1 to `Schedule.longest`, a batch of one distance at
a time, and then asked at every distance. Forward-only reading sees what stands before alone.

The gradient: ‖∂h/∂x‖, the Frobenius norm of the Jacobian of the states at the middle with respect to the input d away
on the sides that are read, root mean square over sequences of fillers. E ‖vᵀ J‖² = ‖J‖² for v of independent standard
normal numbers: one backward pass for a v gives all distances at once. In double precision.
"""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from tagger.config import Cell
from tagger.errors import UserError
from tagger.files import written_whole
from tagger.model.recurrence import bidirectional

SYMBOLS = 8
COPIED = 4
INPUTS = 2 * SYMBOLS + 1  # those to be named, the fillers, and the one that asks
_ASKS = 2 * SYMBOLS
FORMAT = 1


@dataclass(frozen=True)
class Schedule:
    """How much is trained and asked.

    Attributes:
        hidden: units per direction.
        updates: of the weights; batches of `batch` sequences.
        longest: the longest distance trained on.
        distances: those asked at.
        asked: sequences at each distance.
        probes: sequences for the gradient, each with a v of its own.
    """

    hidden: int = 64
    updates: int = 1000
    batch: int = 64
    longest: int = 100
    distances: tuple[int, ...] = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
    asked: int = 128
    probes: int = 8


class Reader(nn.Module):
    """Recurrent layers over one-hot symbols, and what they name at the middle."""

    def __init__(self, cells: Sequence[Cell], hidden: int, *, both: bool) -> None:
        """
        Args:
            cells: of the layers.
            hidden: units per direction.
            both: read in both directions; else forward only, in every layer.
        """
        super().__init__()
        self.hidden, self.both = hidden, both
        widths = [INPUTS, *[hidden * (2 if both else 1)] * len(cells)]
        self.layers = nn.ModuleList(
            bidirectional(cell, width, hidden) for cell, width in zip(cells, widths, strict=False)
        )
        self.named = nn.Linear(widths[-1], COPIED * SYMBOLS)

    def states(self, inputs: Tensor) -> Tensor:
        """(B, T, INPUTS) → the last layer's states at the middle, (B, H or 2H)."""
        middle = inputs.shape[1] // 2
        values = inputs if self.both else inputs[:, : middle + 1]
        for layer in self.layers:
            values = layer(values)[0] if self.both else layer(values)[0][:, :, : self.hidden]
        return values[:, middle]

    def forward(self, inputs: Tensor) -> Tensor:
        """(B, T, INPUTS) → scores of each symbol in each place, (B, COPIED, SYMBOLS)."""
        return self.named(self.states(inputs)).unflatten(1, (COPIED, SYMBOLS))


def sequences(count: int, distance: int, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Symbols (B, 2(d + COPIED) - 1), those to be named (B, COPIED), and whether they stand before the middle (B,)."""
    middle = distance + COPIED - 1
    symbols = torch.randint(SYMBOLS, 2 * SYMBOLS, (count, 2 * middle + 1), generator=generator)
    wanted = torch.randint(SYMBOLS, (count, COPIED), generator=generator)
    before = torch.randint(2, (count,), generator=generator).bool()
    symbols[before, :COPIED], symbols[~before, -COPIED:] = wanted[before], wanted[~before]
    symbols[:, middle] = _ASKS
    return symbols, wanted, before


def train(reader: Reader, schedule: Schedule, seed: int) -> None:
    """Train a reader: Adam, gradients cut to norm 1, a learning rate of 0.003 falling linearly to zero."""
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.Adam(reader.parameters(), lr=0.003)
    falling = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 - step / schedule.updates)
    for _ in range(schedule.updates):
        distance = round(math.exp(torch.rand((), generator=generator).item() * math.log(schedule.longest)))
        symbols, wanted, _ = sequences(schedule.batch, distance, generator)
        loss = functional.cross_entropy(reader(one_hot(symbols)).flatten(0, 1), wanted.flatten())
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(reader.parameters(), 1.0)
        optimizer.step()
        falling.step()


def recall(reader: Reader, distance: int, count: int, seed: int) -> tuple[float, float]:
    """The share of symbols named right, of those before the middle and of those behind it."""
    symbols, wanted, before = sequences(count, distance, torch.Generator().manual_seed(seed))
    with torch.no_grad():
        right = (reader(one_hot(symbols)).argmax(dim=2) == wanted).double()
    return right[before].mean().item(), right[~before].mean().item()


def gradients(reader: Reader, distances: Sequence[int], probes: int, seed: int) -> list[float]:
    """‖∂h/∂x‖ at each distance; see the module's docstring."""
    generator = torch.Generator().manual_seed(seed)
    longest = max(distances)
    symbols = torch.randint(SYMBOLS, 2 * SYMBOLS, (probes, 2 * longest + 1), generator=generator)
    symbols[:, longest] = _ASKS
    exact = copy.deepcopy(reader).double()
    inputs = one_hot(symbols).double().requires_grad_()
    states = exact.states(inputs)
    (states * torch.randn(states.shape, generator=generator, dtype=torch.float64)).sum().backward()
    assert inputs.grad is not None
    squares = inputs.grad.square().sum(dim=2).mean(dim=0)  # (T,)
    before, behind = squares[:longest].flip(0), squares[longest + 1 :]
    reached = (before + behind) / 2 if reader.both else before
    return [math.sqrt(reached[distance - 1].item()) for distance in distances]


def one_hot(symbols: Tensor) -> Tensor:
    """(B, T) → (B, T, INPUTS)."""
    return functional.one_hot(symbols, INPUTS).float()


def examined(cells: Sequence[Cell], *, both: bool, seed: int, schedule: Schedule, path: Path) -> dict[str, Any]:
    """Recall and gradients of one network, trained here, or read from `path` where they were kept before.

    Returns:
        `gradient_at_start` and `gradient` (at initialisation and after training), `recall_before` and `recall_behind`
        the middle, each a list along the schedule's distances.

    Raises:
        UserError: what lies there is damaged, or cannot be written.
    """
    asked = {
        "format": FORMAT,
        "copied": COPIED,
        "cells": list(cells),
        "both": both,
        "seed": seed,
        "schedule": asdict(schedule),
    }
    asked = json.loads(json.dumps(asked))
    kept = _read(path)
    if kept is not None and all(kept.get(key) == value for key, value in asked.items()):
        return kept
    torch.manual_seed(seed)
    reader = Reader(cells, schedule.hidden, both=both)
    initial = gradients(reader, schedule.distances, schedule.probes, seed)
    train(reader, schedule, seed)
    named = [recall(reader, distance, schedule.asked, seed + 1) for distance in schedule.distances]
    found = {
        "gradient_at_start": initial,
        "gradient": gradients(reader, schedule.distances, schedule.probes, seed),
        "recall_before": [before for before, _ in named],
        "recall_behind": [behind for _, behind in named],
    }
    with written_whole(path) as stream:
        json.dump({**asked, **found}, stream)
    return {**asked, **found}


def _read(path: Path) -> dict[str, Any] | None:
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: cannot read: {error}; remove it to have it made anew") from error
