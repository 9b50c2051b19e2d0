"""The fingerprint of a run: the same as before settings were renamed, so that older checkpoints still fit."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, replace

from tagger.config import ModelConfig, StaticEmbedding, TransformerEmbedding
from tagger.corpus.dataset import Split
from tagger.corpus.schemes import Scheme
from tagger.corpus.sentence import PartialLabels
from tagger.features.vocabulary import Vocabularies
from tagger.training.run_config import OptimConfig
from tagger.training.run_setup import RunSetup
from tests.helpers.random_models import NER_TRAIN, random_folder

OLD_NAMES = {
    '"transformer": {': '"encoder": {',
    '"trainable": true': '"trained": true',  # of the vectors
    '"trainable": false': '"tune": false',  # of the transformer
    '"lr_schedule": ': '"decay": ',
}


def test_the_fingerprint_is_made_from_the_old_names_of_settings() -> None:
    config: ModelConfig = random_folder().config
    static = StaticEmbedding(source="", trainable=True, width=4)
    transformer = TransformerEmbedding(path=None, trainable=False, width=8)
    config = replace(config, embeddings=replace(config.embeddings, static=static, transformer=transformer))
    vocabularies = Vocabularies.build(NER_TRAIN, config.embeddings, Scheme.BIOES)
    optim = OptimConfig(lr_schedule="cosine", epochs=1, min_steps=1)
    scored = [(sentence.tokens, sentence.tags) for sentence in NER_TRAIN]
    settings = {name: value for name, value in asdict(optim).items() if name != "recase"}  # newer, and off
    text = json.dumps([vocabularies.to_mapping(), asdict(config), settings, None, scored])
    for new, old in OLD_NAMES.items():
        assert text.count(new) == 1
        text = text.replace(new, old)
    start = RunSetup(config, vocabularies, Scheme.BIOES, {}, None, None)
    dev = Split("dev", NER_TRAIN, Scheme.IOB2, [])
    assert start.fingerprint(dev, optim) == hashlib.sha256(text.encode()).hexdigest()
    assert start.fingerprint(dev, replace(optim, recase=0.1)) != start.fingerprint(dev, optim)


def test_the_fingerprint_depends_on_what_the_tags_of_dev_leave_open() -> None:
    config = random_folder().config
    vocabularies = Vocabularies.build(NER_TRAIN, config.embeddings, Scheme.BIOES)
    start = RunSetup(config, vocabularies, Scheme.BIOES, {}, None, None)
    marks = (None, PartialLabels(), PartialLabels(frozenset({"PER"})))
    devs = ([replace(sentence, partial=mark) for sentence in NER_TRAIN] for mark in marks)
    found = {start.fingerprint(Split("dev", dev, Scheme.IOB2, []), OptimConfig()) for dev in devs}
    assert len(found) == 3
