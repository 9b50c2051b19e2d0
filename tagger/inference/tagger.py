"""The tagger: the one prediction path from sentences to tagged sentences."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from tagger.corpus.schemes import Scheme
from tagger.corpus.sentence import Sentence
from tagger.corpus.tokenizers import Tokenizer, get_tokenizer, split_text
from tagger.errors import UserError
from tagger.features.batching import length_batches
from tagger.inference.decoder import Decoder, running_sentences
from tagger.inference.documents import Document
from tagger.inference.engine import Engine
from tagger.inference.folder import ModelFolder
from tagger.inference.numpy_engine import NumpyEngine

_BATCH_TOKENS = 4096
_WINDOW_TOKENS = 16 * _BATCH_TOKENS  # read ahead, so that batches hold sentences of like length
_WINDOW_SENTENCES = 8192


class Tagger:
    """A trained model ready to tag.

    Attributes:
        tokenizer: name of the tokenizer the model is meant for.
        language: ISO 639-1 code of its training data, or "".
        labels: the labels (entity types, or plain tags) it knows.
        plain: whether it gives plain tags (parts of speech) rather than spans.
    """

    def __init__(self, folder: ModelFolder, engine: Engine) -> None:
        self.tokenizer, self.language = folder.tokenizer, folder.language
        self.plain = folder.scheme is Scheme.PLAIN
        tags = folder.vocabularies.tags
        self.labels = sorted({tag if self.plain else tag[2:] for tag in tags} - {""})
        self._engine = engine
        self._decoder = Decoder.of(tags, folder.scheme, folder.tensors)
        self._split: Tokenizer | None = None

    def tag(self, text: str) -> Document:
        """Split running text into sentences and tokens and tag it.

        Returns:
            The document: `.entities` with character offsets into `text`, `.sentences` with tokens and tags.
        """
        if self._split is None:
            self._split = get_tokenizer(self.tokenizer)
        return Document(text, list(self.tag_sentences(split_text(text, self._split))), plain=self.plain)

    def tag_sentences(self, sentences: Iterable[Sentence]) -> Iterator[Sentence]:
        """The same sentences, in order, with predicted tags (IOB2 or plain).

        Lazy: reads ahead one window of some ten thousand tokens, whatever the input's length. The input's own tags
        are not looked at and its sentences not changed.
        """
        window: list[Sentence] = []
        tokens = 0
        for sentence in sentences:
            window.append(sentence)
            tokens += len(sentence)
            if tokens >= _WINDOW_TOKENS or len(window) >= _WINDOW_SENTENCES:
                yield from self._tag_window(window)
                window, tokens = [], 0
        yield from self._tag_window(window)

    def _tag_window(self, window: Sequence[Sentence]) -> Iterator[Sentence]:
        lengths = np.array([len(sentence) for sentence in window], dtype=np.int64)
        tags: list[list[str]] = [[] for _ in window]
        for numbers in length_batches(lengths, _BATCH_TOKENS):
            running = running_sentences(lengths[numbers])
            emissions = self._engine.emissions([window[number].tokens for number in numbers], running)
            for number, predicted in zip(numbers, self._decoder.decode(emissions, running), strict=True):
                tags[number] = predicted
        for sentence, predicted in zip(window, tags, strict=True):
            yield replace(sentence, tags=predicted)


def load(path: str | Path, *, engine: str = "numpy", device: str = "cpu") -> Tagger:
    """Load a model folder.

    Args:
        path: the folder, as training wrote it.
        engine: `numpy` (CPU; PyTorch is not needed) or `torch`.
        device: for `torch`, a PyTorch device such as `cpu` or `cuda`.

    Raises:
        UserError: the folder is missing, damaged or of a newer format, or the engine is unknown or not installed.
    """
    folder = ModelFolder.load(Path(path))
    if engine == "numpy":
        return Tagger(folder, NumpyEngine(folder))
    if engine == "torch":
        from tagger.inference.torch_engine import TorchEngine

        return Tagger(folder, TorchEngine(folder, device))
    raise UserError(f"engine {engine!r} is unknown; use numpy or torch")
