"""Small language models with random weights."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import torch

from tagger.config import EncoderConfig, ModelConfig
from tagger.corpus.schemes import Scheme
from tagger.features.encoding import FeatureEncoder
from tagger.features.predicted_words import PredictedWords
from tagger.features.vocabulary import Vocabularies
from tagger.model.language_model import LanguageModel
from tagger.model_folder.language_model import LanguageModelFolder
from tests.helpers.random_models import embeddings_config

SENTENCES = [
    ["Ada", "met", "Bo", "in", "New", "York", "."],
    ["We", "met", "Ada", "."],
    ["Nobody", "sleeps", "in", "Oslo", "!"],
    ["Bo"],
]
PARTS = ("word", "characters", "shape", "affixes")


def random_language_model(
    seed: int = 0, parts: Sequence[str] = PARTS, encoder: EncoderConfig | None = None, known: int = 12
) -> LanguageModelFolder:
    """A language model of the sentences above, with random weights. It knows the first `known` words."""
    torch.manual_seed(seed)
    config = ModelConfig(embeddings=embeddings_config(parts), encoder=encoder or EncoderConfig(hidden_size=6))
    tokens = Counter(token for sentence in SENTENCES for token in sentence)
    counts = dict(list(tokens.items())[:known])
    vocabularies = replace(Vocabularies.build([], config.embeddings, Scheme.IOB2, counts), tags=[])
    predicted = PredictedWords.of(
        counts, vocabularies, lowercase=True, tokens=sum(tokens.values()), ends=len(SENTENCES)
    )  # fmt: skip
    network = LanguageModel(config, vocabularies, predicted)
    with torch.no_grad():
        for parameter in network.output.parameters():
            parameter.normal_()
    tensors = {name: tensor.detach().numpy().copy() for name, tensor in network.state_dict().items()}
    return LanguageModelFolder(config, vocabularies, predicted, tensors, "whitespace", "en", "a few sentences")


def network_of(folder: LanguageModelFolder) -> LanguageModel:
    """The folder's network, for scoring."""
    network = LanguageModel(folder.config, folder.vocabularies, folder.predicted)
    network.load_state_dict({name: torch.from_numpy(tensor) for name, tensor in folder.tensors.items()})
    return network.eval()


def encoder_of(folder: LanguageModelFolder) -> FeatureEncoder:
    """What encodes words for it."""
    return FeatureEncoder(folder.config.embeddings, folder.vocabularies)
