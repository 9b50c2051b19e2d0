"""The model run in NumPy: what depends on a word alone once per distinct word, then a packed recurrence."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController

from tagger.features.encoding import FeatureEncoder, WordFeatures
from tagger.features.vocabulary import PAD
from tagger.inference.engine import packed_words
from tagger.inference.folder import ModelFolder

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]
_CACHE_BYTES = 32 << 20
_CONVOLVED_AT_ONCE = 1 << 22  # elements of the widest array in the character convolution


class NumpyEngine:
    """Emissions from a model folder's weights, equal to PyTorch's to rounding.

    The first layer's input projection depends on the word alone: it is computed once per distinct word and kept, for
    the words met last, up to some 32 MB.
    """

    def __init__(self, folder: ModelFolder) -> None:
        config, tensors = folder.config, folder.tensors
        self._encoder = FeatureEncoder(config.embeddings, folder.vocabularies, folder.static)
        self._layers = [_Layer(tensors, f"encoder.layers.{number}.") for number in range(config.encoder.layers)]
        self._emissions = np.ascontiguousarray(tensors["emissions.weight"].T)  # (2H, K)
        self._emission_bias = tensors["emissions.bias"]
        chosen = [part for name, part in _PARTS.items() if getattr(config.embeddings, name) is not None]
        self._parts = [part(tensors) for part in chosen]
        self._capacity = max(1, _CACHE_BYTES // (24 * config.encoder.hidden_size))
        self._blas = ThreadpoolController()  # its threads cost the small products here more than they give
        self._rows: dict[str, int] = {}
        self._projections = self._project([])  # (2, room, 3H), the first len(self._rows) of each direction in use

    def emissions(self, sentences: Sequence[Sequence[str]], running: Ints) -> Floats:
        """Emissions of a batch; see `Engine`."""
        with self._blas.limit(limits=1, user_api="blas"):
            return self._run(sentences, running)

    def _run(self, sentences: Sequence[Sequence[str]], running: Ints) -> Floats:
        words = packed_words(sentences, running)
        self._remember(words)
        rows = np.fromiter(map(self._rows.__getitem__, words), dtype=np.int64, count=len(words))  # (N,)
        backward = reversed_positions(running)
        states = self._layers[0].run(self._projections, rows, rows[backward], running, backward)  # (N, 2H)
        everything = np.arange(len(rows))
        for layer in self._layers[1:]:
            states = layer.run(layer.project(states), everything, backward, running, backward)
        return states @ self._emissions + self._emission_bias

    def _remember(self, words: Sequence[str]) -> None:
        """Make sure that every word has its row of projections, forgetting all others where there are too many."""
        new = dict.fromkeys(word for word in words if word not in self._rows)
        if len(self._rows) + len(new) > self._capacity:
            self._rows, new = {}, dict.fromkeys(words)
        if not new:
            return
        known, needed = len(self._rows), len(self._rows) + len(new)
        if needed > self._projections.shape[1]:
            room = np.empty((2, 2 * needed, self._projections.shape[2]), dtype=np.float32)
            room[:, :known] = self._projections[:, :known]
            self._projections = room
        self._projections[:, known:needed] = self._project(list(new))
        self._rows.update(zip(new, range(known, needed), strict=True))

    def _project(self, words: Sequence[str]) -> Floats:
        """The first layer's input projections of U words, (2, U, 3H)."""
        features = self._encoder.encode_words(words)
        return self._layers[0].project(np.concatenate([part(features) for part in self._parts], axis=1))


class _Layer:
    """One bidirectional GRU layer; both directions advance together, each sentence's backward one from its own end.

    The gates' arguments are halved beforehand, as σ(x) = (tanh(x/2) + 1) / 2; the input biases and, for r and z, the
    recurrent ones are part of the projection.
    """

    def __init__(self, tensors: Mapping[str, Floats], prefix: str) -> None:
        directions = ("", "_reverse")
        self.hidden_size = hidden = tensors[f"{prefix}weight_hh_l0"].shape[1]
        halved = np.repeat(np.array([0.5, 0.5, 1.0], dtype=np.float32), hidden)  # (3H,)
        recurrent_bias = np.stack([tensors[f"{prefix}bias_hh_l0{d}"] for d in directions])  # (2, 3H)
        input_bias = np.stack([tensors[f"{prefix}bias_ih_l0{d}"] for d in directions])
        self._candidate_bias = recurrent_bias[:, None, 2 * hidden :].copy()  # (2, 1, H)
        input_bias[:, : 2 * hidden] += recurrent_bias[:, : 2 * hidden]
        self._bias = (input_bias * halved)[:, None]  # (2, 1, 3H)
        weights = [(tensors[f"{prefix}weight_ih_l0{d}"] * halved[:, None]).T for d in directions]
        self._input = np.ascontiguousarray(np.stack(weights))  # (2, E, 3H)
        recurrent = [(tensors[f"{prefix}weight_hh_l0{d}"] * halved[:, None]).T for d in directions]
        self._recurrent = np.ascontiguousarray(np.stack(recurrent))  # (2, H, 3H)

    def project(self, vectors: Floats) -> Floats:
        """(M, E) → (2, M, 3H)."""
        return vectors @ self._input + self._bias

    def run(self, projections: Floats, forward: Ints, backward: Ints, running: Ints, positions: Ints) -> Floats:
        """Hidden states (N, 2H) packed by time.

        Args:
            projections: (2, M, 3H).
            forward, backward: (N,) the row of `projections` that each direction reads, in the order it reads.
            running: (T,) sentences at each time step.
            positions: (N,) where in the packed order the backward direction's k-th reading stands.
        """
        hidden, sentences = self.hidden_size, int(running[0])
        states = np.empty((len(forward), 2 * hidden), dtype=np.float32)
        reversed_states = np.empty((len(forward), hidden), dtype=np.float32)
        state = np.zeros((2, sentences, hidden), dtype=np.float32)
        inputs = np.empty((2, sentences, 3 * hidden), dtype=np.float32)
        product = np.empty_like(inputs)
        done = 0
        for count in running.tolist():
            gates, recurrent, old = inputs[:, :count], product[:, :count], state[:, :count]
            now = slice(done, done + count)
            np.take(projections[0], forward[now], axis=0, out=gates[0], mode="clip")
            np.take(projections[1], backward[now], axis=0, out=gates[1], mode="clip")
            for direction in (0, 1):
                np.matmul(old[direction], self._recurrent[direction], out=recurrent[direction])
            self._step(gates, recurrent, old)
            states[now, :hidden] = old[0]
            reversed_states[now] = old[1]
            done += count
        states[positions, hidden:] = reversed_states
        return states

    def _step(self, gates: Floats, recurrent: Floats, state: Floats) -> None:
        """Advance `state` (2, n, H) in place, from the projections `gates` and the products h U, each (2, n, 3H)."""
        hidden = self.hidden_size
        both, candidate = gates[:, :, : 2 * hidden], gates[:, :, 2 * hidden :]
        both += recurrent[:, :, : 2 * hidden]
        np.tanh(both, out=both)
        both += 1
        both *= 0.5
        reset, update = both[:, :, :hidden], both[:, :, hidden:]
        from_state = recurrent[:, :, 2 * hidden :]
        from_state += self._candidate_bias
        from_state *= reset
        candidate += from_state
        np.tanh(candidate, out=candidate)
        state -= candidate  # h' = n + z (h - n)
        state *= update
        state += candidate


