"""Write a model's ONNX graph, once it has proved to compute the same as the NumPy engine."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tagger.engines import onnx_export
from tagger.engines.base import Engine
from tagger.engines.numpy_engine import NumpyEngine
from tagger.engines.onnx_engine import OnnxEngine
from tagger.errors import UserError
from tagger.model_folder.folder import ModelFolder, put_graph

_LENGTHS = (200, 40, 17, 9, 9, 5, 3, 2, 1, 1)  # of the sentences compared, in tokens, longest first
_ODD_WORDS = ("", "x", "🙂", "don't", "a" * 200, "北京", "3.14", "\u200b")
_TOLERANCE = 1e-3  # of the largest emission; another order of sums has been seen to change a hundredth of this


def write_checked_graph(path: Path) -> tuple[int, float]:
    """Write `model.onnx` into a model folder.

    Args:
        path: the folder.

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
