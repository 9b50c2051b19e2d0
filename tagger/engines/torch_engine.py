"""Run the model in PyTorch, on any device that it supports."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from tagger.engines.batch_encoder import BatchEncoder
from tagger.errors import UserError, install_command
from tagger.features.context import FrozenContext
from tagger.model_folder.folder import ModelFolder

try:
    import torch
except ImportError:
    raise UserError(f"the torch engine needs PyTorch; install the extra: {install_command('train')}") from None

from tagger.model.batch import TensorBatch, tokens_for
from tagger.model.contextual import PretrainedEncoder, open_encoder
from tagger.model.network import TaggerModel
from tagger.model.out_of_memory import is_out_of_memory, memory_errors

PRECISIONS = {"fp32": None, "bf16": torch.bfloat16, "fp16": torch.float16}


class TorchEngine:
    """Emissions from the module that was trained. Threads may share an engine.

    Attributes:
        batch_tokens: see `AheadEngine`.
    """

    def __init__(
        self,
        folder: ModelFolder,
        device: str = "cpu",
        encoder: str | None = None,
        precision: str = "fp32",
        threads: int | None = None,
    ) -> None:
        """
        Args:
            folder: the model.
            device: a PyTorch device, such as `cpu` or `cuda:0`.
            encoder: the path of the model's contextual encoder, if it has moved since training.
            precision: of products, one of `PRECISIONS`. Weights, recurrence and contextual vectors stay in fp32. In
                fp32 a GPU computes without TF32.
            threads: PyTorch's number of CPU threads in this process; None leaves it as it is.

        Raises:
            UserError: there is no such device or precision, or the model's encoder is missing or not the model's.
            MemoryError: the device has too little memory for the model.
        """
        if precision not in PRECISIONS:
            raise UserError(f"precision {precision!r} is unknown; use {', '.join(PRECISIONS)}")
        if threads is not None:
            torch.set_num_threads(threads)
        self._kind = PRECISIONS[precision]
        self._batches = BatchEncoder(folder)
        self._encoder = _open_encoder(folder, encoder)
        model = TaggerModel(folder.config, folder.vocabularies, folder.scheme)
        model.load_state_dict({name: torch.from_numpy(tensor) for name, tensor in folder.tensors.items()})
        try:
            self._device = torch.device(device)
            self._model = model.eval().to(self._device)
            if self._encoder is not None:
                self._encoder.to(self._device)
        except (RuntimeError, AssertionError) as error:
            if is_out_of_memory(error):
                raise MemoryError from error
            reason = str(error).splitlines()[0]
            raise UserError(f"device {device!r}: {reason}; use cpu, or a device that PyTorch has here") from error
        self.batch_tokens = tokens_for(self._device)

    def emissions(self, sentences: Sequence[Sequence[str]], batch_sizes: NDArray[np.int64]) -> NDArray[np.float32]:
        """Emissions of a batch; see `Engine`.

        Raises:
            MemoryError: the CPU or the device has too little memory.
        """
        return self._start(sentences)()

    def emissions_ahead(self, batches: Iterable[Sequence[Sequence[str]]]) -> Iterator[NDArray[np.float32]]:
        """Emissions of batches, each started before those of the one before are yielded; see `AheadEngine`."""
        before: Callable[[], NDArray[np.float32]] | None = None
        for sentences in batches:
            now = self._start(sentences)
            if before is not None:
                yield before()
            before = now
        if before is not None:
            yield before()

    @memory_errors()
    @torch.inference_mode()
    def _start(self, sentences: Sequence[Sequence[str]]) -> Callable[[], NDArray[np.float32]]:
        """Start a batch. Call the result to wait for the emissions; until then the CPU is free while a GPU computes."""
        batch = self._batch(sentences)
        with nullcontext() if self._kind is None else torch.autocast(self._device.type, dtype=self._kind):
            emissions = self._model(batch).float()  # (N, K)
        if self._device.type != "cuda":
            return emissions.cpu().numpy
        copied = torch.empty(emissions.shape, dtype=emissions.dtype, pin_memory=True)
        copied.copy_(emissions, non_blocking=True)
        done = torch.cuda.Event()
        done.record(torch.cuda.current_stream(self._device))

        @memory_errors()
        def wait() -> NDArray[np.float32]:
            done.synchronize()
            return copied.numpy()

        return wait

    def token_vectors(self, words: Sequence[str]) -> NDArray[np.float32]:
        """Compute the embeddings of a sentence's T words, (T, E)."""
        with torch.inference_mode():
            return self._model.embeddings(self._batch([words])).float().cpu().numpy()

    def _batch(self, sentences: Sequence[Sequence[str]]) -> TensorBatch:
        context = None if self._encoder is None else FrozenContext(_contextual(self._encoder, sentences))
        return TensorBatch.of(self._batches(sentences, context), self._device)


def _open_encoder(folder: ModelFolder, path: str | None) -> PretrainedEncoder | None:
    settings = folder.config.embeddings.transformer
    if settings is None:
        if path is not None:
            raise UserError(f"encoder {path}: the model has none; leave it out")
        return None
    chosen = path or folder.encoder
    revision = None if chosen else settings.revision
    try:
        return open_encoder(replace(settings, path=str(chosen or settings.path), revision=revision))
    except UserError as error:
        advice = "" if folder.encoder else f" (the model needs the encoder {settings.path}; give its path by --encoder)"
        raise UserError(f"{error}{advice}") from error


def _contextual(encoder: PretrainedEncoder, sentences: Sequence[Sequence[str]]) -> NDArray[np.floating]:
    """Compute the contextual vectors of all words, in the precision that training used."""
    kind = np.float32 if encoder.settings.trainable else np.float16
    vectors = np.empty((sum(map(len, sentences)), encoder.settings.width or 0), dtype=kind)
    encoder.encode(sentences, vectors)
    return vectors
