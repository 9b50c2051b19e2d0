"""Lazy Adam: update only the rows of large tables that a step has read. Other rows catch up later."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.optim import Adam, AdamW, Optimizer

from tagger.model.row_table import Ints, RowsRead, RowTable
from tagger.model.transfer import on_device

_LARGE = 1 << 19  # elements; a smaller table is updated as a whole in less time than it takes to find its rows
_NEGLIGIBLE = 1e-12  # share of a row's last movement that counts as none
_ROWS_AT_ONCE = 1 << 16
_UNUSUAL = ("amsgrad", "maximize", "capturable", "differentiable")


def large_tables(module: torch.nn.Module) -> list[RowTable]:
    """List the tables of a network that are large enough for updates row by row to save time."""
    return [part for part in module.modules() if isinstance(part, RowTable) and part.weight.numel() >= _LARGE]


def by_rows(optimizer: Optimizer) -> bool:
    """Return whether an optimiser can be replaced row by row: AdamW, or Adam without decay, with usual settings."""
    return type(optimizer) in (Adam, AdamW) and all(
        not any(group[name] for name in _UNUSUAL)
        and not isinstance(group["lr"], Tensor)
        and (group["decoupled_weight_decay"] or not group["weight_decay"])
        for group in optimizer.param_groups
    )


class LazyAdam:
    """Take the steps of an Adam optimiser (Kingma & Ba 2015; Loshchilov & Hutter 2019) on the rows that were read.

    In dense Adam, a row that a step does not read has gradient zero. Its moments shrink by β₁ and β₂, the rest of the
    first moment still moves it, and its weights decay. Apart from the row's own m / (√v̂ + ε), all this depends only on
    the number of missed steps. So it is done at once, when the row is next read. The result is that of dense Adam,
    within rounding and within the share of ε in a missed step (there ε shrinks as √v̂ does).

    The state is in the optimiser's own state, under the same names. After `settle`, it is that of dense Adam.
    """

    def __init__(self, optimizer: Optimizer, tables: Sequence[RowTable]) -> None:
        """
        Args:
            optimizer: an optimiser that `by_rows` accepts. After each of its steps, the tables take theirs.
            tables: tables whose weights are among its parameters.
        """
        self._optimizer = optimizer
        self._tables = [_Table(optimizer, table) for table in tables]
        optimizer.register_step_post_hook(lambda *_: self._step())

    def leaves(self) -> list[Tensor]:
        """Return the tensors that hold the gradients of the tables, for clipping."""
        return [read.values for table in self._tables for read in table.read()]

    def settle(self) -> None:
        """Bring all rows up to date. Call this before the tables are scored or saved."""
        for table in self._tables:
            table.settle()

    def state(self) -> list[dict[str, Any]]:
        """Return the missed steps of each table; empty if all rows are up to date."""
        return [table.state() for table in self._tables]

    def restore(self, states: Sequence[dict[str, Any]]) -> None:
        """Continue from `state`. Restore tables and optimiser first."""
        for table, state in zip(self._tables, states, strict=True):
            table.restore(state)

    def _step(self) -> None:
        for table in self._tables:
            table.step()


class _History:
    """The steps since all rows were up to date, and the effect of each on a row that missed it."""

    def __init__(self, taken: int) -> None:
        """
        Args:
            taken: number of earlier steps of the optimiser.
        """
        self.taken = taken
        self.steps = 0
        self._kept = np.ones(64)  # share of the weights that is left after each step
        self._moved = np.zeros(64)  # multiple of m / (√v̂ + ε) to subtract after each step, at its scale

    def add(self, group: dict[str, Any]) -> None:
        """Add a step with the settings of the optimiser's group."""
        first, second = group["betas"]
        rate, now = group["lr"], self.taken + self.steps + 1
        self.steps += 1
        if self.steps == len(self._kept):
            self._kept, self._moved = (np.concatenate([old, np.zeros_like(old)]) for old in (self._kept, self._moved))
        self._kept[self.steps] = self._kept[self.steps - 1] * (1 - rate * group["weight_decay"])
        ratio = first / math.sqrt(second)
        window = self.steps
        if 0 < ratio < 1:
            window = min(window, math.ceil(math.log(_NEGLIGIBLE) / math.log(ratio)))
        since = slice(self.steps - window, self.steps)
        missed = np.arange(window, 0, -1)
        seen = now - missed  # steps of the optimiser until then
        corrected = math.sqrt(1 - second**now) / _root(second, seen)
        moved = rate * ratio**missed / (1 - first**now) * corrected
        self._moved[since] += moved * self._kept[since] / self._kept[self.steps]
        self._moved[self.steps] = 0

    def state(self) -> dict[str, Any]:
        """Return the history for a checkpoint."""
        held = slice(self.steps + 1)
        kept, moved = torch.from_numpy(self._kept[held].copy()), torch.from_numpy(self._moved[held].copy())
        return {"taken": self.taken, "kept": kept, "moved": moved}

    @classmethod
    def of(cls, state: dict[str, Any]) -> _History:
        """Restore a history from its `state`."""
        history = cls(state["taken"])
        history._kept, history._moved = state["kept"].numpy().copy(), state["moved"].numpy().copy()
        history.steps = len(history._kept) - 1
        return history

    def missed(self, last: Ints) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the effect of the missed steps on rows that were up to date after the steps `last`.

        Returns:
            The share of the weights that is left, and the multiple of m / (√v̂ + ε) to subtract before.
        """
        return self._kept[self.steps] / self._kept[last], self._moved[last]


def _root(second: float, steps: Ints) -> NDArray[np.float64]:
    """Return the root of Adam's correction of the second moment; 1 before the first step, where the moment is zero."""
    return np.sqrt(np.where(steps > 0, 1 - second**steps, 1.0))


