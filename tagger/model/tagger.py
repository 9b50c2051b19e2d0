"""The model: embeddings, encoder, emissions and loss in one module."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from tagger.config import ModelConfig
from tagger.corpus.schemes import OUTSIDE, Scheme
from tagger.features.vocabulary import Vocabularies
from tagger.model.batch import TensorBatch
from tagger.model.crf import LinearChainCRF
from tagger.model.embeddings import EmbeddingStack
from tagger.model.encoder import RecurrentEncoder

ENCODER_PREFIX = "embeddings.parts.encoder."  # of the weights of an encoder that is trained along


class TaggerModel(nn.Module):
    """Embeddings (B, T, E) → packed recurrent layers (B, T, W) → emissions (B, T, K)."""

    def __init__(
        self, config: ModelConfig, vocabularies: Vocabularies, scheme: Scheme, encoder: nn.Module | None = None
    ) -> None:
        """
        Args:
            config: the model's shape.
            vocabularies: with the K tags.
            scheme: of these: IOB2, BIOES or PLAIN.
            encoder: a pretrained one that is trained along.
        """
        super().__init__()
        self.embeddings = EmbeddingStack(config.embeddings, vocabularies, encoder)
        self.encoder = RecurrentEncoder(config.encoder, self.embeddings.width)
        self.emissions = nn.Linear(self.encoder.width, len(vocabularies.tags))
        self._outside = vocabularies.tags.index(OUTSIDE) if scheme is not Scheme.PLAIN else None
        self.crf = LinearChainCRF(vocabularies.tags, scheme) if config.decoder.kind == "crf" else None

    def forward(self, batch: TensorBatch) -> Tensor:
        """Emissions (B, T, K): how well each tag fits each token, before transitions. Padding's are without meaning."""
        states = self.encoder(self.embeddings(batch), batch.lengths)  # (B, T, W)
        return self.emissions(states)

    def packed_emissions(self, batch: TensorBatch) -> Tensor:
        """Emissions (N, K) packed by time, as decoding takes them: all first tokens, then all second tokens, …"""
        return self(batch).transpose(0, 1)[batch.mask.T]

    def loss(self, batch: TensorBatch, *, label_smoothing: float = 0.0, recall_cost: float = 0.0) -> Tensor:
        """Mean negative log-likelihood per sentence (CRF) or summed over its tokens (softmax), a scalar.

        Args:
            batch: with gold tags.
            label_smoothing: share of the gold tags' emissions put in by the mean over all tags (Szegedy et al. 2016,
                arXiv:1512.00567); with a CRF, over the tags that may stand in that place.
            recall_cost: added to the score of O on tokens of entities, so that missing them costs more (softmax-margin,
                Gimpel & Smith 2010; recall-oriented, Mohit et al. 2012).
        """
        emissions = self(batch)
        if recall_cost and self._outside is not None:
            outside = torch.arange(emissions.shape[2], device=emissions.device) == self._outside  # (K,)
            missed = (batch.tags != self._outside) & batch.mask  # (B, T)
            emissions = emissions + recall_cost * (missed.unsqueeze(2) & outside)
        if self.crf is not None:
            losses = self.crf(emissions, batch.tags, batch.mask).sum()
        else:
            losses = functional.cross_entropy(emissions[batch.mask].float(), batch.tags[batch.mask], reduction="sum")
        if label_smoothing:
            losses = losses + label_smoothing * self._above_mean(emissions.float(), batch).sum()
        return losses / len(batch.lengths)

    def _above_mean(self, emissions: Tensor, batch: TensorBatch) -> Tensor:
        """(N,) by how much each token's gold emission is above the mean of all that are possible there."""
        possible = batch.mask.unsqueeze(2).expand_as(emissions)
        if self.crf is not None:
            possible = possible & self.crf.possible(batch.mask)
        mean = (emissions * possible).sum(dim=2) / possible.sum(dim=2).clamp(min=1)
        gold = emissions.gather(2, batch.tags.unsqueeze(2)).squeeze(2)
        return (gold - mean)[batch.mask]
