"""Batches of a stored text, for training and for scoring held-out text."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from pytorch_lightning import LightningDataModule
from torch.utils.data import DataLoader, Dataset

from tagger.features.batching import length_batches, training_batches
from tagger.features.context import NoContext
from tagger.features.encoding import Batch, FeatureEncoder
from tagger.features.predicted_words import PredictedWords
from tagger.model.batch import TensorBatch
from tagger.pretraining.text_store import StoredText
from tagger.training.resumable_loader import ResumableLoader

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class TextBatch:
    """Sentences of raw text, and for training the candidates of their words.

    Attributes:
        batch: the sentences. The tags are the numbers of their words among the predicted ones.
        candidates: (C,) numbers of words in rising order, with all of the batch; empty for scoring.
        log_shares: (C,) logarithm of the probability with which each is a candidate.
    """

    batch: Batch
    candidates: Ints
    log_shares: NDArray[np.float32]


class BatchMaker:
    """Makes batches of tokenised sentences."""

    def __init__(self, encoder: FeatureEncoder, predicted: PredictedWords) -> None:
        self._encoder, self._predicted = encoder, predicted
        self._sums = np.cumsum(predicted.frequencies)
        self._no_context = NoContext()

    def batch(self, sentences: Sequence[Sequence[str]]) -> Batch:
        """Encode sentences, longest first."""
        ordered = sorted(sentences, key=len, reverse=True)
        lengths = np.array([len(sentence) for sentence in ordered], dtype=np.int64)
        row_of: dict[str, int] = {}
        rows = np.fromiter(
            (row_of.setdefault(token, len(row_of)) for sentence in ordered for token in sentence),
            dtype=np.int64,
            count=int(lengths.sum()),
        )
        distinct = list(row_of)
        inside = np.arange(lengths[0])[None, :] < lengths[:, None]  # (B, T)
        by_place, words = np.zeros((2, *inside.shape), dtype=np.int64)
        by_place[inside] = rows
        words[inside] = self._predicted.numbers(distinct)[rows]
        features = self._encoder.encode_words(distinct)
        features = features.take(np.arange(len(distinct)))
        numbers = np.arange(len(ordered))
        return Batch(lengths, by_place, features, words, numbers, self._no_context.take(numbers, rows))

    def training(self, sentences: Sequence[Sequence[str]], negatives: int, seed: Sequence[int]) -> TextBatch:
        """Make a training batch, whose candidates are its own words and some that are drawn by frequency.

        Args:
            sentences: tokenised.
            negatives: number of words to draw.
            seed: decides what is drawn.
        """
        batch = self.batch(sentences)
        drawn = np.searchsorted(self._sums, np.random.default_rng(seed).random(negatives))
        candidates = np.union1d(np.append(np.unique(batch.tags), [0]), np.minimum(drawn, len(self._sums) - 1))
        draws = batch.tokens + len(sentences) + negatives
        shares = -np.expm1(draws * np.log1p(-self._predicted.frequencies[candidates]))
        return TextBatch(batch, candidates, np.log(shares).astype(np.float32))

    def scoring(self, sentences: Sequence[Sequence[str]]) -> TextBatch:
        """Make a batch to score."""
        return TextBatch(self.batch(sentences), np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.float32))


class TextLoader(ResumableLoader):
    """The training batches of a stored text. One block of the text is in memory."""

    def __init__(
        self,
        text: StoredText,
        maker: BatchMaker,
        *,
        batch_tokens: int,
        negatives: int,
        seed: int,
        before_batch: Callable[[int], None] = lambda number: None,
    ) -> None:
        """
        Args:
            text: the text.
            maker: makes the batches.
            batch_tokens: tokens per batch.
            negatives: drawn words per batch.
            seed: decides the order, together with the epoch, and what is drawn.
            before_batch: as `ResumableLoader` takes it.
        """
        super().__init__(before_batch)
        self._text, self._maker = text, maker
        self._batch_tokens, self._negatives, self._seed = batch_tokens, negatives, seed
        blocks = range(len(text.about.train))
        self._counts = [len(self._cut([len(each) for each in text.block(block)], block, None)) for block in blocks]

    def __len__(self) -> int:
        return sum(self._counts)

    def __iter__(self) -> Iterator[TextBatch]:
        """Yield the batches of the epoch, from the place that `load_state_dict` has set.

        Raises:
            UserError: the place is within an epoch whose batches had another order.
        """
        first = self._begin("the text, seed and optim.batch_tokens")
        number = 0
        for block in np.random.default_rng((self._seed, self._epoch)).permutation(len(self._counts)):
            count = self._counts[block]
            if number + count <= first:
                number += count
                continue
            sentences = self._text.block(int(block))
            for chosen in self._cut([len(each) for each in sentences], int(block), count):
                if number >= first:
                    self._give(number)
                    seed = (self._seed, self._epoch, number)
                    yield self._maker.training([sentences[one] for one in chosen], self._negatives, seed)
                number += 1

    def _cut(self, lengths: Sequence[int], block: int, count: int | None) -> list[Ints]:
        epoch = self._epoch * len(self._text.about.train) + block
        every = np.array(lengths, dtype=np.int64)
        return training_batches(every, self._batch_tokens, seed=self._seed, epoch=epoch, count=count)[0]

    def _order(self) -> str:
        settings = f"{self._batch_tokens} {self._negatives} {self._seed} {self._text.about.digest}"
        return hashlib.sha256(settings.encode()).hexdigest()


class _HeldOut(Dataset[TextBatch]):
    """The held-out text as a data set of batches."""

    def __init__(self, sentences: Sequence[Sequence[str]], maker: BatchMaker, batch_tokens: int) -> None:
        self._sentences, self._maker = sentences, maker
        self._batches = length_batches(np.array([len(each) for each in sentences], dtype=np.int64), batch_tokens)

    def __len__(self) -> int:
        return len(self._batches)

    def __getitem__(self, number: int) -> TextBatch:
        return self._maker.scoring([self._sentences[one] for one in self._batches[number]])


class TextDataModule(LightningDataModule):
    """Lightning's data module: training and held-out batches."""

    def __init__(
        self, loader: TextLoader, held_out: Sequence[Sequence[str]], maker: BatchMaker, batch_tokens: int
    ) -> None:
        super().__init__()
        self._loader = loader
        self._held_out = _HeldOut(held_out, maker, batch_tokens)

    def state_dict(self) -> dict[str, Any]:
        """Return the state of the training batches."""
        return self._loader.state_dict()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue there."""
        self._loader.load_state_dict(state_dict)

    def train_dataloader(self) -> TextLoader:
        """Return the training batches."""
        return self._loader

    def val_dataloader(self) -> DataLoader[TextBatch]:
        """Return the held-out batches."""
        return DataLoader(self._held_out, batch_size=None)

    def transfer_batch_to_device(
        self, batch: TextBatch, device: torch.device, dataloader_idx: int
    ) -> tuple[TextBatch, TensorBatch]:
        """Return the batch, with its sentences as tensors on the device."""
        return batch, TensorBatch.of(batch.batch, device)
