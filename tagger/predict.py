"""The tagger: the one prediction path from sentences to tagged sentences."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice, repeat
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple, TypeVar
from weakref import WeakValueDictionary

import numpy as np
from numpy.typing import NDArray

from tagger.corpus.document import Document
from tagger.corpus.schemes import Scheme
from tagger.corpus.sentence import Sentence, Tagging
from tagger.corpus.tokenizers import Tokenizer, get_tokenizer, split_text
from tagger.decoding.decoder import Decoder, batch_sizes_of
from tagger.decoding.distribution import distributions
from tagger.engines.base import AheadEngine, Engine
from tagger.engines.numpy_engine import NumpyEngine
from tagger.errors import UserError
from tagger.features.batching import length_batches
from tagger.features.soft_targets import TagDistribution
from tagger.model_folder.folder import ModelFolder, read_description
from tagger.model_folder.named import DEFAULT, local_folder, on_hub, ready_models
from tagger.shared_state import survive_forks

_BATCH_TOKENS = 4096
_WINDOW_TOKENS = 16 * _BATCH_TOKENS  # read ahead, so that batches hold sentences of similar length
_WINDOW_SENTENCES = 8192
_MISSING_TYPES = ("NAType", "NaTType")  # of pandas
_PRECISIONS = {"numpy": ("fp32", "int16"), "torch": ("fp32", "bf16", "fp16"), "onnx": ("fp32",)}  # by engine

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]
T = TypeVar("T")


class Tagger:
    """A trained model, ready to tag.

    >>> import tagger
    >>> model = tagger.load("en-ner")
    >>> model
    Tagger('en-ner', labels=['LOC', 'MISC', 'ORG', 'PER'], engine='numpy')
    >>> [(one.text, one.label) for one in model.tag("Ada Lovelace lived in London.").entities]
    [('Ada Lovelace', 'PER'), ('London', 'LOC')]

    Threads may share a tagger. A tagger from `load` can be pickled: the pickle holds path and settings, and unpickling
    loads the model again, or refuses if it has changed. A forked process may use a tagger with the engine `numpy`. With
    `torch` and `onnx`, whose own threads a fork does not copy, start processes by `spawn`.

    Attributes:
        tokenizer: name of the tokenizer that splits text for the model.
        language: ISO 639-1 code of the training data, or "".
        labels: the labels (entity types, or plain tags) that the model knows.
        plain: True if it predicts plain tags (parts of speech) rather than spans.
        folder, engine: the model and what runs it.
    """

    def __init__(self, folder: ModelFolder, engine: Engine, decoder: Decoder | None = None) -> None:
        """Take a model, the engine that runs it, and its decoder, which is made here by default."""
        self.tokenizer, self.language = folder.tokenizer, folder.language
        self.plain = folder.scheme is Scheme.PLAIN
        self.labels = folder.labels
        self.folder, self.engine = folder, engine
        self._ahead = engine if isinstance(engine, AheadEngine) else None
        self._decoder = decoder or _decoder_of(folder)
        self._split: Tokenizer | None = None
        self._opened: _Opened | None = None

    def __reduce__(self) -> tuple[Callable[[str, _Settings, str], Tagger], tuple[str, _Settings, str]]:
        if self._opened is None:
            raise UserError("only taggers that tagger.load opened can be pickled; save the model and load it")
        return _load, (self._opened.path, self._opened.settings, self._opened.digest)

    def __repr__(self) -> str:
        name = f"{_name_of(self._opened)!r}, " if self._opened else ""
        engine = type(self.engine).__name__.removesuffix("Engine").lower()
        return f"Tagger({name}labels={sorted(self.labels)}, engine={engine!r})"

    def tag(self, text: str, *, scores: bool = False, n_best: int = 0) -> Document:
        """Split running text into sentences and tokens and tag it.

        Args:
            text: any text.
            scores, n_best: as in `tag_sentences`.

        Returns:
            The document: `.entities` with character offsets into `text`, `.sentences` with tokens and tags.
        """
        if not isinstance(text, str):
            raise UserError(f"tag: expected a text, got {_kind(text)}; for many texts use pipe")
        tagged = self.tag_sentences(split_text(text, self._splitter()), scores=scores, n_best=n_best)
        return Document(text, list(tagged), plain=self.plain)

    def pipe(self, texts: Iterable[str | None], *, scores: bool = False, n_best: int = 0) -> Iterator[Document]:
        """Yield the tagged document of each text, in order, with constant memory. Faster than `tag` on each.

        Missing values in a column of a table (None, NaN, pandas.NA) give a document without text, so that there are as
        many documents as texts. Reads ahead at most 65,536 tokens or 8,192 texts.

        >>> import tagger
        >>> model = tagger.load("en-ner")
        >>> [[one.text for one in doc.entities] for doc in model.pipe(["Ada lived in London.", None])]
        [['Ada', 'London'], []]

        Args:
            texts: any iterable of texts, such as a generator, an open file or a column of a table.
            scores, n_best: as in `tag_sentences`.

        Raises:
            UserError: `texts` is a single text or not iterable; or one of them is neither a text nor missing.
        """
        if isinstance(texts, str | bytes) or not isinstance(texts, Iterable):
            raise UserError(f"pipe: expected many texts, got {_kind(texts)}; for one text use tag")
        _check_n_best(n_best)
        return self._piped(texts, scores, n_best)

    def _piped(self, texts: Iterable[object], scores: bool, n_best: int) -> Iterator[Document]:
        for window in _windows(texts, self._splitter()):
            tagged = self._tag_window([one for _, sentences in window for one in sentences], scores, n_best)
            for text, sentences in window:
                yield Document(text, list(islice(tagged, len(sentences))), plain=self.plain)

    def tag_sentences(
        self, sentences: Iterable[Sentence], *, scores: bool = False, n_best: int = 0
    ) -> Iterator[Sentence]:
        """Yield the same sentences, in order, with predicted tags (IOB2 or plain).

        Reads ahead at most 65,536 tokens or 8,192 sentences. The input's own tags are ignored and its sentences are not
        changed.

        Args:
            sentences: any number of sentences.
            scores: add the probability of each entity, or of each plain tag (`Sentence.scores`).
            n_best: add this many of the most probable taggings of each sentence (`Sentence.alternatives`).
        """
        _check_n_best(n_best)
        window: list[Sentence] = []
        tokens = 0
        for sentence in sentences:
            if not isinstance(sentence, Sentence):
                raise UserError(f"tag_sentences: expected sentences (tagger.Sentence), got {_kind(sentence)}; for "
                    "texts use pipe")  # fmt: skip
            window.append(sentence)
            tokens += len(sentence)
            if tokens >= _WINDOW_TOKENS or len(window) >= _WINDOW_SENTENCES:
                yield from self._tag_window(window, scores, n_best)
                window, tokens = [], 0
        yield from self._tag_window(window, scores, n_best)

    def distributions(
        self, sentences: Sequence[Sentence], *, temperature: float | None = None, best_path_alone: bool = False
    ) -> list[TagDistribution]:
        """Compute the distribution over the taggings of each sentence, in order; sentences have at least one token.

        Args:
            sentences: held in memory, as are the results.
            temperature: divides all scores; None for the model's own, fitted to its dev split.
            best_path_alone: give all probability to the best path.
        """
        decoder = self._decoder if temperature is None else self._decoder.at(temperature)
        found = self._by_batch(sentences, partial(distributions, decoder, best_path_alone=best_path_alone))
        return [found[number] for number in range(len(sentences))]

    def sentence_vectors(self, sentences: Sequence[Sentence]) -> Floats:
        """Compute (B, W) the mean of the states of each sentence's tokens; sentences have at least one token.

        Raises:
            UserError: the engine is not `numpy`.
        """
        engine = self.engine
        if not isinstance(engine, NumpyEngine):
            raise UserError("states of the network are for the engine numpy; load the model with it")
        vectors: list[Floats] = [np.zeros(0, dtype=np.float32)] * len(sentences)
        lengths = np.array([len(sentence) for sentence in sentences], dtype=np.int64)
        for numbers in length_batches(lengths, _BATCH_TOKENS):
            batch_sizes = batch_sizes_of(lengths[numbers])
            states = engine.states([sentences[number].tokens for number in numbers], batch_sizes)
            of_sentence = np.concatenate([np.arange(size) for size in batch_sizes])
            sums = np.zeros((len(numbers), states.shape[1]), dtype=np.float32)
            np.add.at(sums, of_sentence, states)
            for number, row in zip(numbers, sums / lengths[numbers][:, None], strict=True):
                vectors[number] = row
        return np.stack(vectors)

    def _tag_window(self, window: Sequence[Sentence], scores: bool, n_best: int) -> Iterator[Sentence]:
        decoder = self._decoder

        def decoded(emissions: Floats, batch_sizes: Ints) -> Iterable[tuple[Any, ...]]:
            tags = decoder.decode(emissions, batch_sizes)
            probabilities = decoder.scores(emissions, batch_sizes, tags) if scores else repeat(None)
            alternatives = decoder.alternatives(emissions, batch_sizes, n_best) if n_best else repeat(None)
            return zip(tags, probabilities, alternatives, strict=False)

        predicted = self._by_batch(window, decoded)
        for number, given in enumerate(window):
            if (found := predicted.get(number)) is None:  # a sentence without tokens has one tagging
                found = [], [] if scores else None, [Tagging([], 1.0)] if n_best else None
            tags, sure, more = found
            yield Sentence(given.tokens, tags, given.text, given.offsets, given.document, given.place, sure, more)

    def _splitter(self) -> Tokenizer:
        if self._split is None:
            self._split = get_tokenizer(self.tokenizer)
        return self._split

    def _by_batch(self, window: Sequence[Sentence], of: Callable[[Floats, Ints], Iterable[T]]) -> dict[int, T]:
        """Run the network on sentences of similar length together; return what `of` makes of each, by its number."""
        lengths = np.array([len(sentence) for sentence in window], dtype=np.int64)
        found: dict[int, T] = {}
        batches = length_batches(lengths, _BATCH_TOKENS if self._ahead is None else self._ahead.batch_tokens)
        words = ([window[number].tokens for number in numbers] for numbers in batches)
        for numbers, emissions in zip(batches, self._emissions(words), strict=True):
            found.update(zip(numbers.tolist(), of(emissions, batch_sizes_of(lengths[numbers])), strict=True))
        return found

    def _emissions(self, batches: Iterable[Sequence[Sequence[str]]]) -> Iterator[Floats]:
        if self._ahead is not None:
            return self._ahead.emissions_ahead(batches)
        return (self.engine.emissions(words, batch_sizes_of(np.array(list(map(len, words))))) for words in batches)


def _windows(texts: Iterable[object], split: Tokenizer) -> Iterator[list[tuple[str, list[Sentence]]]]:
    """Split texts, and yield as many of them at a time as are tagged together."""
    window: list[tuple[str, list[Sentence]]] = []
    tokens = 0
    for number, given in enumerate(texts):
        text = "" if _is_missing(given) else given
        if not isinstance(text, str):
            raise UserError(f"pipe: text {number + 1} is {_kind(given)}; give texts, or None where there is none")
        sentences = split_text(text, split)
        window.append((text, sentences))
        tokens += sum(map(len, sentences))
        if tokens >= _WINDOW_TOKENS or len(window) >= _WINDOW_SENTENCES:
            yield window
            window, tokens = [], 0
    yield window


def _is_missing(value: object) -> bool:
    """Return whether a value says that there is none: None, NaN, or pandas' NA and NaT."""
    return value is None or (isinstance(value, float) and value != value) or type(value).__name__ in _MISSING_TYPES


