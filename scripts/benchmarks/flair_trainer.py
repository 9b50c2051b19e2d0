"""Trains Flair's tagger: a bidirectional GRU and a CRF on one-hot words and characters, nothing pretrained.

Flair 0.15.1 selects and reloads its best model rightly only with `embeddings_storage_mode="none"` and
`overwrite_names=False`. Its optimiser and schedule are its own: SGD from 0.1, annealed where dev does not improve.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

import torch
from exchange import Task, spans
from flair.data import Corpus, Dictionary, Sentence
from flair.datasets import FlairDatapointDataset
from flair.embeddings import CharacterEmbeddings, OneHotEmbeddings, StackedEmbeddings
from flair.models import SequenceTagger
from flair.trainers import ModelTrainer
from flair.trainers.plugins import TrainerPlugin
from flair_worker import LABEL
from tasks import event

EPOCHS = 50
_FLAIR_LOG = logging.getLogger("flair")


def labelled(tokens: list[str], tags: list[str], kind: str) -> Sentence:
    sentence = Sentence(tokens)
    if kind == "tags":
        for token, tag in zip(sentence, tags, strict=True):
            token.add_label(LABEL, tag)
    else:
        for start, end, label in spans(tags):
            sentence[start:end].add_label(LABEL, label)
    return sentence


def split(task: Task, name: str) -> list[Sentence]:
    return [labelled(tokens, tags, task.kind) for tokens, tags in task.sentences(name) if all(map(str.strip, tokens))]


class Events(TrainerPlugin):
    """Tells each epoch's dev score."""

    def __init__(self, tokens: int) -> None:
        super().__init__()
        self._tokens = tokens

    @TrainerPlugin.hook
    def after_evaluation(self, epoch: int, validation_scores: Sequence[float], **_: object) -> None:
        event(tokens=epoch * self._tokens, dev=float(validation_scores[0]))


def main() -> None:
    task = Task.from_command_line(__doc__)
    torch.manual_seed(task.seed + 1)
    train, dev = split(task, "train"), split(task, "dev")
    characters = Dictionary()
    for character in sorted({character for sentence in train for character in sentence.text}):
        characters.add_item(character)
    corpus = Corpus(FlairDatapointDataset(train), FlairDatapointDataset(dev), FlairDatapointDataset(dev))
    words = OneHotEmbeddings.from_corpus(corpus, field="text", embedding_length=100)
    tagger = SequenceTagger(
        embeddings=StackedEmbeddings([words, CharacterEmbeddings(characters)], overwrite_names=False),
        tag_dictionary=corpus.make_label_dictionary(LABEL, add_unk=False),
        tag_type=LABEL,
        rnn_type="GRU",
        hidden_size=128,
    )
    _FLAIR_LOG.setLevel(logging.WARNING)
    ModelTrainer(tagger, corpus).train(
        task.folder / "flair",
        max_epochs=EPOCHS,
        embeddings_storage_mode="none",
        plugins=[Events(sum(map(len, train)))],
    )


if __name__ == "__main__":
    main()
