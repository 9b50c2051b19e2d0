"""Distillation in a training run: train the teacher where asked, and have it tag the raw text."""

from __future__ import annotations

import signal
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
from tagger.runs.model_card import model_card
from tagger.training.epoch_corpora import Distillation
from tagger.training.training_run import train


def tokens_per_epoch(settings: TrainSettings, splits: Mapping[str, Split]) -> int:
    """Count the tokens of an epoch: those of the training split, and of the teacher's text if there is a teacher."""
    of_text = settings.distill.epoch_tokens if settings.distill.teachers else 0
    return sum(map(len, splits["train"].sentences)) + of_text


def learn_from_teacher(
    settings: TrainSettings, splits: Mapping[str, Split], how: Mapping[str, Any]
) -> Distillation | None:
    """Have the run's teacher tag the raw text. Return what the run learns from it; None without a teacher.

    Args:
        settings: of the run.
        splits: its data.
        how: the other arguments of `train`, for a teacher that is trained here.

    Raises:
        UserError: teacher, text and student do not fit.
        KeyboardInterrupt, SystemExit: a signal ended the training of the teacher.
    """
    config, model = settings.distill, how["model"]
    if not config.teachers:
        return None
    if model.embeddings.transformer is not None:
        raise UserError("distill: the student has a transformer; set embeddings.transformer.path=null")
    plain = splits["train"].scheme is Scheme.PLAIN
    if config.teachers == (AUTO,):
        of_teacher = {**how, "model": _shape(settings, model, plain=plain)}
        folders = [_trained_teacher(settings, splits, of_teacher, number) for number in range(config.models)]
        config = replace(config, teacher=tuple(folders))
    scheme = Scheme.PLAIN if plain else Scheme(model.decoder.scheme)
    text = distilled_text(
        config,
        [sentence.tokens for split in splits.values() for sentence in split.sentences],
        tags=tag_inventory(splits["train"].sentences, scheme),
        scheme=scheme,
        tokenizer=settings.data.tokenizer,
    )
    return Distillation(text=text, epoch_tokens=config.epoch_tokens, weight=config.weight, vocabulary=config.vocabulary)


def _trained_teacher(settings: TrainSettings, splits: Mapping[str, Split], how: Mapping[str, Any], number: int) -> str:
    """Train a teacher into a folder of the run; return its model folder. A resumed run continues its teachers.

    A teacher that is finished is checked against the data and settings, as any run that is resumed.
    """
    run = settings.run
    own = replace(run, run_dir=run.run_dir / "teachers" / str(number + 1), seed=run.seed + number, init_from=None)
    if settings.distill.transformer is not None:  # of another shape than the language model
        own = replace(own, init_from_lm=None)
    if str(settings.trainer.get("devices", 1)) != "1":
        raise UserError("distill.teacher=auto trains in one process; train the teacher by itself, or set "
            "trainer.devices=1")  # fmt: skip
    print(f"distillation: training teacher {number + 1} of {settings.distill.models}", flush=True)
    tokens = sum(map(len, splits["train"].sentences))
    make_trainer = settings.with_epochs(how["make_trainer"], tokens)
    outcome = train(splits, **{**how, "make_trainer": make_trainer, "run": own})
    if outcome.stopped_by is signal.SIGTERM:
        raise SystemExit(128 + signal.SIGTERM)
    if outcome.stopped_by is not None:
        raise KeyboardInterrupt(f"while a teacher was trained; resume=true run_dir={run.run_dir} continues")
    model = own.run_dir / "model"
    outcome.folder.save(model, model_card(outcome, splits, settings.data, own.seed, None))
    return str(model)


def _shape(settings: TrainSettings, student: ModelConfig, *, plain: bool) -> ModelConfig:
    """Return the shape of a teacher: the student's, or the one of `experiment=accurate` with a transformer."""
    path = settings.distill.transformer
    if path is None:
        return student
    composed = hydra_entry.compose("train", ["experiment=accurate"])
    embeddings = {**composed["embeddings"], "transformer": {**composed["embeddings"]["transformer"], "path": path}}
    return complete_model({**composed, "embeddings": embeddings}, settings.data.language, plain=plain)
