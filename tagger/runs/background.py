"""Collect what a report shows beside scores: the training data, and how training went."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from tagger.corpus.dataset import DataConfig, Split, data_digest, has_train, load_split, load_splits
from tagger.corpus.readers.account import ReadReport, Tally
from tagger.corpus.schemes import Scheme
from tagger.errors import UserError
from tagger.evaluation.assessment import Background
from tagger.evaluation.datacard import data_card
from tagger.evaluation.learning_curve import read_learning_curve
from tagger.evaluation.model_scores import readable, training_knowledge
from tagger.evaluation.training_overlap import (
    TrainingKnowledge,
    overlap_warning,
    training_mentions,
    training_words,
)
from tagger.runs.record import TRAIN_KEYS, RunRecord

if TYPE_CHECKING:
    from tagger.evaluation.prediction_files import Aligned
    from tagger.model_folder.folder import ModelFolder


def of_run(run_dir: Path, folder: ModelFolder, splits: Mapping[str, Split], title: str) -> Background:
    """Collect the background at the end of a run. `title` is the name of the data."""
    return Background(
        training=training_knowledge(folder, splits["train"], f"the train split of {title}"),
        learning=read_learning_curve(run_dir),
        data=data_card(title, list(splits.values())),
    )


def of_model(model: Path, folder: ModelFolder, data: DataConfig, split: Split) -> Background:
    """Collect the background of a model scored on a split: its run, if it is in one, and the data's other splits."""
    warnings = []
    splits = {split.name: split}
    if has_train(data):
        try:
            splits = load_splits(data) | splits
        except UserError as error:
            warnings.append(f"the other splits were not read, so the report has less on training: {error}")
    train = splits.get("train")
    record = RunRecord.read(model.parent)
    if record is not None and len(splits) > 1 and data_digest(splits) != record.data_sha256:
        warnings.append(
            f"the model was trained on other data than {data.title}: in the report, mentions seen in training "
            "are those of these data, words seen in training are those of the model"
        )
    if warning := overlap_warning(model.parent / TRAIN_KEYS, split.sentences, split.name):
        warnings += [warning] if split.name != "train" else []
    source = "the model's vocabulary" if train is None else f"the train split of {data.title}"
    return Background(
        training=training_knowledge(folder, train, source),
        learning=read_learning_curve(model.parent),
        data=data_card(data.title, list(splits.values())),
        warnings=warnings,
    )


def of_predictions(train: Path, aligned: Aligned, source: str) -> Background:
    """Collect the background of predictions from the training data of the system that made them.

    `train` is a column file with these data, and `source` the file of the gold data.

    Raises:
        UserError: the file cannot be read, or one of file and predictions has plain tags and the other has entities.
    """
    # all three splits are named, so that none is drawn from another
    split = load_split(DataConfig(title=str(train), train=str(train), dev=str(train), test=str(train)), "train")
    plain = aligned.scheme is Scheme.PLAIN
    if (split.scheme is Scheme.PLAIN) != plain:
        kinds = ("plain tags", "entities") if plain else ("entities", "plain tags")
        raise UserError(f"train={train}: the predictions have {kinds[0]}, this file has {kinds[1]}")
    mentions = None if plain else training_mentions(readable(split))
    words = training_words(split.sentences)
    read = ReadReport(source, sentences=Tally(kept=len(aligned.sentences)))
    gold = Split("scored", aligned.sentences, aligned.scheme, [read])
    return Background(
        training=TrainingKnowledge(words, False, mentions, str(train)),
        data=data_card(str(train), [split, gold]),
        warnings=aligned.warnings,
    )