def reversed_positions(running: Ints) -> Ints:
    """(N,) for packed sentences, the packed position of each one's tokens from its last to its first.

    Entry k, which stands at step t of sentence i, is the position of that sentence's token `length - 1 - t`.
    """
    starts = np.concatenate([[0], np.cumsum(running)[:-1]])
    lengths = np.searchsorted(-running, -np.arange(1, running[0] + 1), side="right")  # (B,)
    steps = np.repeat(np.arange(len(running)), running)
    sentences = np.arange(running.sum()) - starts[steps]
    return starts[lengths[sentences] - 1 - steps] + sentences


class _Characters:
    """The character convolution as one table look-up and sum per kernel position, some thousand words at a time."""

    def __init__(self, tensors: Mapping[str, Floats]) -> None:
        kernel = tensors["embeddings.parts.characters.convolution.weight"]  # (F, S, W)
        table = tensors["embeddings.parts.characters.table.weight"]  # (V, S)
        # what each character adds to each filter at each place under the kernel; padding adds nothing
        self._contribution = np.ascontiguousarray(np.stack([table @ place.T for place in np.moveaxis(kernel, 2, 0)]))
        self._contribution[:, PAD] = 0  # (W, V, F)
        self._bias = tensors["embeddings.parts.characters.convolution.bias"]

    def __call__(self, features: WordFeatures) -> Floats:
        width, _, filters = self._contribution.shape
        length = features.characters.shape[1]
        result = np.empty((len(features), filters), dtype=np.float32)
        at_once = max(1, _CONVOLVED_AT_ONCE // (length * filters))
        for first in range(0, len(features), at_once):
            characters = features.characters[first : first + at_once]  # (u, C)
            padded = np.pad(characters, ((0, 0), (width // 2, width // 2)), constant_values=PAD)
            filtered = self._contribution[0][padded[:, :length]]  # (u, C, F)
            for place in range(1, width):
                filtered += self._contribution[place][padded[:, place : place + length]]
            filtered[characters == PAD] = -np.inf
            result[first : first + at_once] = filtered.max(axis=1) + self._bias
        return np.maximum(result, 0, out=result)


class _Words:
    def __init__(self, tensors: Mapping[str, Floats]) -> None:
        self._table = tensors["embeddings.parts.word.table.weight"]

    def __call__(self, features: WordFeatures) -> Floats:
        return self._table[features.words]


class _Shapes:
    def __init__(self, tensors: Mapping[str, Floats]) -> None:
        self._table = tensors["embeddings.parts.shape.table.weight"]

    def __call__(self, features: WordFeatures) -> Floats:
        return self._table[features.shapes]


class _Pretrained:
    def __init__(self, tensors: Mapping[str, Floats]) -> None:
        """Nothing of it is trained."""

    def __call__(self, features: WordFeatures) -> Floats:
        return features.static


class _Affixes:
    def __init__(self, tensors: Mapping[str, Floats]) -> None:
        names = [name for name in tensors if name.startswith("embeddings.parts.affixes.tables.")]
        self._tables = [tensors[f"embeddings.parts.affixes.tables.{number}.weight"] for number in range(len(names))]

    def __call__(self, features: WordFeatures) -> Floats:
        columns = zip(self._tables, features.affixes.T, strict=True)
        return np.concatenate([table[column] for table, column in columns], axis=1)


_PARTS: dict[str, Callable[[Mapping[str, Floats]], Callable[[WordFeatures], Floats]]] = {
    "word": _Words,
    "characters": _Characters,
    "shape": _Shapes,
    "affixes": _Affixes,
    "static": _Pretrained,
}
