"""The forward direction of a language model, a word at a time.

    h_0 = 0,  h_t = cell(x_t, h_{t-1})                  x_t: the vector of word t
    P(word t+1 = w) = softmax_w(v_w · (W h_t + b) + c_w)

v_w is the vector that reads w, and a learned vector stands for h_0 before the first word. `engines.reference_cells` has
the equations of the cells.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tagger.engines.numpy_embeddings import WordVectors
from tagger.engines.numpy_engine import FeedForward
from tagger.engines.reference_cells import (
    cell_weights,
    gru_cell,
    gru_cell_reset_before,
    lstm_cell,
    rnn_cell,
)
from tagger.features.encoding import FeatureEncoder
from tagger.features.predicted_words import END
from tagger.model_folder.language_model import OUTPUT, LanguageModelFolder
from tagger.tensor_shapes import WORD_SHAPES, WORDS, layer_prefix

Floats = NDArray[np.float32]


class State(NamedTuple):
    """What the model has read of a sentence.

    Attributes:
        hidden: (1, H) hidden state.
        memory: (1, H) an LSTM's memory.
        words: number of words that were read.
    """

    hidden: Floats
    memory: Floats
    words: int


class ForwardModel:
    """Predicts the next word from those before it in the sentence."""

    def __init__(self, folder: LanguageModelFolder) -> None:
        tensors = folder.tensors
        self.predicted = folder.predicted
        self._encoder = FeatureEncoder(folder.config.embeddings, folder.vocabularies, folder.static)
        self._embed = WordVectors(folder.config.embeddings, tensors)
        self._feed_forward = FeedForward(tensors) if folder.config.encoder.feed_forward else None
        self._cell = folder.config.encoder.stack[0].cell
        self._weights = cell_weights(tensors, layer_prefix(0))[0]
        tables = [tensors[WORDS][folder.predicted.words]]
        if folder.config.embeddings.shape:
            tables.append(tensors[WORD_SHAPES][folder.predicted.shapes])
        self._predicted_vectors = np.concatenate(tables, axis=1)  # (V, D)
        self._predicted_vectors[END] = tensors[OUTPUT.end]
        self._start, self._map = tensors[OUTPUT.start][0], tensors[OUTPUT.weight][0]
        self._offset, self._bias = tensors[OUTPUT.offset][0], tensors[OUTPUT.bias][0]

    def begin(self) -> State:
        """Return the state before a sentence."""
        zeros = np.zeros((1, self._weights.hidden.shape[1]), dtype=np.float32)
        return State(zeros, zeros, 0)

    def vectors(self, words: Sequence[str]) -> Floats:
        """Return what the cell reads of T words, (T, E)."""
        vectors = self._embed(self._encoder.encode_words(words))
        return vectors if self._feed_forward is None else self._feed_forward(vectors)

    def read(self, state: State, word: str) -> State:
        """Return the state after one more word."""
        vector = self.vectors([word])
        hidden, memory = state.hidden, state.memory
        if self._cell == "lstm":
            step = lstm_cell(vector, hidden, memory, self._weights)
            hidden, memory = step.state, step.memory
        elif self._cell == "rnn":
            hidden = rnn_cell(vector, hidden, self._weights)
        else:
            cell = gru_cell if self._cell == "gru" else gru_cell_reset_before
            hidden = cell(vector, hidden, self._weights).state
        return State(hidden, memory, state.words + 1)

    def log_probabilities(self, state: State) -> NDArray[np.float64]:
        """Return the log-probability of each word coming next, (V,)."""
        context = state.hidden[0] if state.words else self._start
        scores = (self._predicted_vectors @ (self._map @ context + self._offset) + self._bias).astype(np.float64)
        scores -= scores.max()
        return scores - np.log(np.exp(scores).sum())
