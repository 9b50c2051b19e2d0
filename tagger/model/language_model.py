"""The language model: the tagger's embeddings and recurrent layer, which predict the next and the previous word.

After Peters et al. 2017 (arXiv:1705.00108), with one network for both directions' inputs. The forward state of token t
predicts token t + 1, the backward state token t - 1. So no state has read the word that it predicts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from tagger.config import ModelConfig
from tagger.features.predicted_words import END, PredictedWords
from tagger.features.vocabulary import Vocabularies
from tagger.model.batch import TensorBatch
from tagger.model.embeddings import EmbeddingStack, ShapeVectors, WordVectors
from tagger.model.encoder import RecurrentEncoder
from tagger.model.packing import Packing

_ROWS_AT_ONCE = 512  # of all words' scores, (rows, V)

Ints = NDArray[np.int64]


class LanguageModel(nn.Module):
    """Embeddings (N, E) → states (N, 2H) → for each state a distribution over the V predicted words.

    The vector of a predicted word is the vector that reads it: that of its normal form beside that of its shape. A
    linear map takes a state there (weights tied as in Press & Wolf 2017, arXiv:1608.05859).
    """

    def __init__(self, config: ModelConfig, vocabularies: Vocabularies, predicted: PredictedWords) -> None:
        """
        Args:
            config: the shape of embeddings and encoder; `check_shape` accepts it.
            vocabularies: the known words and so on.
            predicted: the words that are predicted.
        """
        super().__init__()
        self.embeddings = EmbeddingStack(config.embeddings, vocabularies)
        self.encoder = RecurrentEncoder(config.encoder, self.embeddings.width, self.embeddings.frozen)
        hidden = config.encoder.stack[0].hidden_size
        self.output = WordPrediction(hidden, self._tables(), predicted)

    def _tables(self) -> list[WordVectors | ShapeVectors]:
        parts = self.embeddings.parts
        return [parts[name] for name in ("word", "shape") if name in parts]  # type: ignore[misc]

    def forward(self, batch: TensorBatch) -> tuple[Tensor, Tensor]:
        """Return what predicts each word, (2, P, H), and the words' numbers, (2, P); forward direction first.

        P is N + B: each sentence's words and its end. The backward direction predicts the end before the first word.
        """
        states = self.encoder.states_of_first_layer(self.embeddings(batch), batch.packing)
        return self.output.contexts(states, batch.tags, batch.packing)

    def sampled_loss(self, batch: TensorBatch, candidates: Ints, log_shares: NDArray[np.float32]) -> Tensor:
        """Return the mean loss per predicted word: its negative log-probability among candidates.

        The sampled softmax of Jean et al. 2015 (arXiv:1412.2007), with the same candidates for the whole batch.

        Args:
            batch: with words' numbers as its tags.
            candidates: (C,) numbers of words in rising order, with all of the batch.
            log_shares: (C,) logarithm of the probability with which a word becomes a candidate.
        """
        contexts, targets = self(batch)
        device = contexts.device
        rows = torch.from_numpy(candidates).to(device)
        scored = self.output.mapped(contexts)  # (2, P, D)
        vectors = self.output.vectors(rows, candidates, self._tables())  # (C, D)
        bias = self.output.bias[:, rows] - torch.from_numpy(log_shares).to(device)
        losses = _CandidateLoss.apply(scored, vectors, bias, torch.searchsorted(rows, targets))
        return losses / targets.numel()

    @torch.no_grad()
    def log_probabilities(self, batch: TensorBatch) -> Tensor:
        """Return the log-probability of each predicted word under the full softmax, (2, P)."""
        contexts, targets = self(batch)
        everything = torch.arange(self.output.bias.shape[1], device=contexts.device)
        vectors = self.output.vectors(everything, everything.cpu().numpy(), self._tables())
        found = []
        for way in (0, 1):
            for states, words in zip(
                self.output.mapped(contexts)[way].split(_ROWS_AT_ONCE), targets[way].split(_ROWS_AT_ONCE), strict=True
            ):
                scores = torch.log_softmax(states @ vectors.T + self.output.bias[way], dim=1)
                found.append(scores.gather(1, words.unsqueeze(1)).squeeze(1))
        return torch.cat(found).view(2, -1)


class WordPrediction(nn.Module):
    """What turns states into scores of words.

    Attributes:
        start: (2, H) the state before the first word of each direction.
        weight, offset: (2, D, H) and (2, D), the map from states to the vectors of words.
        end: (D,) the vector of the end of a sentence.
        bias: (2, V) of each word; it begins as the logarithm of the word's frequency.
    """

    def __init__(self, hidden: int, tables: Sequence[WordVectors | ShapeVectors], predicted: PredictedWords) -> None:
        super().__init__()
        width = sum(part.width for part in tables)
        self.start = nn.Parameter(torch.zeros(2, hidden))
        self.weight = nn.Parameter(torch.empty(2, width, hidden))
        self.offset = nn.Parameter(torch.zeros(2, width))
        self.end = nn.Parameter(torch.zeros(width))
        self.bias = nn.Parameter(torch.from_numpy(np.log(predicted.frequencies)).float().repeat(2, 1))
        for each in self.weight:
            nn.init.xavier_uniform_(each)
        self._rows = [predicted.words, predicted.shapes][: len(tables)]

    def contexts(self, states: Tensor, words: Tensor, packing: Packing) -> tuple[Tensor, Tensor]:
        """Return the state that predicts each word, (2, P, H), and the words' numbers, (2, P)."""
        forward, backward = states.chunk(2, dim=1)
        sentences = int(packing.batch_sizes[0])
        first, second = (state.expand(sentences, -1) for state in self.start)
        ends = words.new_full((sentences,), END)
        of_next = torch.cat([first, forward[packing.before], forward[packing.last]])
        of_previous = torch.cat([backward[sentences:], second, backward[:sentences]])
        previous = torch.cat([words[packing.before], words[packing.last], ends])
        return torch.stack([of_next, of_previous]), torch.stack([torch.cat([words, ends]), previous])

    def mapped(self, contexts: Tensor) -> Tensor:
        """Map states to the space of the words' vectors: (2, P, H) → (2, P, D)."""
        return torch.baddbmm(self.offset.unsqueeze(1), contexts, self.weight.transpose(1, 2))

    def vectors(self, numbers: Tensor, met: Ints, tables: Sequence[WordVectors | ShapeVectors]) -> Tensor:
        """Return the vectors of predicted words, (C, D).

        Args:
            numbers: (C,) numbers of the words.
            met: the same on the CPU.
            tables: the embeddings' tables.
        """
        parts = []
        for part, rows in zip(tables, self._rows, strict=True):
            wanted = rows[met]
            parts.append(part.table.look_up(torch.from_numpy(wanted).to(numbers.device), wanted))
        found = torch.cat(parts, dim=1)
        return torch.where((numbers == END).unsqueeze(1), self.end, found)


