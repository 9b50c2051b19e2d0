"""Run the model in NumPy.

What depends on a word alone is computed once per distinct word and cached. Then comes a packed recurrence.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from itertools import chain

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController

from tagger.config import EncoderConfig
from tagger.engines.numpy_embeddings import WordVectors
from tagger.engines.numpy_layers import FIXED_POINT, LAYERS, RecurrentLayer
from tagger.engines.reference_cells import NORM_EPSILON
from tagger.engines.word_cache import WordCache
from tagger.errors import UserError
from tagger.features.batching import packed_positions, reversed_positions
from tagger.features.encoding import FeatureEncoder
from tagger.kernels.packed_weights import Numbers
from tagger.model_folder.folder import ModelFolder
from tagger.shared_state import ProcessSetting
from tagger.tensor_shapes import EMISSIONS, FEED_FORWARD, layer_prefix, norm_tensors, skip_tensor

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]
_CACHE_BYTES = 48 << 20


@cache
def _blas() -> ThreadpoolController:
    """Find the BLAS libraries, at the first use of an engine: then NumPy's is loaded."""
    return ThreadpoolController()


# In the small products here, more threads cost more than they save, and they change the last bits.
_one_blas_thread = ProcessSetting(lambda: _blas().limit(limits=1, user_api="blas"))


class NumpyEngine:
    """Emissions from a model folder's weights, equal to PyTorch's except for rounding.

    The input of the first layer depends on the word alone. Its projection, and what the skip connection adds, is
    computed once per distinct word and cached, up to 48 MB.

    Threads may share an engine: weights are only read, and `WordCache` locks while it looks words up.
    """

    def __init__(self, folder: ModelFolder, precision: str = "fp32") -> None:
        """
        Args:
            folder: the model.
            precision: `fp32`, or `int16` for recurrent layers in fixed point (see `FixedPointGRULayer`).

        Raises:
            UserError: the model has a transformer, or `int16` is not possible with this model or installation.
        """
        config, tensors = folder.config, folder.tensors
        if config.embeddings.transformer is not None:
            raise UserError("the numpy engine does not run encoders, and the model has one; use engine torch, or auto")
        self._encoder = FeatureEncoder(config.embeddings, folder.vocabularies, folder.static)
        self._vectors = WordVectors(config.embeddings, tensors)
        self._feed_forward = FeedForward(tensors) if config.encoder.feed_forward else None
        kinds = _kinds_of_layers(config.encoder, precision)
        self._layers = [_Layer(config.encoder, number, kind, tensors) for number, kind in enumerate(kinds)]
        self._emissions = np.ascontiguousarray(tensors[EMISSIONS.weight].T)  # (W, K)
        self._emission_bias = tensors[EMISSIONS.bias]
        self._words = WordCache(self._project, _CACHE_BYTES)

    def emissions(self, sentences: Sequence[Sequence[str]], batch_sizes: Ints) -> Floats:
        """Emissions of a batch; see `Engine`."""
        with _one_blas_thread:
            emissions = self._run(sentences, batch_sizes) @ self._emissions
            emissions += self._emission_bias
            return emissions

    def states(self, sentences: Sequence[Sequence[str]], batch_sizes: Ints) -> Floats:
        """Compute the last layer's output (N, W), from which emissions follow. Arguments are those of `emissions`."""
        with _one_blas_thread:
            return self._run(sentences, batch_sizes)

    def _run(self, sentences: Sequence[Sequence[str]], batch_sizes: Ints) -> Floats:
        backward = reversed_positions(batch_sizes)
        arrays, rows = self._words.lookup(list(chain.from_iterable(sentences)))
        values = self._layers[0].run(arrays, rows[packed_positions(batch_sizes)], batch_sizes, backward)  # (N, W)
        everything = np.arange(len(values))
        for layer in self._layers[1:]:
            values = layer.run(layer.project(values), everything, batch_sizes, backward)
        return values

    def _project(self, words: Sequence[str]) -> list[Numbers]:
        """Compute what the first layer reads of U words; see `_Layer.project`."""
        vectors = self._vectors(self._encoder.encode_words(words))  # (U, E)
        # The last bits of a row of a product depend on its place and on the number of rows: so a product per word.
        alone = vectors[:, None]  # (U, 1, E)
        if self._feed_forward is not None:
            alone = self._feed_forward(alone)
        return [projected[:, 0] for projected in self._layers[0].project(alone)]


def _kinds_of_layers(config: EncoderConfig, precision: str) -> list[type[RecurrentLayer]]:
    known = {"fp32": LAYERS, "int16": FIXED_POINT}[precision]
    for layer in config.stack:
        if layer.cell not in known:
            raise UserError(f"precision {precision} is for layers of {', '.join(known)}, and the model has one of "
                f"{layer.cell}; use fp32")  # fmt: skip
    return [known[layer.cell] for layer in config.stack]


class FeedForward:
    """Linear, GELU in its tanh form, Linear: (…, E) → (…, F)."""

    def __init__(self, tensors: Mapping[str, Floats]) -> None:
        self._weights = [tensors[name] for linear in FEED_FORWARD for name in linear]

    def __call__(self, vectors: Floats) -> Floats:
        inner, inner_bias, outer, outer_bias = self._weights
        x = vectors @ inner.T + inner_bias
        gelu = 0.5 * x * (1 + np.tanh(np.float32(np.sqrt(2 / np.pi)) * (x + 0.044715 * x**3)))
        return gelu @ outer.T + outer_bias


class _Layer:
    """A recurrent layer with merge, normalisation and skip connection; see `EncoderConfig`."""

    def __init__(
        self, config: EncoderConfig, number: int, kind: type[RecurrentLayer], tensors: Mapping[str, Floats]
    ) -> None:
        self._recurrence = kind(tensors, layer_prefix(number))
        self._merge = config.merge
        self._norm = [tensors[name] for name in norm_tensors(number)] if config.layer_norm else []
        self._skip = config.skip
        self._skip_weight = tensors.get(skip_tensor(number))  # none where the widths are equal

    def project(self, vectors: Floats) -> list[Numbers]:
        """Compute all that depends on inputs (…, E) alone, before the recurrence.

        Returns:
            The projections (…, 2GH) and, with a skip connection, what it adds to the output, (…, W).
        """
        projections = self._recurrence.project(vectors)
        if not self._skip:
            return [projections]
        return [projections, vectors if self._skip_weight is None else vectors @ self._skip_weight.T]

    def run(self, projected: Sequence[Numbers], rows: Ints, batch_sizes: Ints, backward: Ints) -> Floats:
        """Compute the layer's output (N, W), packed by time.

        Args:
            projected: from `project`.
            rows: (N,) each token's row in `projected`.
            batch_sizes: (T,) sentences at each time step.
            backward: (N,) the tokens' reversed positions; see `RecurrentLayer.run`.
        """
        values = self._recurrence.run(projected[0], rows, batch_sizes, backward)  # (N, 2H)
        if self._merge != "concat":
            values = values.reshape(len(rows), 2, -1).sum(axis=1)  # (N, H)
            values *= 0.5 if self._merge == "mean" else 1
        if self._norm:
            weight, bias = self._norm
            values -= values.mean(axis=1, keepdims=True)
            values *= 1 / np.sqrt(np.square(values).mean(axis=1, keepdims=True) + NORM_EPSILON)
            values *= weight
            values += bias
        if self._skip:
            values += projected[1][rows]
        return values
