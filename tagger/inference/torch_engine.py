"""The model run in PyTorch, on any device it has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from tagger.corpus.sentence import Sentence
from tagger.errors import UserError
from tagger.features.context import FrozenContext
from tagger.features.encoding import EncodedCorpus, FeatureEncoder
from tagger.inference.folder import ModelFolder

try:
    import torch
except ImportError:
    raise UserError("the torch engine needs PyTorch; install the extra: pip install 'tagger[train]'") from None

from tagger.model.batch import TensorBatch
from tagger.model.contextual import PretrainedEncoder, open_encoder
from tagger.model.tagger import TaggerModel


class TorchEngine:
    """Emissions from the trained module itself."""

    def __init__(self, folder: ModelFolder, device: str = "cpu", encoder: str | None = None) -> None:
        """
        Args:
            folder: the model.
            device: a PyTorch device, such as `cpu` or `cuda:0`.
            encoder: where the encoder lies that the model was trained with, if not where it lay then.

        Raises:
            UserError: there is no such device, or the model's encoder is not there or another one.
        """
        self._features = FeatureEncoder(folder.config.embeddings, folder.vocabularies, folder.static)
        self._encoder = _open_encoder(folder, encoder)
        self._scheme = folder.scheme
        model = TaggerModel(folder.config, folder.vocabularies, folder.scheme)
        model.load_state_dict({name: torch.from_numpy(tensor) for name, tensor in folder.tensors.items()})
        try:
            self._device = torch.device(device)
            self._model = model.eval().to(self._device)
            if self._encoder is not None:
                self._encoder.to(self._device)
        except (RuntimeError, AssertionError) as error:
            reason = str(error).splitlines()[0]
            raise UserError(f"device {device!r}: {reason}; use cpu, or a device that PyTorch has here") from error

    def emissions(self, sentences: Sequence[Sequence[str]], running: NDArray[np.int64]) -> NDArray[np.float32]:
        """Emissions of a batch; see `Engine`."""
        batch = self._batch(sentences)
        with torch.inference_mode():
            return self._model(batch).float().cpu().numpy()

    def token_vectors(self, words: Sequence[str]) -> NDArray[np.float32]:
        """What the embeddings give for a sentence's T words, (T, E)."""
        batch = self._batch([words])
        with torch.inference_mode():
            return self._model.embeddings(batch).float().cpu().numpy()

    def _batch(self, sentences: Sequence[Sequence[str]]) -> TensorBatch:
        context = None if self._encoder is None else FrozenContext(_contextual(self._encoder, sentences))
        corpus = EncodedCorpus([Sentence(list(words)) for words in sentences], self._features, self._scheme, context)
        return TensorBatch.of(corpus.batch(range(len(corpus))), self._device)


def _open_encoder(folder: ModelFolder, path: str | None) -> PretrainedEncoder | None:
    settings = folder.config.embeddings.encoder
    if settings is None:
        if path is not None:
            raise UserError(f"encoder {path}: the model has none; leave it out")
        return None
    chosen = path or folder.encoder
    revision = None if chosen else settings.revision
    try:
        return open_encoder(replace(settings, path=str(chosen or settings.path), revision=revision))
    except UserError as error:
        advice = (
            "" if folder.encoder else f" (the model needs the encoder {settings.path}; --encoder says where it lies)"
        )
        raise UserError(f"{error}{advice}") from error


def _contextual(encoder: PretrainedEncoder, sentences: Sequence[Sequence[str]]) -> NDArray[np.floating]:
    """The vectors of all words, to the precision in which training kept them."""
    kind = np.float32 if encoder.settings.tune else np.float16
    vectors = np.empty((sum(map(len, sentences)), encoder.settings.width or 0), dtype=kind)
    encoder.encode(sentences, vectors)
    return vectors
