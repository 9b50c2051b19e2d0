"""Fit the temperature of a trained model to the dev split."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch

from tagger.corpus.labels import leaves_open
from tagger.corpus.sentence import Sentence
from tagger.decoding.decoder import Decoder, batch_sizes_of
from tagger.decoding.temperature import GoldBatch, fit_temperature
from tagger.features.batching import length_batches
from tagger.features.encoding import EncodedCorpus
from tagger.model.batch import TensorBatch, tokens_for
from tagger.model.network import TaggerModel
from tagger.model_folder.folder import ModelFolder


def calibrated(
    folder: ModelFolder, network: TaggerModel, dev: EncodedCorpus, sentences: Sequence[Sentence]
) -> ModelFolder:
    """Return the model with the temperature that fits the dev split best. Sentences without complete tags do not count.

    Args:
        folder: the model.
        network: the network with the model's weights.
        dev: the encoded dev split.
        sentences: its sentences, with their tags as read.
    """
    device = next(network.parameters()).device
    network.eval()
    batches = []
    complete = np.array([not leaves_open(sentence, folder.labels) for sentence in sentences], dtype=np.bool_)
    for numbers in length_batches(np.where(complete, dev.lengths, 0), tokens_for(device)):
        with torch.inference_mode():
            emissions = network(TensorBatch.of(dev.batch(numbers), device)).float().cpu().numpy()
        gold = [sentences[number].tags or [] for number in numbers]
        batches.append(GoldBatch(emissions, batch_sizes_of(dev.lengths[numbers]), gold))
    decoder = Decoder.of(folder.vocabularies.tags, folder.scheme, folder.tensors)
    return replace(folder, temperature=fit_temperature(decoder, batches))
