"""The training batches, epoch by epoch, which can go on in the middle of one."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch

from tagger.corpus.augmentation import MentionReplacement
from tagger.errors import UserError
from tagger.features.batching import Ints, training_batches
from tagger.features.encoding import Batch, EncodedCorpus


@dataclass(frozen=True)
class Step:
    """What one process computes at once.

    Attributes:
        batch: its sentences.
        weight: of its mean loss in the mean over all processes, for that to be the mean over all their sentences.
    """

    batch: Batch
    weight: float = 1.0


class TrainingLoader:
    """One process's share of each epoch, as Lightning iterates over it.

    What has been given out is its state. PyTorch's own loader has none, so that Lightning, resuming in the middle of
    an epoch, begins that epoch anew; and it asks for the order of batches before Lightning has said which epoch it is.
    """

    def __init__(
        self,
        corpus: EncodedCorpus,
        *,
        budget: int,
        seed: int,
        process: int = 0,
        processes: int = 1,
        replacement: MentionReplacement | None = None,
        before_batch: Callable[[int], None] = lambda number: None,
    ) -> None:
        """
        Args:
            corpus: the training split.
            budget: tokens per batch, before mentions are replaced.
            seed: what the order depends on, with the epoch.
            process, processes: which share it is, and of how many.
            replacement: of mentions, drawn anew for each epoch.
            before_batch: called with a batch's number in the epoch before it is made, when all is done about the one
                before.
        """
        self._corpus, self._original, self._replacement = corpus, corpus, replacement
        self._budget, self._seed = budget, seed
        self._process, self._processes = process, processes
        self._before_batch = before_batch
        self._epoch, self._given, self._first = 0, 0, 0
        self._resumed_order: str | None = None
        self._count = len(self._shares()[process])

    @property
    def sampler(self) -> TrainingLoader:
        """Where Lightning looks for what to tell the epoch."""
        return self

    def set_epoch(self, epoch: int) -> None:
        """Called by Lightning before each epoch, after `load_state_dict` if that is called."""
        if epoch != self._epoch:
            self._first = 0
        self._epoch = epoch
        if self._replacement is not None:
            self._corpus = self._original.of_same_words(self._replacement.draw(epoch << 32 | self._seed))

    def state_dict(self) -> dict[str, Any]:
        """The epoch, how many of its batches were given out, and a digest of the order they are in."""
        return {"epoch": self._epoch, "given": self._given, "order": self._order()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on there, if that epoch is the next one set."""
        self._epoch, self._first, self._resumed_order = state["epoch"], state["given"], state["order"]

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Step]:
        """The epoch's batches, from the one on that `load_state_dict` leads to.

        Raises:
            UserError: that was in the midst of batches in another order.
        """
        shares = self._shares()
        first, self._first = self._first, 0
        if first and self._resumed_order != self._order():
            raise UserError(
                "the checkpoint was kept within an epoch, whose batches were others; resume with the training data, "
                "seed, optim.batch_tokens and trainer.devices of its run"
            )
        if not first:  # as PyTorch's loader does for its workers, so that seeds go on giving the models they gave
            torch.empty((), dtype=torch.int64).random_()
        self._given = first
        for number in range(first, self._count):
            self._before_batch(number)
            self._given = number + 1
            sentences = [len(share[number]) for share in shares]
            weight = sentences[self._process] * self._processes / sum(sentences)
            yield Step(self._corpus.batch(shares[self._process][number]), weight)

    def _shares(self) -> list[list[Ints]]:
        return training_batches(
            self._original.lengths, self._budget, seed=self._seed, epoch=self._epoch, processes=self._processes
        )

    def _order(self) -> str:
        settings = f"{self._budget} {self._seed} {self._processes} "
        return hashlib.sha256(settings.encode() + self._original.lengths.tobytes()).hexdigest()
