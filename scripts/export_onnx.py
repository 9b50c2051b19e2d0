"""Write a model's network as `model.onnx` into its folder: python scripts/export_onnx.py --model runs/latest/model

From then on `tag.py --engine onnx` runs it, and so can any other ONNX runtime: `tagger/engines/onnx_export.py` says
what goes in and out. Before it is kept, it is run with ONNX Runtime on sentences of all lengths and compared with the
NumPy engine. Needs the extra [onnx].
"""

from __future__ import annotations

import argparse
import random
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tagger.decoding.decoder import batch_sizes_of
from tagger.engines.base import Engine
from tagger.engines.numpy_engine import NumpyEngine
from tagger.errors import UserError
from tagger.model_folder.contents import GRAPH
from tagger.model_folder.folder import ModelFolder, put_graph
from tagger.printable import in_a_line

_LENGTHS = (200, 40, 17, 9, 9, 5, 3, 2, 1, 1)
_STRANGE = ("", "x", "🙂", "don't", "a" * 200, "北京", "3.14", "\u200b")
_FURTHEST = 1e-3  # of the largest emission; rounding in another order has been seen to give a hundredth of this


def export(path: Path) -> str:
    """Write the graph of the model in the folder `path`, and say so in a line.

    Raises:
        UserError: the folder cannot be read or written, the model has an encoder, or the graph gives something else.
    """
    from tagger.engines.onnx_engine import OnnxEngine  # here, so that a missing extra is told in a line
    from tagger.engines.onnx_export import graph_of

    folder = ModelFolder.load(path)
    graph = graph_of(folder)
    difference = _difference(NumpyEngine(folder), OnnxEngine(folder, graph), _sentences(folder))
    if not difference <= _FURTHEST:
        raise UserError(
            f"{path}: the graph differs from the model by {difference:.2g} of the largest emission, more than "
            f"{_FURTHEST:g}; nothing was written; try other versions of onnx and onnxruntime"
        )
    put_graph(path, graph)
    return (
        f"{path / GRAPH}: {len(graph):,} bytes; differs from the NumPy engine by {difference:.1g} of the largest value"
    )


def _sentences(folder: ModelFolder) -> list[list[str]]:
    """Sentences, longest first, of the model's own words and some strange ones."""
    words = [*map(str, range(1000)), *_STRANGE, *folder.labels]
    words += list(folder.vocabularies.words.entries)[:2000]
    chooser = random.Random(0)
    return [chooser.choices(words, k=length) for length in _LENGTHS]


def _difference(one: Engine, other: Engine, sentences: Sequence[Sequence[str]]) -> float:
    """By how much their emissions differ at most, over the largest there is."""
    batch_sizes = batch_sizes_of(np.array([len(words) for words in sentences]))
    expected, found = (engine.emissions(sentences, batch_sizes) for engine in (one, other))
    return float(np.abs(found - expected).max() / np.abs(expected).max())


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0], allow_abbrev=False)
    parser.add_argument("--model", required=True, type=Path, metavar="DIR", help="the model folder")
    try:
        print(in_a_line(export(parser.parse_args(arguments).model)))
    except UserError as error:
        print(f"export_onnx.py: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
