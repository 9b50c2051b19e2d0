"""Batches for training and validation, right under any number of processes."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from pytorch_lightning import LightningDataModule
from torch.utils.data import DataLoader, Dataset, Sampler

from tagger.corpus.augmentation import MentionReplacement
from tagger.errors import UserError
from tagger.features.batching import Ints, training_batches, validation_batches
from tagger.features.encoding import Batch, EncodedCorpus
from tagger.model.batch import TensorBatch

_VALIDATION_TOKENS = 4096


class _Batches(Dataset[Batch]):
    """A corpus addressed by whole batches: the sentence numbers in, the batch out."""

    def __init__(self, corpus: EncodedCorpus) -> None:
        self._corpus = corpus

    def __getitem__(self, sentences: Ints) -> Batch:
        return self._corpus.batch(sentences)


class _TrainingBatches(_Batches):
    """The training split, in each epoch with other mentions, if these are replaced."""

    def __init__(self, corpus: EncodedCorpus, replacement: MentionReplacement | None, seed: int) -> None:
        super().__init__(corpus)
        self._original, self._replacement, self._seed = corpus, replacement, seed

    def set_epoch(self, epoch: int) -> None:
        """Draw the epoch's mentions."""
        if self._replacement is not None:
            drawn = self._replacement.draw(epoch << 32 | self._seed)
            self._corpus = self._original.of_same_words(drawn)


class TrainingSampler(Sampler[Ints]):
    """One process's share of an epoch's batches; Lightning tells it the epoch, and it the batches."""

    def __init__(
        self, corpus: EncodedCorpus, batches: _TrainingBatches, *, budget: int, seed: int, process: int, processes: int
    ) -> None:
        self._lengths, self._budget, self._seed = corpus.lengths, budget, seed
        self._batches_of, self._process, self._processes = batches, process, processes
        self._epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Called by Lightning before each epoch."""
        self._epoch = epoch
        self._batches_of.set_epoch(epoch)

    def _batches(self) -> list[Ints]:
        return training_batches(
            self._lengths, self._budget, seed=self._seed, epoch=self._epoch, processes=self._processes
        )[self._process]

    def __iter__(self) -> Iterator[Ints]:
        return iter(self._batches())

    def __len__(self) -> int:
        return len(self._batches())


class TaggingDataModule(LightningDataModule):
    """The encoded training and dev splits as loaders of `Batch`."""

    def __init__(
        self,
        train: EncodedCorpus,
        dev: EncodedCorpus,
        *,
        batch_tokens: int,
        seed: int,
        replacement: MentionReplacement | None = None,
    ) -> None:
        """
        Args:
            train, dev: the splits; dev is scored after each epoch.
            batch_tokens: tokens per training batch, before mentions are replaced.
            seed: what the order of batches depends on, with the epoch.
            replacement: of mentions in the training split.
        """
        super().__init__()
        self._train, self._dev, self._replacement = train, dev, replacement
        self._batch_tokens, self._seed = batch_tokens, seed

    def train_dataloader(self) -> DataLoader[Batch]:
        """This process's training batches."""
        process, processes = self._place()
        batches = _TrainingBatches(self._train, self._replacement, self._seed)
        sampler = TrainingSampler(
            self._train, batches, budget=self._batch_tokens, seed=self._seed, process=process, processes=processes
        )
        return DataLoader(batches, sampler=sampler, batch_size=None)

    def val_dataloader(self) -> DataLoader[Batch]:
        """This process's share of the dev split: no sentence is in two shares."""
        process, processes = self._place()
        share = validation_batches(self._dev.lengths, _VALIDATION_TOKENS, processes=processes)[process]
        return DataLoader(_Batches(self._dev), sampler=share, batch_size=None)

    def transfer_batch_to_device(
        self, batch: Batch, device: torch.device, dataloader_idx: int
    ) -> tuple[Batch, TensorBatch]:
        """The batch, and its tensors on the device."""
        return batch, TensorBatch.of(batch, device)

    def _place(self) -> tuple[int, int]:
        """This process's number and how many there are.

        Raises:
            UserError: a split has fewer sentences than there are processes.
        """
        if self.trainer is None:
            return 0, 1
        processes = self.trainer.world_size
        for name, corpus in (("training", self._train), ("dev", self._dev)):
            if int((corpus.lengths > 0).sum()) < processes:
                raise UserError(
                    f"the {name} split has fewer sentences than processes ({processes}); lower trainer.devices"
                )
        return self.trainer.global_rank, processes
