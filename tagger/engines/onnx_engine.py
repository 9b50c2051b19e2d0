"""Run the model in ONNX Runtime; write its graph as `model.onnx`, for other runtimes."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tagger.engines import onnx_export
from tagger.engines.base import Engine
from tagger.engines.batch_encoder import BatchEncoder
from tagger.engines.numpy_engine import NumpyEngine
from tagger.errors import UserError, install_command
from tagger.model_folder.folder import ModelFolder, put_graph

try:
    import onnxruntime
except ImportError:
    raise UserError(f"the onnx engine needs ONNX Runtime; install the extra: {install_command('onnx')}") from None

_LENGTHS = (200, 40, 17, 9, 9, 5, 3, 2, 1, 1)  # of the sentences that graphs are checked with, in tokens
_ODD_WORDS = ("", "x", "🙂", "don't", "a" * 200, "北京", "3.14", "\u200b")
_TOLERANCE = 1e-3  # of the largest emission; another order of sums has been seen to change a hundredth of this
_FEATURES = ("words", "characters", "shapes", "affixes", "static")


class OnnxEngine:
    """Emissions from the graph that `graph_of` makes of a model, on the CPU. Threads may share an engine.

    The folder's `model.onnx` is for other runtimes. It is not read, so that no graph of other weights can run.
    """

    def __init__(self, folder: ModelFolder, threads: int = 1) -> None:
        """Take a model, and the number of threads that run it.

        Raises:
            UserError: the model has a contextual encoder.
        """
        graph = onnx_export.graph_of(folder)
        self._batches = BatchEncoder(folder)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        options.log_severity_level = 3  # errors
        self._session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
        self._features = [put.name for put in self._session.get_inputs() if put.name in _FEATURES]

    def emissions(self, sentences: Sequence[Sequence[str]], batch_sizes: NDArray[np.int64]) -> NDArray[np.float32]:
        """Emissions of a batch; see `Engine`."""
        batch = self._batches(sentences)
        given = {name: getattr(batch.features, name) for name in self._features}
        given |= {"rows": batch.rows, "lengths": batch.lengths.astype(np.int32)}
        (emissions,) = self._session.run(["emissions"], given)  # (B, T, K)
        inside = np.arange(len(batch.lengths))[None, :] < batch_sizes[:, None]  # (T, B)
        return np.ascontiguousarray(emissions.transpose(1, 0, 2)[inside], dtype=np.float32)


def write_checked_graph(path: Path) -> tuple[int, float]:
    """Write `model.onnx` into a model folder, once it has proved to compute the same as the NumPy engine.

    Returns:
        The graph's size in bytes, and the largest difference of its emissions from the NumPy engine's, as a share of
        the largest emission.

    Raises:
        UserError: the folder cannot be read or written, the model has an encoder, or the graph computes something else.
    """
    folder = ModelFolder.load(path)
    graph = onnx_export.graph_of(folder)
    difference = _difference(NumpyEngine(folder), OnnxEngine(folder), _sentences(folder))
    if not difference <= _TOLERANCE:
        raise UserError(
            f"{path}: the graph differs from the model by {difference:.2g} of the largest emission, more than "
            f"{_TOLERANCE:g}; nothing was written; try other versions of onnx and onnxruntime"
        )
    put_graph(path, graph)
    return len(graph), difference


def _sentences(folder: ModelFolder) -> list[list[str]]:
    """Return sentences of known words, numbers and odd words, longest first."""
    words = [*map(str, range(1000)), *_ODD_WORDS, *folder.labels]
    words += list(folder.vocabularies.words.entries)[:2000]
    chooser = random.Random(0)
    return [chooser.choices(words, k=length) for length in _LENGTHS]


def _difference(one: Engine, other: Engine, sentences: Sequence[Sequence[str]]) -> float:
    """Return the largest difference of two engines' emissions, as a share of the largest emission."""
    batch_sizes = np.array([sum(length > step for length in _LENGTHS) for step in range(_LENGTHS[0])])  # (T,)
    expected, found = (engine.emissions(sentences, batch_sizes) for engine in (one, other))  # (N, K)
    return float(np.abs(found - expected).max() / np.abs(expected).max())
