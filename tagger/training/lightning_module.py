"""The Lightning module: train a network and score it on the dev split."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from tagger.corpus.schemes import Scheme
from tagger.corpus.sentence import Sentence
from tagger.decoding.decoder import Decoder, batch_sizes_of
from tagger.model.batch import TensorBatch
from tagger.model.network import TaggerModel
from tagger.tensor_shapes import CRF
from tagger.training.dev_score import dev_scores
from tagger.training.loader import Step
from tagger.training.optimizers import OptimizerFactory
from tagger.training.process_group import gathered, joined
from tagger.training.resumable_module import ResumableModule
from tagger.training.run_config import OptimConfig


class TaggingModule(ResumableModule):
    """Trains a `TaggerModel` and scores it on the dev split after each epoch."""

    model: TaggerModel

    def __init__(
        self,
        model: TaggerModel,
        *,
        tags: Sequence[str],
        scheme: Scheme,
        dev: Sequence[Sentence],
        dev_scheme: Scheme,
        optim: OptimConfig,
        make_optimizer: OptimizerFactory,
        fingerprint: str,
    ) -> None:
        """
        Args:
            model: the network to train.
            tags, scheme: its output tags and their scheme.
            dev, dev_scheme: the dev split with its tags as read, and their scheme.
            optim: batches and schedule.
            make_optimizer: called with the parameters, returns the optimiser.
            fingerprint: digest of data and settings, stored in checkpoints; see `fits`.
        """
        super().__init__(model, optim=optim, make_optimizer=make_optimizer, fingerprint=fingerprint)
        self.score_name = "dev_accuracy" if scheme is Scheme.PLAIN else "dev_f1"
        self._tags, self._scheme = list(tags), scheme
        self._dev, self._dev_scheme = dev, dev_scheme
        self._predicted: dict[int, list[str]] = {}
        self._decoder: Decoder | None = None

    def training_step(self, batch: tuple[Step, TensorBatch], batch_idx: int) -> Tensor:
        """Return the mean loss per sentence, weighted so that the mean over processes is a mean over sentences."""
        step, tensors = batch
        loss = self.model.loss(
            tensors, label_smoothing=self._optim.label_smoothing, recall_cost=self._optim.recall_cost
        )
        return self._counted(loss, step.batch.tokens, step.weight, "tokens_per_second")

    def on_validation_epoch_start(self) -> None:
        self._settle()
        crf = {} if self.model.crf is None else {name: self.model.get_parameter(name).detach() for name in CRF}
        weights = {name: tensor.float().cpu().numpy() for name, tensor in crf.items()}
        self._decoder = Decoder.of(self._tags, self._scheme, weights)
        self._predicted = {}

    def validation_step(self, batch: tuple[Step, TensorBatch], batch_idx: int) -> None:
        """Tag one batch of the dev split."""
        step, tensors = batch
        arrays = step.batch
        assert self._decoder is not None
        with torch.autocast(self.device.type, enabled=False):  # as the saved model tags
            emissions = self.model(tensors).float().cpu().numpy()
        tags = self._decoder.decode(emissions, batch_sizes_of(arrays.lengths))
        self._predicted.update(zip(arrays.sentences.tolist(), tags, strict=True))

    def on_validation_epoch_end(self) -> None:
        predicted = self.predictions()
        if not self.trainer.sanity_checking:  # which tags only a few sentences
            scores = dev_scores(self._dev, self._dev_scheme, predicted)
            self.log(self.score_name, scores.headline, prog_bar=True, sync_dist=True)
            self._log_epoch("tokens_per_second")

    def predictions(self) -> dict[int, list[str]]:
        """Return all processes' tags for the dev split by sentence number, from the last scoring."""
        return joined(gathered(self._predicted, self.trainer.world_size))