class _Table:
    """A table whose rows are each up to date after a step of their own."""

    def __init__(self, optimizer: Optimizer, table: RowTable) -> None:
        self._optimizer, self._table = optimizer, table
        self._weight = table.weight
        self._history: _History | None = None
        self._last = np.zeros(len(self._weight), dtype=np.int64)
        table.before_reading = self._catch_up

    def read(self) -> list[RowsRead]:
        """Join all reads since the last step into one with their summed gradient; empty if nothing was read."""
        reads = self._table.reads
        if len(reads) > 1:
            rows = np.unique(np.concatenate([read.rows for read in reads]))
            places = self._on_device(rows)
            values = self._weight.detach()[places].requires_grad_()
            values.grad = torch.zeros_like(values)
            for read in reads:
                if read.values.grad is not None:
                    within = self._on_device(np.searchsorted(rows, read.rows))
                    values.grad.index_add_(0, within, read.values.grad)
            reads[:] = [RowsRead(rows, values)]
        return reads

    def _group(self) -> dict[str, Any]:
        return next(
            group for group in self._optimizer.param_groups if any(entry is self._weight for entry in group["params"])
        )

    def _state(self) -> dict[str, Tensor]:
        """Return the optimiser's state of the table. Loading a checkpoint replaces it."""
        state = self._optimizer.state[self._weight]
        if not state:
            state["step"] = torch.zeros(())
            state["exp_avg"] = torch.zeros_like(self._weight)
            state["exp_avg_sq"] = torch.zeros_like(self._weight)
        return state

    def _catch_up(self, rows: Ints) -> None:
        if self._history is None:
            return
        rows = rows[self._last[rows] < self._history.steps]
        if not len(rows):
            return
        group, state, history = self._group(), self._state(), self._history
        first, second = group["betas"]
        last = self._last[rows]
        seen, missed = history.taken + last, history.steps - last
        kept, moved = history.missed(last)
        places = self._on_device(rows)
        shrunk, before, root, by_first, by_second = self._columns(
            kept, moved, 1 / _root(second, seen), first**missed, second**missed
        )
        with torch.no_grad():
            weight, mean, square = (part[places] for part in (self._weight, state["exp_avg"], state["exp_avg_sq"]))
            scale = square.sqrt().mul_(root).add_(group["eps"])
            self._weight[places] = weight.sub_((mean * before).div_(scale)).mul_(shrunk)
            state["exp_avg"][places] = mean.mul_(by_first)
            state["exp_avg_sq"][places] = square.mul_(by_second)
        self._last[rows] = history.steps

    def _columns(self, *factors: NDArray[np.float64]) -> Iterable[Tensor]:
        """Copy numbers per row to the device at once, as columns (R, 1) of the table's type."""
        stacked = torch.from_numpy(np.stack(factors)).to(self._weight.dtype)
        return self._on_device(stacked.numpy()).unsqueeze(2).unbind()

    def _on_device(self, array: NDArray[Any]) -> Tensor:
        """Copy an array to the device of the table."""
        return on_device([array], self._weight.device)[0]

    def step(self) -> None:
        """Take a step on the rows read since the last one. The other rows miss it."""
        state, group = self._state(), self._group()
        if self._history is None:
            self._history = _History(int(state["step"]))
        history = self._history
        history.add(group)
        state["step"] += 1
        for read in self.read():
            if read.values.grad is not None:
                self._update(read.rows, read.values.grad, group, state, history)
        self._table.reads.clear()

    def _update(
        self, rows: Ints, gradient: Tensor, group: dict[str, Any], state: dict[str, Tensor], history: _History
    ) -> None:
        now = history.taken + history.steps
        first, second = group["betas"]
        places = self._on_device(rows)
        with torch.no_grad():
            mean = state["exp_avg"][places].lerp_(gradient, 1 - first)
            square = state["exp_avg_sq"][places].mul_(second).addcmul_(gradient, gradient, value=1 - second)
            scale = square.sqrt().div_(math.sqrt(1 - second**now)).add_(group["eps"])
            weight = self._weight[places].mul_(1 - group["lr"] * group["weight_decay"])
            self._weight[places] = weight.addcdiv_(mean, scale, value=-group["lr"] / (1 - first**now))
            state["exp_avg"][places], state["exp_avg_sq"][places] = mean, square
        self._last[rows] = history.steps

    def state(self) -> dict[str, Any]:
        """Return the missed steps of the rows; empty if all rows are up to date."""
        if self._history is None:
            return {}
        return {**self._history.state(), "last": torch.from_numpy(self._last.copy())}

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from `state`."""
        self._history = _History.of(state) if state else None
        self._last[:] = state["last"].numpy() if state else 0

    def settle(self) -> None:
        """Bring all rows up to date and clear the history."""
        for start in range(0, len(self._last), _ROWS_AT_ONCE):
            self._catch_up(np.arange(start, min(start + _ROWS_AT_ONCE, len(self._last))))
        self._history = None
        self._last[:] = 0
