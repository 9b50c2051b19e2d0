"""Distillation in a training run: train the teacher where asked, and have it tag the raw text."""

from __future__ import annotations

from collections.abc import Mapping

from tagger.commands.train_settings import TrainSettings
from tagger.config import ModelConfig
from tagger.corpus.dataset import Split
from tagger.corpus.schemes import Scheme
from tagger.distillation.reading import distilled_text
from tagger.errors import UserError
from tagger.features.vocabulary import tag_inventory
from tagger.training.epoch_corpora import Distillation


def read_with_teacher(settings: TrainSettings, splits: Mapping[str, Split], model: ModelConfig) -> Distillation | None:
    """Return what the run learns from its teacher; None if it has none.

    Raises:
        UserError: teacher, text and student do not fit.
    """
    config = settings.distill
    if not config.teachers:
        return None
    if model.embeddings.transformer is not None:
        raise UserError("distill: the student has a transformer; set embeddings.transformer.path=null")
    scheme = splits["train"].scheme
    scheme = scheme if scheme is Scheme.PLAIN else Scheme(model.decoder.scheme)
    text = distilled_text(
        config,
        [sentence.tokens for split in splits.values() for sentence in split.sentences],
        tags=tag_inventory(splits["train"].sentences, scheme),
        scheme=scheme,
        tokenizer=settings.data.tokenizer,
    )
    return Distillation(text=text, epoch_tokens=config.epoch_tokens, weight=config.weight, vocabulary=config.vocabulary)