def _kind(value: object) -> str:
    """Name the type of a value in a message."""
    if isinstance(value, str):
        return "a single text"
    name = type(value).__name__
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name}"


def _check_n_best(n_best: object) -> None:
    if isinstance(n_best, bool) or not isinstance(n_best, int):
        raise UserError(f"n_best: expected a whole number, got {_kind(n_best)}")
    if n_best < 0:
        raise UserError(f"n_best: must be at least 0, not {n_best}")


def load(
    path: str | Path = DEFAULT,
    *,
    engine: str = "auto",
    device: str = "cpu",
    precision: str = "fp32",
    threads: int | None = None,
    encoder: str | None = None,
) -> Tagger:
    """Load a model folder.

    Taggers of one model, loaded with the same settings, share its weights and caches.

    >>> import tagger
    >>> tagger.load("en-pos").tag("The cat sleeps.").sentences[0].tags
    ['DET', 'NOUN', 'VERB', 'PUNCT']

    Args:
        path: the folder that training wrote; the name of a model that comes with this package (`en-ner`, `en-pos`); or
            `hub:ORG/NAME@REVISION`, a model on the Hugging Face Hub.
        engine: `numpy` (CPU, without PyTorch), `torch`, `onnx` (ONNX Runtime), or `auto`. Auto chooses torch for models
            with a contextual encoder and for devices other than `cpu`, and numpy for all others.
        device: for `torch`, a PyTorch device such as `cpu` or `cuda`.
        precision: `fp32`; for `numpy` also `int16`, fixed point, which needs the extra `fast` and layers of GRUs; for
            `torch` also `bf16` or `fp16`.
        threads: number of CPU threads for `torch` (set for the whole process) and `onnx`. None leaves PyTorch's number
            as it is, and is one for `onnx`. `numpy` always uses one.
        encoder: the path of the model's contextual encoder, if it has moved since training.

    Raises:
        UserError: the folder is missing, damaged or of a newer format, the engine is unknown or not installed, or the
            encoder is missing or not the model's.
    """
    if not isinstance(path, str | Path):
        raise UserError(f"load: expected the path or the name of a model, got {_kind(path)}")
    return _load(path, _Settings(engine, device, precision, threads, encoder))


