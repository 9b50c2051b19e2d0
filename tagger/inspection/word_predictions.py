"""Explain a language model on a sentence: the gates of its forward direction, and how well it foresaw each word."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tagger.config import Cell
from tagger.engines.reference_cells import cell_weights
from tagger.features.predicted_words import END
from tagger.features.vocabulary import UNK
from tagger.generation.forward_model import ForwardModel
from tagger.inspection.gates import run_direction
from tagger.model_folder.language_model import LanguageModelFolder
from tagger.tensor_shapes import layer_prefix

Floats = NDArray[np.floating]


@dataclass(frozen=True)
class WordPredictions:
    """What a language model foresaw in a sentence of T words, and the gates with which it read them.

    Attributes:
        words: the words.
        probabilities: (T + 1,) of each word and of the end, given the words before. An unknown word has that of all
            unknown words.
        expected: the most probable word at each of these places; "" for the end.
        cell: of the layer.
        gates: (T, H) values by name.
    """

    words: Sequence[str]
    probabilities: Floats
    expected: Sequence[str]
    cell: Cell
    gates: Mapping[str, Floats]


def word_predictions(folder: LanguageModelFolder, words: Sequence[str]) -> WordPredictions:
    """Explain a sentence."""
    model = ForwardModel(folder)
    state, distributions = model.begin(), []
    for word in words:
        distributions.append(model.log_probabilities(state))
        state = model.read(state, word)
    distributions.append(model.log_probabilities(state))
    numbers = np.append(folder.predicted.numbers(words), END)
    known = np.array(distributions)
    known[:, UNK] = -np.inf
    best = known.argmax(axis=1)
    cell = folder.config.encoder.stack[0].cell
    vectors = model.vectors(words).astype(np.float64)
    return WordPredictions(
        words=list(words),
        probabilities=np.exp(np.array(distributions)[np.arange(len(numbers)), numbers]),
        expected=["" if number == END else folder.predicted.written(int(number)) for number in best],
        cell=cell,
        gates=run_direction(cell, vectors, cell_weights(folder.tensors, layer_prefix(0))[0]),
    )
