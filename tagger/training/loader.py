"""Training batches, epoch by epoch. The loader can continue in the middle of an epoch."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch

from tagger.errors import UserError
from tagger.features.batching import Ints, training_batches
from tagger.features.encoding import Batch
from tagger.training.epoch_corpora import EpochCorpora


@dataclass(frozen=True)
class Step:
    """The batch of one process, with its weight.

    Attributes:
        batch: the sentences.
        weight: factor of the batch's mean loss. With it, the mean over all processes is a mean over all sentences.
    """

    batch: Batch
    weight: float = 1.0


class TrainingLoader:
    """The training batches of one process, for Lightning to iterate over.

    Its state is the number of batches used. PyTorch's own loader has no state, so Lightning would begin an epoch again
    when it resumes within one. PyTorch's loader also needs the order of batches before Lightning has set the epoch.
    """

    def __init__(
        self,
        corpora: EpochCorpora,
        *,
        budget: int,
        seed: int,
        process: int = 0,
        processes: int = 1,
        before_batch: Callable[[int], None] = lambda number: None,
    ) -> None:
        """
        Args:
            corpora: make each epoch's corpus.
            budget: tokens per batch.
            seed: decides the order, together with the epoch.
            process, processes: number of this process, and number of processes.
            before_batch: called with a batch's number in the epoch, when the batch before is done and this one is not
                yet made.
        """
        self._corpora, self._corpus = corpora, corpora.corpus(0)
        self._budget, self._seed = budget, seed
        self._process, self._processes = process, processes
        self._before_batch = before_batch
        self._epoch, self._given, self._first, self._made = 0, 0, 0, 0
        self._resumed_order: str | None = None
        self._count: int | None = None
        self._count = len(self._shares()[process])

    @property
    def sampler(self) -> TrainingLoader:
        """The object whose `set_epoch` Lightning calls."""
        return self

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch. Lightning calls this before each epoch, and after `load_state_dict`."""
        if epoch != self._epoch:
            self._first = 0
        if epoch != self._made:
            self._corpus, self._made = self._corpora.corpus(epoch), epoch
        self._epoch = epoch

    def state_dict(self) -> dict[str, Any]:
        """Return the epoch, the number of its batches used, and a digest of their order."""
        return {"epoch": self._epoch, "given": self._given, "order": self._order()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue there, if that epoch is the next one set."""
        self._epoch, self._first, self._resumed_order = state["epoch"], state["given"], state["order"]

    def __len__(self) -> int:
        assert self._count is not None
        return self._count

    def __iter__(self) -> Iterator[Step]:
        """Yield the batches of the epoch, from the place that `load_state_dict` has set.

        Raises:
            UserError: the place is within an epoch whose batches had another order.
        """
        shares = self._shares()
        first, self._first = self._first, 0
        if first and self._resumed_order != self._order():
            raise UserError(
                "the checkpoint was kept within an epoch, whose batches were others; resume with the training data, "
                "seed, optim.batch_tokens and trainer.devices of its run"
            )
        if not first:  # PyTorch's loader draws this too; without it, a seed would give another model
            torch.empty((), dtype=torch.int64).random_()
        self._given = first
        for number in range(first, len(self)):
            self._before_batch(number)
            self._given = number + 1
            sentences = [len(share[number]) for share in shares]
            weight = sentences[self._process] * self._processes / sum(sentences)
            yield Step(self._corpus.batch(shares[self._process][number]), weight)

    def _shares(self) -> list[list[Ints]]:
        return training_batches(
            self._corpus.lengths,
            self._budget,
            seed=self._seed,
            epoch=self._epoch,
            processes=self._processes,
            count=self._count,
        )

    def _order(self) -> str:
        settings = f"{self._budget} {self._seed} {self._processes} "
        return hashlib.sha256(settings.encode() + self._corpus.lengths.tobytes()).hexdigest()
