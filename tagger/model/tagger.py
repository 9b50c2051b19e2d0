"""The model: embeddings, encoder, emissions and loss in one module."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from tagger.config import ModelConfig
from tagger.corpus.schemes import Scheme
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
        self.crf = LinearChainCRF(vocabularies.tags, scheme) if config.decoder.kind == "crf" else None

    def forward(self, batch: TensorBatch) -> Tensor:
        """Emissions (B, T, K): how well each tag fits each token, before transitions. Padding's are without meaning."""
        states = self.encoder(self.embeddings(batch), batch.lengths)  # (B, T, W)
        return self.emissions(states)

    def packed_emissions(self, batch: TensorBatch) -> Tensor:
        """Emissions (N, K) packed by time, as decoding takes them: all first tokens, then all second tokens, …"""
        return self(batch).transpose(0, 1)[batch.mask.T]

    def loss(self, batch: TensorBatch) -> Tensor:
        """Mean negative log-likelihood per sentence (CRF) or summed over its tokens (softmax), a scalar."""
        emissions = self(batch)
        if self.crf is not None:
            return self.crf(emissions, batch.tags, batch.mask).mean()
        losses = functional.cross_entropy(emissions[batch.mask].float(), batch.tags[batch.mask], reduction="sum")
        return losses / len(batch.lengths)
