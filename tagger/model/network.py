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
        Where tokens have several allowed tags, it is that of all of them together. With a teacher's soft targets, it is
        the cross-entropy between the teacher's distribution and the model's.

        Args:
            batch: a batch with gold tags or soft targets.
            label_smoothing: share of the gold tags' emissions that is replaced by the mean over all tags (Szegedy et
                al. 2016, arXiv:1512.00567). With a CRF, the mean is over the tags that are possible for the token.
                Tokens with several allowed tags have no share, nor have soft targets.
            recall_cost: added to the score of O on tokens of gold entities, so that missing them costs more
                (softmax-margin, Gimpel & Smith 2010; recall-oriented, Mohit et al. 2012).
        """
        emissions, tags, allowed, soft = self(batch), batch.tags, batch.allowed, batch.soft
        of_gold = None if soft is None else ~soft.from_teacher[batch.packing.sentences]  # (N,)
        if recall_cost and self._outside is not None:
            outside = torch.arange(emissions.shape[1], device=emissions.device) == self._outside  # (K,)
            of_entity = tags != self._outside if allowed is None else ~allowed[:, self._outside]
            of_entity = of_entity if of_gold is None else of_entity & of_gold
            emissions = emissions + recall_cost * (of_entity.unsqueeze(1) & outside)
        if self.crf is not None:
            losses = self.crf(emissions, tags, batch.packing, allowed, soft).sum()
        else:
            losses = self._softmax_losses(emissions.float(), batch).sum()
        if label_smoothing:
            smoothed = self._above_mean(emissions.float(), batch)
            losses = losses + label_smoothing * (smoothed if of_gold is None else smoothed * of_gold).sum()
        return losses / int(batch.packing.batch_sizes[0])

    def _softmax_losses(self, emissions: Tensor, batch: TensorBatch) -> Tensor:
        """Return the loss of each token without a CRF, (N,)."""
        if batch.allowed is None:
            losses = functional.cross_entropy(emissions, batch.tags, reduction="none")
        else:
            allowed = emissions.masked_fill(~batch.allowed, -torch.inf)
            losses = emissions.logsumexp(dim=1) - allowed.logsumexp(dim=1)
        if (soft := batch.soft) is None:
            return losses
        of_teacher = functional.cross_entropy(emissions, soft.marginals, reduction="none")
        sentences = batch.packing.sentences
        return soft.weights[sentences] * torch.where(soft.from_teacher[sentences], of_teacher, losses)

    def _above_mean(self, emissions: Tensor, batch: TensorBatch) -> Tensor:
        """Return how far each token's gold emission is above the mean of its possible tags, (N,).

        It is 0 for tokens with several allowed tags.
        """
        gold = emissions.gather(1, batch.tags.unsqueeze(1)).squeeze(1)
        if self.crf is None:
            above = gold - emissions.mean(dim=1)
        else:
            possible = self.crf.possible(batch.packing)
            above = gold - (emissions * possible).sum(dim=1) / possible.sum(dim=1).clamp(min=1)
        return above if batch.allowed is None else above * (batch.allowed.sum(dim=1) == 1)
