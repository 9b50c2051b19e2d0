"""The tagger: the one prediction path from sentences to tagged sentences."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path
from threading import Lock
from typing import NamedTuple
from weakref import WeakValueDictionary

import numpy as np
from numpy.typing import NDArray

from tagger.corpus.document import Document
from tagger.corpus.schemes import Scheme
from tagger.corpus.sentence import Sentence, Tagging
from tagger.corpus.tokenizers import Tokenizer, get_tokenizer, split_text
from tagger.decoding.decoder import Decoder, batch_sizes_of
from tagger.engines.base import AheadEngine, Engine
from tagger.engines.numpy_engine import NumpyEngine
from tagger.errors import UserError
from tagger.features.batching import length_batches
from tagger.model_folder.contents import CONFIG
from tagger.model_folder.folder import ModelFolder
from tagger.model_folder.from_hub import local_folder, on_hub

_BATCH_TOKENS = 4096
_WINDOW_TOKENS = 16 * _BATCH_TOKENS  # read ahead, so that batches hold sentences of like length
_WINDOW_SENTENCES = 8192
_PRECISIONS = {"numpy": ("fp32", "int16"), "torch": ("fp32", "bf16", "fp16"), "onnx": ("fp32",)}  # of each engine

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]


class Tagger:
    """A trained model ready to tag.

    Threads may share a tagger: the model is only read, and caches lock where words are looked up. A tagger that `load`
    opened can be pickled: the pickle holds its path and settings, and unpickling loads it again.

    Attributes:
        tokenizer: name of the tokenizer the model is meant for.
        language: ISO 639-1 code of its training data, or "".
        labels: the labels (entity types, or plain tags) it knows.
        plain: whether it gives plain tags (parts of speech) rather than spans.
        folder, engine: what it was made of.
    """

    def __init__(self, folder: ModelFolder, engine: Engine) -> None:
        self.tokenizer, self.language = folder.tokenizer, folder.language
        self.plain = folder.scheme is Scheme.PLAIN
        self.labels = folder.labels
        self.folder, self.engine = folder, engine
        self._ahead = engine if isinstance(engine, AheadEngine) else None
        self._decoder = Decoder.of(folder.vocabularies.tags, folder.scheme, folder.tensors, folder.temperature)
        self._split: Tokenizer | None = None
        self._opened: _Opened | None = None

    def __reduce__(self) -> tuple[Callable[[str, _Settings], Tagger], tuple[str, _Settings]]:
        if self._opened is None:
            raise UserError("only taggers that tagger.load opened can be pickled; save the model and load it")
        return _load, (self._opened.path, self._opened.settings)

    def tag(self, text: str, *, scores: bool = False, n_best: int = 0) -> Document:
        """Split running text into sentences and tokens and tag it.

        Args:
            text: any.
            scores, n_best: as `tag_sentences` takes them.

        Returns:
            The document: `.entities` with character offsets into `text`, `.sentences` with tokens and tags.
        """
        if self._split is None:
            self._split = get_tokenizer(self.tokenizer)
        tagged = self.tag_sentences(split_text(text, self._split), scores=scores, n_best=n_best)
        return Document(text, list(tagged), plain=self.plain)

    def tag_sentences(
        self, sentences: Iterable[Sentence], *, scores: bool = False, n_best: int = 0
    ) -> Iterator[Sentence]:
        """The same sentences, in order, with predicted tags (IOB2 or plain).

        Lazy: reads ahead one window of some ten thousand tokens, whatever the input's length. The input's own tags
        are not looked at and its sentences not changed.

        Args:
            sentences: any number.
            scores: also give the probability of each entity, or of each plain tag (`Sentence.scores`).
            n_best: also give so many of the best taggings of each sentence (`Sentence.alternatives`).
        """
        wanted = _Wanted(scores, n_best)
        window: list[Sentence] = []
        tokens = 0
        for sentence in sentences:
            window.append(sentence)
            tokens += len(sentence)
            if tokens >= _WINDOW_TOKENS or len(window) >= _WINDOW_SENTENCES:
                yield from self._tag_window(window, wanted)
                window, tokens = [], 0
        yield from self._tag_window(window, wanted)

    def _tag_window(self, window: Sequence[Sentence], wanted: _Wanted) -> Iterator[Sentence]:
        lengths = np.array([len(sentence) for sentence in window], dtype=np.int64)
        predicted: list[_Predicted | None] = [None] * len(window)
        batches = length_batches(lengths, _BATCH_TOKENS if self._ahead is None else self._ahead.batch_tokens)
        words = ([window[number].tokens for number in numbers] for numbers in batches)
        for numbers, emissions in zip(batches, self._emissions(words), strict=True):
            batch_sizes = batch_sizes_of(lengths[numbers])
            for number, one in zip(numbers, wanted.of(self._decoder, emissions, batch_sizes), strict=True):
                predicted[number] = one
        for given, found in zip(window, predicted, strict=True):
            tags, scores, more = found or wanted.of_nothing()
            yield Sentence(given.tokens, tags, given.text, given.offsets, given.document, given.place, scores, more)

    def _emissions(self, batches: Iterable[Sequence[Sequence[str]]]) -> Iterator[Floats]:
        if self._ahead is not None:
            return self._ahead.emissions_ahead(batches)
        return (self.engine.emissions(words, batch_sizes_of(np.array(list(map(len, words))))) for words in batches)


class _Predicted(NamedTuple):
    """What is predicted of a sentence; see `Sentence`."""

    tags: list[str]
    scores: list[float | None] | None
    alternatives: list[Tagging] | None


@dataclass(frozen=True)
class _Wanted:
    """What tagging is to give beside tags."""

    scores: bool
    n_best: int

    def __post_init__(self) -> None:
        if self.n_best < 0:
            raise UserError(f"n_best: must be at least 0, not {self.n_best}")

    def of(self, decoder: Decoder, emissions: Floats, batch_sizes: Ints) -> Iterator[_Predicted]:
        """For each sentence of a batch."""
        tags = decoder.decode(emissions, batch_sizes)
        scores = decoder.scores(emissions, batch_sizes, tags) if self.scores else repeat(None)
        alternatives = decoder.alternatives(emissions, batch_sizes, self.n_best) if self.n_best else repeat(None)
        return map(_Predicted, tags, scores, alternatives)

    def of_nothing(self) -> _Predicted:
        """For a sentence without tokens, which has one tagging."""
        return _Predicted([], [] if self.scores else None, [Tagging([], 1.0)] if self.n_best else None)


def load(
    path: str | Path,
    *,
    engine: str = "auto",
    device: str = "cpu",
    precision: str = "fp32",
    threads: int | None = None,
    encoder: str | None = None,
) -> Tagger:
    """Load a model folder.

    Taggers of one folder, opened with the same settings, share their weights and caches.

    Args:
        path: the folder, as training wrote it; or `hub:ORG/NAME@REVISION`, a model on the Hugging Face Hub.
        engine: `numpy` (CPU; PyTorch is not needed), `torch`, `onnx` (needs the folder's `model.onnx`, which
            `tagger export_onnx` writes), or `auto`: torch for models with a contextual encoder and for devices
            other than `cpu`, numpy for all others.
        device: for `torch`, a PyTorch device such as `cpu` or `cuda`.
        precision: what the engine computes in: `fp32`; for `numpy` also `int16`, fixed point, which needs the extra
            `fast` and layers of GRUs; for `torch` also `bf16` or `fp16`.
        threads: for `torch` and `onnx` on the CPU, how many; None: what PyTorch takes (for the whole process), and one
            for `onnx`. `numpy` has one.
        encoder: where the model's contextual encoder lies, if not where it lay in training.

    Raises:
        UserError: the folder is missing, damaged or of a newer format, the engine is unknown or not installed, or the
            encoder is missing or another one.
    """
    return _load(path, _Settings(engine, device, precision, threads, encoder))


class _Settings(NamedTuple):
    """How a model is run; see `load`."""

    engine: str
    device: str
    precision: str
    threads: int | None
    encoder: str | None

    def engine_of(self, folder: ModelFolder, place: Path) -> Engine:
        """Open the engine for a model that lies at `place`."""
        engine, device, precision, threads, encoder = self
        if engine == "auto":
            encodes = folder.config.embeddings.encoder or encoder is not None
            engine = "torch" if encodes or device != "cpu" or precision not in _PRECISIONS["numpy"] else "numpy"
        known = _PRECISIONS.get(engine)
        if known is None:
            raise UserError(f"engine {engine!r} is unknown; use auto, {', '.join(_PRECISIONS)}")
        if precision not in known:
            raise UserError(f"engine {engine} computes in {', '.join(known)}, not in {precision}; use one of these, or "
                "another engine")  # fmt: skip
        if engine != "torch" and device != "cpu":
            raise UserError(f"engine {engine} runs on cpu; leave device out, or use engine torch")
        if engine != "torch" and encoder is not None:
            raise UserError(f"engine {engine} runs no contextual encoder; leave encoder out, or use engine torch")
        if engine == "numpy":
            return NumpyEngine(folder, precision)
        if engine == "onnx":
            from tagger.engines.onnx_engine import OnnxEngine

            return OnnxEngine.open(folder, place, threads or 1)
        from tagger.engines.torch_engine import TorchEngine

        return TorchEngine(folder, device, encoder, precision, threads)


@dataclass(frozen=True)
class _Opened:
    """What taggers of one folder with the same settings share.

    Attributes:
        path: absolute, or the model's name on the Hub.
    """

    path: str
    settings: _Settings
    folder: ModelFolder
    engine: Engine


_opened: WeakValueDictionary[tuple[str, bytes, _Settings], _Opened] = WeakValueDictionary()
_opening = Lock()


def _load(path: str | Path, settings: _Settings) -> Tagger:
    place = local_folder(path)
    folder = ModelFolder.load(place)  # checked each time, also where one that is open takes its place below
    name = str(path) if on_hub(path) else str(place.resolve())
    key = name, (place / CONFIG).read_bytes(), settings  # config.json has the checksums of all other files
    with _opening:
        opened = _opened.get(key)
        if opened is None:
            opened = _opened[key] = _Opened(name, settings, folder, settings.engine_of(folder, place))
    tagger = Tagger(opened.folder, opened.engine)
    tagger._opened = opened
    return tagger
