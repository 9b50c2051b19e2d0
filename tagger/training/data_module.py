"""Batches for training and validation, shared out among any number of processes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from pytorch_lightning import LightningDataModule
from torch.utils.data import DataLoader, Dataset

from tagger.errors import UserError
from tagger.features.batching import Ints, validation_batches
from tagger.features.encoding import EncodedCorpus
from tagger.model.batch import TensorBatch, tokens_for
from tagger.training.epoch_corpora import EpochCorpora
from tagger.training.loader import Step, TrainingLoader


class _Scored(Dataset[Step]):
    """The dev split as a data set whose index is the sentence numbers of a batch."""

    def __init__(self, corpus: EncodedCorpus) -> None:
        self._corpus = corpus

    def __getitem__(self, sentences: Ints) -> Step:
        return Step(self._corpus.batch(sentences))


class TaggingDataModule(LightningDataModule):
    """Lightning's data module: the encoded training and dev splits, a `Step` at a time."""

    def __init__(
        self,
        train: EpochCorpora,
        dev: EncodedCorpus,
        *,
        batch_tokens: int,
        seed: int,
        before_batch: Callable[[int], None] = lambda number: None,
    ) -> None:
        """
        Args:
            train: makes the training split of each epoch.
            dev: the dev split, which is scored after each epoch.
            batch_tokens: tokens per training batch.
            seed: decides the order of batches, together with the epoch.
            before_batch: called before each training batch is made, with its number in the epoch.
        """
        super().__init__()
        self.dev = dev
        self._train = train
        self._batch_tokens, self._seed, self._before_batch = batch_tokens, seed, before_batch
        self._loader: TrainingLoader | None = None
        self._resumed: dict[str, Any] = {}

    def state_dict(self) -> dict[str, Any]:
        """Return the number of training batches used so far, the same in every process."""
        return self._loader.state_dict() if self._loader is not None else {}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue there. `train_dataloader` passes the state on, since Lightning may have no loader yet."""
        self._resumed = state_dict

    def train_dataloader(self) -> TrainingLoader:
        """Return the loader of this process's training batches."""
        process, processes = self._place()
        self._loader = TrainingLoader(
            self._train,
            budget=self._batch_tokens,
            seed=self._seed,
            process=process,
            processes=processes,
            before_batch=self._before_batch,
        )
        if self._resumed:
            self._loader.load_state_dict(self._resumed)
        return self._loader

    def val_dataloader(self) -> DataLoader[Step]:
        """Return the loader of this process's share of the dev split. No sentence is in two shares."""
        process, processes = self._place()
        device = torch.device("cpu") if self.trainer is None else self.trainer.strategy.root_device
        share = validation_batches(self.dev.lengths, tokens_for(device), processes=processes)[process]
        return DataLoader(_Scored(self.dev), sampler=share, batch_size=None)

    def transfer_batch_to_device(
        self, batch: Step, device: torch.device, dataloader_idx: int
    ) -> tuple[Step, TensorBatch]:
        """Return the step, with its batch as tensors on the device."""
        return batch, TensorBatch.of(batch.batch, device)

    def _place(self) -> tuple[int, int]:
        """Return the number of this process and the number of processes.

        Raises:
            UserError: a split has fewer sentences than there are processes.
        """
        if self.trainer is None:
            return 0, 1
        processes = self.trainer.world_size
        for name, lengths in (("training", self._train.lengths), ("dev", self.dev.lengths)):
            if int((lengths > 0).sum()) < processes:
                raise UserError(
                    f"the {name} split has fewer sentences than processes ({processes}); lower trainer.devices"
                )
        return self.trainer.global_rank, processes
