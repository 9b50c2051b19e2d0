"""What several processes train on and find in the dev split, told in files.

`python tests/helpers/many_processes.py FOLDER PROCESSES…` trains a model with random weights for two epochs at a
learning rate of zero, once for each number of processes asked for. Each process writes into a folder of that number
what it was given, the first what all of them found. They are forked, so that PyTorch is imported once.
"""

from __future__ import annotations

import json
import sys
from functools import partial
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning import Callback, LightningModule, Trainer, seed_everything

from tagger.corpus.schemes import Scheme
from tagger.corpus.sentence import Sentence
from tagger.engines.numpy_engine import NumpyEngine
from tagger.evaluation.scores import score
from tagger.features.encoding import EncodedCorpus, FeatureEncoder
from tagger.model.network import TaggerModel
from tagger.predict import Tagger
from tagger.training.data_module import TaggingDataModule
from tagger.training.epoch_corpora import EpochCorpora
from tagger.training.lightning_module import TaggingModule
from tagger.training.run_config import OptimConfig
from tests.helpers.random_models import NER_TRAIN, random_folder


def splits() -> tuple[list[Sentence], list[Sentence]]:
    """31 training and 23 dev sentences of different lengths, and one without words in each.

    The model is right about every other one of dev.
    """
    pool = [
        Sentence(sentence.tokens[:length], (sentence.tags or [])[:length])
        for sentence in NER_TRAIN
        for length in range(1, len(sentence) + 1)
    ]
    empty = Sentence([], [])
    dev, start = pool[-23:], random_folder()
    found = Tagger(start, NumpyEngine(start)).tag_sentences(dev)
    mixed = [
        tagged if number % 2 else sentence for number, (sentence, tagged) in enumerate(zip(dev, found, strict=True))
    ]
    return [*pool[:31], empty], [empty, *mixed]


class Told(Callback):
    """Writes which sentences a process was given in each step, and what all have found after each epoch."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.given: list[list[list[int]]] = []
        self.reports: list[Any] = []

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.given.append([])

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        self.given[-1].append(batch[0].batch.sentences.tolist())

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        assert isinstance(pl_module, TaggingModule)
        predicted = pl_module.predictions()
        _, dev = splits()
        gold = [dev[number].tags or [] for number in predicted]
        scores = score(gold, list(predicted.values()), Scheme.IOB2)
        self.reports.append({"predicted": list(predicted.items()), "scores": repr(scores),
                             "dev_f1": float(trainer.callback_metrics["dev_f1"])})  # fmt: skip

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        (self.folder / f"given-{trainer.global_rank}.json").write_text(json.dumps(self.given))
        if trainer.is_global_zero:
            (self.folder / "found.json").write_text(json.dumps(self.reports))


def train(folder: Path, processes: int) -> None:
    seed_everything(1, verbose=False)
    start, (train, dev) = random_folder(), splits()
    network = TaggerModel(start.config, start.vocabularies, start.scheme)
    network.load_state_dict({name: torch.from_numpy(tensor) for name, tensor in start.tensors.items()})
    encoder = FeatureEncoder(start.config.embeddings, start.vocabularies, start.static)
    module = TaggingModule(
        network,
        tags=start.vocabularies.tags,
        scheme=start.scheme,
        dev=dev,
        dev_scheme=Scheme.IOB2,
        optim=OptimConfig(),
        make_optimizer=partial(torch.optim.SGD, lr=0.0),
        fingerprint="",
    )
    corpora = [EncodedCorpus(split, encoder, start.scheme) for split in (train, dev)]
    trainer = Trainer(
        accelerator="cpu",
        devices=processes,
        strategy="ddp_fork" if processes > 1 else "auto",
        max_epochs=2,
        callbacks=[Told(folder)],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
        num_sanity_val_steps=0,
    )
    trainer.fit(module, TaggingDataModule(EpochCorpora(train, corpora[0]), corpora[1], batch_tokens=20, seed=1))


def main(folder: str, *counts: str) -> None:
    torch.set_num_threads(1)  # before any are started, which would not outlive a fork
    for count in counts:
        (own := Path(folder) / count).mkdir()
        train(own, int(count))


if __name__ == "__main__":
    main(*sys.argv[1:])
