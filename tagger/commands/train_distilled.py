"""Distillation in a training run: train the teacher where asked, and have it tag the raw text."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from tagger.commands.hydra import hydra_entry
from tagger.commands.model_settings import complete_model
from tagger.commands.train_settings import TrainSettings
from tagger.config import ModelConfig
from tagger.corpus.dataset import Split
from tagger.corpus.schemes import Scheme
from tagger.distillation.config import AUTO
from tagger.distillation.reading import distilled_text
from tagger.errors import UserError
from tagger.features.vocabulary import tag_inventory
from tagger.model_folder.folder import is_model
from tagger.runs.model_card import model_card
from tagger.training.epoch_corpora import Distillation
from tagger.training.process_group import batches_per_step
from tagger.training.training_run import TrainingResult, train


def learn_from_teacher(
    settings: TrainSettings, splits: Mapping[str, Split], how: Mapping[str, Any]
) -> Distillation | TrainingResult | None:
    """Have the run's teacher tag the raw text.

    Args:
        settings: of the run.
        splits: its data.
        how: the other arguments of `train`, for a teacher that is trained here.

    Returns:
        What the run learns from its teacher; None if it has none. If a signal ended the teacher's training, that
        training's result.

    Raises:
        UserError: teacher, text and student do not fit.
    """
    config, model = settings.distill, how["model"]
    if not config.teachers:
        return None
    if model.embeddings.transformer is not None:
        raise UserError("distill: the student has a transformer; set embeddings.transformer.path=null")
    if config.teachers == (AUTO,):
        folders = []
        for number in range(config.models):
            folder, stopped = _trained_teacher(settings, splits, how, number)
            if stopped is not None:
                return stopped
            folders.append(folder)
        config = replace(config, teacher=tuple(folders))
    plain = splits["train"].scheme is Scheme.PLAIN
    scheme = Scheme.PLAIN if plain else Scheme(model.decoder.scheme)
    text = distilled_text(
        config,
        [sentence.tokens for split in splits.values() for sentence in split.sentences],
        tags=tag_inventory(splits["train"].sentences, scheme),
        scheme=scheme,
        tokenizer=settings.data.tokenizer,
    )
    return Distillation(text=text, epoch_tokens=config.epoch_tokens, weight=config.weight, vocabulary=config.vocabulary)


def _trained_teacher(
    settings: TrainSettings, splits: Mapping[str, Split], how: Mapping[str, Any], number: int
) -> tuple[str, TrainingResult | None]:
    """Train a teacher into a folder of the run. Return its model folder, and the result if a signal ended it."""
    run = settings.run
    own = replace(run, run_dir=run.run_dir / "teachers" / str(number + 1), seed=run.seed + number, init_from=None)
    model = own.run_dir / "model"
    if run.resume and is_model(model):
        return str(model), None
    if str(settings.trainer.get("devices", 1)) != "1":
        raise UserError("distill.teacher=auto trains in one process; train the teacher by itself, or set "
            "trainer.devices=1")  # fmt: skip
    print(f"distillation: training teacher {number + 1} of {settings.distill.models}", flush=True)
    make_trainer = hydra_entry.partial(settings.trainer)
    tokens = sum(map(len, splits["train"].sentences))
    if epochs := settings.epochs(tokens, batches_per_step(settings.trainer)):
        make_trainer = functools.partial(make_trainer, max_epochs=epochs)
    shape = _shape(settings, how["model"], plain=splits["train"].scheme is Scheme.PLAIN)
    outcome = train(splits, **{**how, "model": shape, "make_trainer": make_trainer, "run": own})
    if outcome.stopped_by is not None:
        return str(model), outcome
    outcome.folder.save(model, model_card(outcome, splits, settings.data, own.seed, None))
    return str(model), None


def _shape(settings: TrainSettings, student: ModelConfig, *, plain: bool) -> ModelConfig:
    """Return the shape of a teacher: the student's, or the one of `experiment=accurate` with a transformer."""
    path = settings.distill.transformer
    if path is None:
        return student
    composed = hydra_entry.compose("train", ["experiment=accurate"])
    embeddings = {**composed["embeddings"], "transformer": {**composed["embeddings"]["transformer"], "path": path}}
    return complete_model({**composed, "embeddings": embeddings}, settings.data.language, plain=plain)
