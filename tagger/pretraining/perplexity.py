"""Perplexity of a language model on held-out text, beside a unigram and an n-gram model of the same text."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from tagger.features.batching import length_batches
from tagger.features.encoding import FeatureEncoder
from tagger.features.predicted_words import END, PredictedWords
from tagger.files import written_whole
from tagger.model.batch import TensorBatch
from tagger.model.language_model import LanguageModel
from tagger.model_folder.language_model import LanguageModelFolder
from tagger.pretraining.batches import BatchMaker
from tagger.pretraining.ngrams import KneserNey
from tagger.pretraining.text_store import StoredText

ORDER = 5
_MOST_TOKENS = 12_000_000  # of the text that the n-gram model counts, which is in memory as numbers
_BATCH_TOKENS = 4000


@dataclass(frozen=True, kw_only=True)
class Perplexity:
    """How well a model predicts a text. The end of a sentence is predicted like a word.

    Attributes:
        text: `held out` or `test`.
        model: its name.
        perplexity: per word and end of sentence.
        bits_per_character: with a blank or an end after each word. An unknown word costs as much as the class of all
            unknown words.
    """

    text: str
    model: str
    perplexity: float
    bits_per_character: float


def perplexities(
    folder: LanguageModelFolder, text: StoredText, test: Sequence[Sequence[str]], *, ngrams: bool
) -> list[Perplexity]:
    """Score a model, and those that it is compared with, on the held-out text and on a test text.

    Args:
        folder: the model.
        text: its text.
        test: sentences of another text, perhaps none.
        ngrams: also train an n-gram model.
    """
    predicted = folder.predicted
    counted = KneserNey(_numbers(_first(text.train()), predicted), len(predicted), ORDER) if ngrams else None
    network = LanguageModel(folder.config, folder.vocabularies, predicted)
    network.load_state_dict({name: torch.from_numpy(tensor) for name, tensor in folder.tensors.items()})
    maker = BatchMaker(FeatureEncoder(folder.config.embeddings, folder.vocabularies, folder.static), predicted)
    found = []
    for name, sentences in (("held out", list(text.held_out())), ("test", test)):
        if not sentences:
            continue
        numbers = _numbers(sentences, predicted)
        events = np.concatenate([np.append(each, END) for each in numbers])
        sums = dict(zip(("GRU, forward", "GRU, backward"), _sums(network, maker, sentences), strict=True))
        sums["unigram"] = float(np.log(predicted.frequencies[events]).sum())
        if counted is not None:
            sums[f"Kneser-Ney {ORDER}-gram"] = float(counted.log_probabilities(numbers).sum())
        characters = sum(len(token) + 1 for sentence in sentences for token in sentence)
        found += [
            Perplexity(
                text=name,
                model=model,
                perplexity=math.exp(-total / len(events)),
                bits_per_character=-total / math.log(2) / characters,
            )
            for model, total in sums.items()
        ]
    return found


def write_perplexities(found: Sequence[Perplexity], path: Path) -> None:
    """Write the figures as JSON."""
    with written_whole(path) as stream:
        stream.write(json.dumps({"format": 1, "perplexity": [vars(each) for each in found]}, indent=2) + "\n")


def as_markdown(found: Sequence[Perplexity]) -> str:
    """Return the figures as a table."""
    rows = [f"| {each.text} | {each.model} | {each.perplexity:.1f} | {each.bits_per_character:.3f} |" for each in found]
    return "\n".join(["| text | model | perplexity per word | bits per character |", "|---|---|--:|--:|", *rows])


def _first(sentences: Iterable[list[str]]) -> Iterator[list[str]]:
    """Return the first sentences, as many as the n-gram model counts."""
    tokens = 0

    def fits(sentence: list[str]) -> bool:
        nonlocal tokens
        tokens += len(sentence)
        return tokens <= _MOST_TOKENS

    return takewhile(fits, sentences)


def _numbers(sentences: Iterable[Sequence[str]], predicted: PredictedWords) -> list[NDArray[np.int64]]:
    return [predicted.numbers(sentence) for sentence in sentences]


def _sums(network: LanguageModel, maker: BatchMaker, sentences: Sequence[Sequence[str]]) -> list[float]:
    """Return the log-probability of the sentences in both directions."""
    network.eval()
    total = torch.zeros(2, dtype=torch.float64)
    lengths = np.array([len(sentence) for sentence in sentences], dtype=np.int64)
    for chosen in length_batches(lengths, _BATCH_TOKENS):
        batch = maker.batch([sentences[one] for one in chosen])
        total += network.log_probabilities(TensorBatch.of(batch, torch.device("cpu"))).double().sum(dim=1)
    return total.tolist()
