"""Run the model in ONNX Runtime, from the folder's `model.onnx`; write that file."""

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
from tagger.errors import UserError
from tagger.model_folder.contents import GRAPH
from tagger.model_folder.folder import ModelFolder, put_graph

try:
    import onnxruntime
except ImportError:
    raise UserError("the onnx engine needs ONNX Runtime; install the extra: pip install 'tagger[onnx]'") from None

_LENGTHS = (200, 40, 17, 9, 9, 5, 3, 2, 1, 1)  # of the sentences that graphs are checked with, in tokens
_ODD_WORDS = ("", "x", "🙂", "don't", "a" * 200, "北京", "3.14", "\u200b")
_TOLERANCE = 1e-3  # of the largest emission; another order of sums has been seen to change a hundredth of this
_FEATURES = ("words", "characters", "shapes", "affixes", "static")


class OnnxEngine:
    """Emissions from a graph that `graph_of` made, on the CPU. Threads may share an engine."""

    def __init__(self, folder: ModelFolder, graph: bytes, threads: int = 1) -> None:
        """Take a model, its graph, and the number of threads that run it."""
        self._batches = BatchEncoder(folder)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        options.log_severity_level = 3  # errors
        self._session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
        self._features = [put.name for put in self._session.get_inputs() if put.name in _FEATURES]

    @classmethod
    def open(cls, folder: ModelFolder, path: Path, threads: int = 1) -> OnnxEngine:
        """Open the file `model.onnx` that `tagger export_onnx` wrote.

        Its bytes must be those of the graph that `graph_of` makes of the weights. A graph of other weights, with
        external data or with foreign operators is refused.

        Args:
            folder: the model.
            path: of its folder.
            threads: that run it.

        Raises:
            UserError: `model.onnx` is missing or not the model's graph, or the model has a contextual encoder.
        """
        expected, file = onnx_export.graph_of(folder), path / GRAPH
        remedy = f"write it with: python -m tagger export_onnx --model {path}"
        if not file.is_file():
            raise UserError(f"{path}: no {GRAPH}; {remedy}")
        if file.read_bytes() != expected:
            raise UserError(f"{file}: not the graph that this version makes of the model's weights; {remedy}")
        return cls(folder, expected, threads)

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
    difference = _difference(NumpyEngine(folder), OnnxEngine(folder, graph), _sentences(folder))
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
