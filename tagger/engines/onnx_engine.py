"""Run the model in ONNX Runtime, from the folder's `model.onnx`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tagger.engines.batch_encoder import BatchEncoder
from tagger.engines.onnx_export import graph_of
from tagger.errors import UserError
from tagger.features.encoding import FeatureEncoder
from tagger.model_folder.contents import GRAPH
from tagger.model_folder.folder import ModelFolder

try:
    import onnxruntime
except ImportError:
    raise UserError("the onnx engine needs ONNX Runtime; install the extra: pip install 'tagger[onnx]'") from None

_FEATURES = ("words", "characters", "shapes", "affixes", "static")


class OnnxEngine:
    """Emissions from a graph that `graph_of` made, on the CPU. Threads may share an engine."""

    def __init__(self, folder: ModelFolder, graph: bytes, threads: int = 1) -> None:
        """Take a model, its graph, and the number of threads that run it."""
        self._batches = BatchEncoder(FeatureEncoder(folder.config.embeddings, folder.vocabularies, folder.static))
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
        expected, file = graph_of(folder), path / GRAPH
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
