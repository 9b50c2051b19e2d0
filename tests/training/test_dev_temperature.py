"""The temperature of a trained network on the dev split is the one that the NumPy engine, too, would find."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tagger.corpus.schemes import Scheme
from tagger.corpus.sentence import PartialLabels, Sentence
from tagger.decoding.decoder import Decoder
from tagger.decoding.temperature import GoldBatch, fit_temperature
from tagger.engines.numpy_engine import NumpyEngine
from tagger.features.encoding import EncodedCorpus, FeatureEncoder
from tagger.model.network import TaggerModel
from tagger.model_folder.folder import ModelFolder
from tagger.training.dev_temperature import calibrated
from tests.helpers.random_models import NER_TRAIN, POS_TRAIN, random_folder


def calibrated_on(folder: ModelFolder, dev: list[Sentence]) -> ModelFolder:
    network = TaggerModel(folder.config, folder.vocabularies, folder.scheme)
    network.load_state_dict({name: torch.from_numpy(tensor) for name, tensor in folder.tensors.items()})
    encoder = FeatureEncoder(folder.config.embeddings, folder.vocabularies, folder.static)
    return calibrated(folder, network, EncodedCorpus(dev, encoder, folder.scheme), dev)


@pytest.mark.parametrize("scheme", [Scheme.IOB2, Scheme.BIOES, Scheme.PLAIN])
@pytest.mark.parametrize("decoder", ["crf", "softmax"])
def test_it_is_fitted_on_what_the_engine_gives_for_each_sentence(scheme: Scheme, decoder: str) -> None:
    folder = random_folder(scheme=scheme, decoder=decoder)
    dev = POS_TRAIN if scheme is Scheme.PLAIN else NER_TRAIN
    found = calibrated_on(folder, dev)
    engine, batches = NumpyEngine(folder), []
    for sentence in dev:
        if sentence.tokens:
            batch_sizes = np.ones(len(sentence), dtype=np.int64)
            batches.append(
                GoldBatch(engine.emissions([sentence.tokens], batch_sizes), batch_sizes, [sentence.tags or []])
            )
    expected = fit_temperature(Decoder.of(folder.vocabularies.tags, scheme, folder.tensors), batches)
    assert found.temperature == pytest.approx(expected, rel=1e-3)
    assert found.temperature > 1  # weights at random are sure of themselves, and wrong
    assert found.tensors is folder.tensors


def test_sentences_that_leave_labels_open_do_not_count() -> None:
    folder = random_folder()
    whole = [sentence for sentence in NER_TRAIN if sentence.tokens]
    label = folder.labels[0]
    unknown = Sentence(whole[0].tokens, [f"B-{label}", *["B-_"] * (len(whole[0]) - 1)], partial=PartialLabels())
    hiding = Sentence(whole[0].tokens, ["O"] * len(whole[0]), partial=PartialLabels(frozenset({label})))
    assert calibrated_on(folder, [*whole, unknown, hiding]).temperature == calibrated_on(folder, whole).temperature
    assert calibrated_on(folder, [unknown, hiding]).temperature == 1
    known = Sentence(hiding.tokens, hiding.tags, partial=PartialLabels(frozenset(folder.labels)))
    plain = Sentence(hiding.tokens, hiding.tags)
    assert calibrated_on(folder, [*whole, known]).temperature == calibrated_on(folder, [*whole, plain]).temperature
