"""The model run in PyTorch, on any device it has."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tagger.corpus.sentence import Sentence
from tagger.errors import UserError
from tagger.features.encoding import EncodedCorpus, FeatureEncoder
from tagger.inference.folder import ModelFolder

try:
    import torch
except ImportError:
    raise UserError("the torch engine needs PyTorch; install the extra: pip install 'tagger[train]'") from None

from tagger.model.batch import TensorBatch
from tagger.model.tagger import TaggerModel


class TorchEngine:
    """Emissions from the trained module itself."""

    def __init__(self, folder: ModelFolder, device: str = "cpu") -> None:
        """
        Args:
            folder: the model.
            device: a PyTorch device, such as `cpu` or `cuda:0`.

        Raises:
            UserError: there is no such device.
        """
        self._encoder = FeatureEncoder(folder.config.embeddings, folder.vocabularies, folder.static)
        self._scheme = folder.scheme
        model = TaggerModel(folder.config, folder.vocabularies, folder.scheme)
        model.load_state_dict({name: torch.from_numpy(tensor) for name, tensor in folder.tensors.items()})
        try:
            self._device = torch.device(device)
            self._model = model.eval().to(self._device)
        except (RuntimeError, AssertionError) as error:
            reason = str(error).splitlines()[0]
            raise UserError(f"device {device!r}: {reason}; use cpu, or a device that PyTorch has here") from error

    def emissions(self, sentences: Sequence[Sequence[str]], running: NDArray[np.int64]) -> NDArray[np.float32]:
        """Emissions of a batch; see `Engine`."""
        corpus = EncodedCorpus([Sentence(list(words)) for words in sentences], self._encoder, self._scheme)
        batch = TensorBatch.of(corpus.batch(range(len(corpus))), self._device)
        with torch.inference_mode():
            return self._model.packed_emissions(batch).float().cpu().numpy()