class _Settings(NamedTuple):
    """The arguments of `load` except the path."""

    engine: str
    device: str
    precision: str
    threads: int | None
    encoder: str | None

    def open_engine(self, folder: ModelFolder) -> Engine:
        """Open the engine for a model."""
        engine, device, precision, threads, encoder = self
        if engine == "auto":
            encodes = folder.config.embeddings.transformer or encoder is not None
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

            return OnnxEngine(folder, threads or 1)
        from tagger.engines.torch_engine import TorchEngine

        return TorchEngine(folder, device, encoder, precision, threads)


@dataclass(frozen=True)
class _Opened:
    """An open model, shared by all taggers of it with the same settings."""

    path: str  # absolute, or the model's name on the Hub
    digest: str  # of the model's `config.json`, which holds the checksums of all other files
    settings: _Settings
    folder: ModelFolder
    engine: Engine
    decoder: Decoder


def _name_of(opened: _Opened) -> str:
    """Return the name of a model that comes along, or the path of another."""
    path = Path(opened.path)
    return path.name if ready_models().get(path.name) == path else opened.path


def _decoder_of(folder: ModelFolder) -> Decoder:
    return Decoder.of(folder.vocabularies.tags, folder.scheme, folder.tensors, folder.temperature)


class _OpenModels:
    """The models that taggers of this process use. Each is read once, and dropped with its last tagger."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._opened: WeakValueDictionary[tuple[str, str, _Settings], _Opened] = WeakValueDictionary()
        survive_forks(self)

    def after_fork(self) -> None:
        """Use a new lock in a forked child: another thread may have been opening a model."""
        self._lock = Lock()

    def open(self, path: str | Path, settings: _Settings, digest: str | None = None) -> _Opened:
        """Return the model at `path`: the one in use, if its `config.json` is the same, or read it."""
        place = local_folder(path)
        description = read_description(place)
        found = _digest(description)
        name = str(path) if on_hub(path) else str(place.resolve())
        if digest not in (None, found):
            raise UserError(f"{name}: not the model that was pickled; load it again and pickle that")
        with self._lock:
            opened = self._opened.get((name, found, settings))
            if opened is None:
                folder = ModelFolder.load_described(place, description)
                engine = settings.open_engine(folder)
                opened = _Opened(name, found, settings, folder, engine, _decoder_of(folder))
                self._opened[name, found, settings] = opened
        return opened


_models = _OpenModels()


def digest_of(path: str | Path) -> str:
    """Return a SHA-256 that identifies a model by the checksums of its files, without loading it.

    Raises:
        UserError: it is missing or damaged.
    """
    return _digest(read_description(local_folder(path)))


def _digest(description: object) -> str:
    return hashlib.sha256(json.dumps(description, sort_keys=True).encode()).hexdigest()


def _load(path: str | Path, settings: _Settings, digest: str | None = None) -> Tagger:
    opened = _models.open(path, settings, digest)
    tagger = Tagger(opened.folder, opened.engine, opened.decoder)
    tagger._opened = opened
    return tagger