class _CandidateLoss(torch.autograd.Function):
    """The sum of cross-entropies over candidates, with the gradient of the scores in place of the scores."""

    @staticmethod
    def forward(ctx: Any, contexts: Tensor, vectors: Tensor, bias: Tensor, places: Tensor) -> Tensor:
        """Return the loss, a scalar, for contexts (2, P, D), vectors (C, D), bias (2, C) and places (2, P)."""
        scores = torch.matmul(contexts, vectors.T)  # (2, P, C)
        scores += bias.unsqueeze(1)
        scores -= scores.amax(dim=2, keepdim=True)
        found = scores.gather(2, places.unsqueeze(2)).sum()
        sums = scores.exp_().sum(dim=2, keepdim=True)
        loss = sums.log().sum() - found
        scores /= sums  # now the probabilities
        scores.scatter_add_(2, places.unsqueeze(2), scores.new_full((1,), -1.0).expand(*places.shape, 1))
        ctx.save_for_backward(contexts, vectors, scores)
        return loss

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        contexts, vectors, of_scores = ctx.saved_tensors
        of_contexts = torch.matmul(of_scores, vectors)
        of_vectors = of_scores.flatten(0, 1).T @ contexts.flatten(0, 1)
        return of_contexts * gradient, of_vectors * gradient, of_scores.sum(dim=1) * gradient, None
