"""The Lightning module: train a language model and score it on held-out text."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from tagger.model.batch import TensorBatch
from tagger.model.language_model import LanguageModel
from tagger.pretraining.batches import TextBatch
from tagger.training.resumable_module import ResumableModule

SCORE = "dev_log_probability"  # mean of both directions, per word and end of sentence; natural logarithm
_SPEED = "words_per_second"


class PretrainingModule(ResumableModule):
    """Trains a `LanguageModel` and computes its perplexity on held-out text after each epoch."""

    model: LanguageModel

    def training_step(self, batch: tuple[TextBatch, TensorBatch], batch_idx: int) -> Tensor:
        """Return the mean loss per predicted word."""
        text, tensors = batch
        loss = self.model.sampled_loss(tensors, text.candidates, text.log_shares)
        return self._counted(loss, text.batch.tokens, 1.0, _SPEED)

    def on_validation_epoch_start(self) -> None:
        self._settle()
        self._sums, self._predicted = torch.zeros(2, dtype=torch.float64), 0

    def validation_step(self, batch: tuple[TextBatch, TensorBatch], batch_idx: int) -> None:
        """Score one batch."""
        found = self.model.log_probabilities(batch[1])
        self._sums += found.double().sum(dim=1).cpu()
        self._predicted += found.shape[1]

    def on_validation_epoch_end(self) -> None:
        if self.trainer.sanity_checking:
            return
        means = self._sums / max(1, self._predicted)
        forward, backward = (math.exp(-float(mean)) for mean in means)
        self.log(SCORE, float(means.mean()))
        self.log("dev_perplexity", forward, prog_bar=True)
        self.log("dev_perplexity_backward", backward)
        self._log_epoch(_SPEED)
