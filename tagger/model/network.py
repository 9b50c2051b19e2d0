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


class TaggerModel(nn.Module):
    """Embeddings (N, E) → recurrent layers (N, W) → emissions (N, K), all packed by time."""

    def __init__(
        self, config: ModelConfig, vocabularies: Vocabularies, scheme: Scheme, encoder: nn.Module | None = None
    ) -> None:
        """
        Args:
            config: the model's shape.
            vocabularies: the known words and so on, and the K tags.
            scheme: scheme of the tags: IOB2, BIOES or PLAIN.
            encoder: a pretrained encoder to fine-tune.
        """
        super().__init__()
        self.embeddings = EmbeddingStack(config.embeddings, vocabularies, encoder)
        self.encoder = RecurrentEncoder(config.encoder, self.embeddings.width, self.embeddings.frozen)
        self.emissions = nn.Linear(self.encoder.width, len(vocabularies.tags))
        self._outside = vocabularies.tags.index(OUTSIDE) if scheme is not Scheme.PLAIN else None
        self.crf = LinearChainCRF(vocabularies.tags, scheme) if config.decoder.kind == "crf" else None

    def forward(self, batch: TensorBatch) -> Tensor:
        """Return the emissions (N, K), packed by time: how well each tag fits each token, before transitions."""
        return self.emissions(self.encoder(self.embeddings(batch), batch.packing))

    def loss(self, batch: TensorBatch, *, label_smoothing: float = 0.0, recall_cost: float = 0.0) -> Tensor:
        """Return the mean loss per sentence, a scalar.

        The loss of a sentence is the negative log-likelihood of its tags (CRF), or its sum over the tokens (softmax).
        With a teacher's soft targets, it is the cross-entropy between the teacher's distribution and the model's.

        Args:
            batch: a batch with gold tags or soft targets.
            label_smoothing: share of the gold tags' emissions that is replaced by the mean over all tags (Szegedy et
                al. 2016, arXiv:1512.00567). With a CRF, the mean is over the tags that are possible for the token.
            recall_cost: added to the score of O on tokens of gold entities, so that missing them costs more
                (softmax-margin, Gimpel & Smith 2010; recall-oriented, Mohit et al. 2012).
        """
        emissions, tags, soft = self(batch), batch.tags, batch.soft
        of_gold = None if soft is None else ~soft.soft[batch.packing.sentences]  # (N,)
        if recall_cost and self._outside is not None:
            outside = torch.arange(emissions.shape[1], device=emissions.device) == self._outside  # (K,)
            entity = tags != self._outside
            entity = entity if of_gold is None else entity & of_gold
            emissions = emissions + recall_cost * (entity.unsqueeze(1) & outside)
        if self.crf is not None:
            losses = self.crf(emissions, tags, batch.packing, soft).sum()
        elif soft is None:
            losses = functional.cross_entropy(emissions.float(), tags, reduction="sum")
        else:
            one_hot = functional.one_hot(tags, emissions.shape[1]) * of_gold.unsqueeze(1)  # (N, K)
            losses = functional.cross_entropy(emissions.float(), one_hot + soft.marginals, reduction="none")
            losses = (losses * soft.weights[batch.packing.sentences]).sum()
        if label_smoothing:
            smoothed = self._above_mean(emissions.float(), batch)
            losses = losses + label_smoothing * (smoothed if of_gold is None else smoothed * of_gold).sum()
        return losses / int(batch.packing.batch_sizes[0])

    def _above_mean(self, emissions: Tensor, batch: TensorBatch) -> Tensor:
        """Return how far each token's gold emission is above the mean of its possible tags, (N,)."""
        gold = emissions.gather(1, batch.tags.unsqueeze(1)).squeeze(1)
        if self.crf is None:
            return gold - emissions.mean(dim=1)
        possible = self.crf.possible(batch.packing)
        return gold - (emissions * possible).sum(dim=1) / possible.sum(dim=1).clamp(min=1)
