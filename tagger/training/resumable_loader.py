"""Loaders of training batches that can continue in the middle of an epoch."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, Self

from tagger.errors import UserError


class ResumableLoader(ABC):
    """Training batches, epoch by epoch, for Lightning to iterate over.

    Its state is the number of batches used. PyTorch's own loader has no state, so Lightning would begin an epoch again
    when it resumes within one. PyTorch's loader also needs the order of batches before Lightning has set the epoch.
    """

    def __init__(self, before_batch: Callable[[int], None]) -> None:
        """
        Args:
            before_batch: called with a batch's number in the epoch, when the batch before is done and this one is not
                yet made.
        """
        self._before_batch = before_batch
        self._epoch, self._given, self._first = 0, 0, 0
        self._resumed_order: str | None = None

    @property
    def sampler(self) -> Self:
        """The object whose `set_epoch` Lightning calls."""
        return self

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch. Lightning calls this before each epoch, and after `load_state_dict`."""
        if epoch != self._epoch:
            self._first = 0
        self._epoch = epoch

    def state_dict(self) -> dict[str, Any]:
        """Return the epoch, the number of its batches used, and a digest of their order."""
        return {"epoch": self._epoch, "given": self._given, "order": self._order()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue there, if that epoch is the next one set."""
        self._epoch, self._first, self._resumed_order = state["epoch"], state["given"], state["order"]

    def _begin(self, same: str) -> int:
        """Begin to iterate. Return the number of the first batch to give.

        Args:
            same: what must be as in the run of the checkpoint, for the message.

        Raises:
            UserError: that batch is within an epoch whose batches had another order.
        """
        first, self._first = self._first, 0
        if first and self._resumed_order != self._order():
            raise UserError(
                f"the checkpoint was kept within an epoch, whose batches were others; resume with {same} of its run"
            )
        self._given = first
        return first

    def _give(self, number: int) -> None:
        """Note that the batch of this number is made next."""
        self._before_batch(number)
        self._given = number + 1

    @abstractmethod
    def _order(self) -> str:
        """Return a digest of all that the order of the batches depends on, besides the epoch."""
