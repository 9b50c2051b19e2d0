"""Explain a model on a sentence: its tags, the gates of its layers, and what its decisions depend on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tagger.corpus.schemes import Scheme
from tagger.decoding.decoder import Decoder
from tagger.engines.base import Engine
from tagger.engines.numpy_embeddings import WordVectors
from tagger.engines.numpy_engine import NumpyEngine
from tagger.errors import UserError
from tagger.features.encoding import FeatureEncoder
from tagger.inspection import decisions
from tagger.inspection.decisions import Decision
from tagger.inspection.gates import Memory, Trace, direction_memory, trace
from tagger.model_folder.folder import ModelFolder
from tagger.model_folder.named import local_folder

FORMAT = 1  # of `Explanation.to_mapping`; raised when a key changes its meaning or goes away
MOST_TOKENS = 300
_DIGITS = 7

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Explanation:
    """An explanation of a sentence.

    Attributes:
        tokens, tags: the T words and the tags that the tagger outputs: IOB2, or plain.
        trace: gates and states of each layer.
        memories: memory of each layer, by direction; None for cells without a keep gate.
        path: the best path through the emissions, and the CRF's part in it.
        decisions: entities or plain tags, and each word's part in them.
        difference: largest absolute difference between the emissions in `trace` and those of the model's engine.
    """

    tokens: Sequence[str]
    tags: Sequence[str]
    plain: bool
    trace: Trace
    memories: Sequence[Mapping[str, Memory | None]]
    path: decisions.Path
    decisions: Sequence[Decision]
    difference: float

    def to_mapping(self, layers: Sequence[int], units: Sequence[int] | None = None) -> dict[str, Any]:
        """Return JSON content with these layers and units (None for all), from 0. Numbers have seven digits."""
        columns = slice(None) if units is None else list(units)
        given: list[dict[str, Any]] = []
        for number in layers:
            layer, memories = self.trace.layers[number], self.memories[number]
            given.append({"layer": number + 1, "cell": layer.cell})
            for direction, computed in layer.directions.items():
                values = {name: _rounded(values[:, columns]) for name, values in computed.items()}
                given[-1][direction] = {**values, "retention": _retention(memories[direction])}
        return {
            "format": FORMAT,
            "tokens": list(self.tokens),
            "tags": list(self.tags),
            "units": None if units is None else list(units),
            "layers": given,
            "emissions": _rounded(self.trace.emissions),
            "difference": self.difference,
            "path": {
                "score": self.path.score,
                "probability": self.path.probability,
                "crf": self.path.crf,
                "steps": [vars(step) for step in self.path.steps],
                "end": self.path.end,
                "without_transitions": list(self.path.legal),
            },
            "decisions": [
                {**one.span._asdict(), "chosen": one.chosen, "probability": one.probability}
                | {"without": _rounded(one.without)}
                for one in self.decisions
            ],
        }


class Explainer:
    """Explains sentences under one model."""

    def __init__(self, folder: ModelFolder, engine: Engine, vectors: Callable[[Sequence[str]], Floats]) -> None:
        """Build an explainer from the parts of a model. `vectors` maps T words to their embeddings, (T, E)."""
        self.folder = folder
        self._engine, self._vectors = engine, vectors
        self._decoder = Decoder.of(folder.vocabularies.tags, folder.scheme, folder.tensors, folder.temperature)

    @classmethod
    def load(cls, path: str | Path, encoder: str | None = None) -> Explainer:
        """Load a model folder, or `hub:ORG/NAME@REVISION`. Only models with a contextual encoder need PyTorch.

        `encoder` is the path of the model's contextual encoder, if it differs from that in training.

        Raises:
            UserError: the folder or the encoder is missing or damaged, or PyTorch is needed and not installed.
        """
        return cls.of(ModelFolder.load(local_folder(path)), encoder)

    @classmethod
    def of(cls, folder: ModelFolder, encoder: str | None = None) -> Explainer:
        """Build an explainer of a loaded model. Arguments and errors are those of `load`."""
        embeddings = folder.config.embeddings
        if embeddings.transformer is None and encoder is None:
            features = FeatureEncoder(embeddings, folder.vocabularies, folder.static)
            vectors = WordVectors(embeddings, folder.tensors)
            return cls(folder, NumpyEngine(folder), lambda words: vectors(features.encode_words(words)))
        from tagger.engines.torch_engine import TorchEngine

        engine = TorchEngine(folder, encoder=encoder)
        return cls(folder, engine, engine.token_vectors)

    def explain(self, tokens: Sequence[str]) -> Explanation:
        """Explain a sentence.

        Raises:
            UserError: the sentence has no token, or more than `MOST_TOKENS`.
        """
        if not tokens:
            raise UserError("there is no word to explain; give a sentence")
        if len(tokens) > MOST_TOKENS:
            raise UserError(f"a sentence of {len(tokens):,} tokens; give one of at most {MOST_TOKENS}, or a part of it")
        batch_sizes = np.ones(len(tokens), dtype=np.int64)
        emissions = self._engine.emissions([tokens], batch_sizes)
        traced = trace(self._vectors(tokens), self.folder.config.encoder, self.folder.tensors)
        return Explanation(
            tokens=tokens,
            tags=self._decoder.decode(emissions, batch_sizes)[0],
            plain=self.folder.scheme is Scheme.PLAIN,
            trace=traced,
            memories=[
                {way: direction_memory(gates, backward=way == "backward") for way, gates in layer.directions.items()}
                for layer in traced.layers
            ],
            path=decisions.best_path(emissions, self.folder, self._decoder),
            decisions=decisions.decisions(tokens, emissions, self._engine, self._decoder),
            difference=float(np.abs(traced.emissions - emissions).max()),
        )


def _rounded(values: NDArray[Any]) -> list[Any]:
    """Convert to nested lists, each number rounded to `_DIGITS` significant digits."""
    flat = [float(f"{value:.{_DIGITS}g}") for value in values.ravel().tolist()]
    return np.array(flat).reshape(values.shape).tolist()


def _retention(memory: Memory | None) -> dict[str, Any] | None:
    if memory is None:
        return None
    tables = {name: _rounded(table) for name, table in vars(memory).items()}
    return {**tables, "kept_by_distance": _rounded(memory.by_distance())}
