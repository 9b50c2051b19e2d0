"""The training batches of a corpus, epoch by epoch."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch

from tagger.features.batching import Ints, training_batches
from tagger.features.encoding import Batch
from tagger.training.epoch_corpora import EpochCorpora
from tagger.training.resumable_loader import ResumableLoader


@dataclass(frozen=True)
class Step:
    """The batch of one process, with its weight.

    Attributes:
        batch: the sentences.
        weight: factor of the batch's mean loss. With it, the mean over all processes is a mean over all sentences.
    """

    batch: Batch
    weight: float = 1.0


class TrainingLoader(ResumableLoader):
    """The training batches of one process."""

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
            before_batch: as `ResumableLoader` takes it.
        """
        super().__init__(before_batch)
        self._corpora, self._corpus = corpora, corpora.corpus(0)
        self._budget, self._seed = budget, seed
        self._process, self._processes = process, processes
        self._made = 0  # the epoch of the corpus
        self._count: int | None = None
        self._count = len(self._shares()[process])

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch, and make its corpus."""
        super().set_epoch(epoch)
        if epoch != self._made:
            self._corpus, self._made = self._corpora.corpus(epoch), epoch

    def __len__(self) -> int:
        assert self._count is not None
        return self._count

    def __iter__(self) -> Iterator[Step]:
        """Yield the batches of the epoch, from the place that `load_state_dict` has set.

        Raises:
            UserError: the place is within an epoch whose batches had another order.
        """
        shares = self._shares()
        first = self._begin("the training data, seed, optim.batch_tokens and trainer.devices")
        if not first:  # PyTorch's loader draws this too; without it, a seed would give another model
            torch.empty((), dtype=torch.int64).random_()
        for number in range(first, len(self)):
            self._give(number)
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
