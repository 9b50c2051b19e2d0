"""The PyTorch engine: the same emissions as the NumPy engine, and one line where it cannot run."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import numpy as np
import pytest
import torch

from tagger import predict as tagger_module
from tagger.config import EncoderConfig
from tagger.corpus.schemes import Scheme
from tagger.corpus.sentence import Sentence
from tagger.engines.numpy_engine import NumpyEngine
from tagger.engines.torch_engine import TorchEngine
from tagger.errors import UserError
from tagger.model.batch import tokens_for
from tagger.model.network import TaggerModel
from tests.helpers.random_models import PARTS, emissions_by_sentence, random_folder, random_words


@pytest.mark.parametrize("scheme", [Scheme.IOB2, Scheme.BIOES, Scheme.PLAIN])
@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("left_out", [None, *PARTS])
def test_both_engines_give_the_same_emissions(scheme: Scheme, layers: int, left_out: str | None) -> None:
    parts = [part for part in PARTS if part != left_out]
    folder = random_folder(scheme=scheme, layers=layers, parts=parts, decoder="crf" if layers == 1 else "softmax")
    sentences = random_words([3, 11, 1, 6, 6])
    from_torch = emissions_by_sentence(TorchEngine(folder), sentences)
    from_numpy = emissions_by_sentence(NumpyEngine(folder), sentences)
    for one, other in zip(from_torch, from_numpy, strict=True):
        assert one.dtype == np.float32
        np.testing.assert_allclose(one, other, atol=1e-5, rtol=1e-5)


def test_emissions_do_not_change_from_call_to_call() -> None:
    engine, sentences = TorchEngine(random_folder()), random_words([5, 2])
    for one, other in zip(*(emissions_by_sentence(engine, sentences) for _ in range(2)), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("device", ["gpu", "", "cuda:99"])
def test_a_device_that_is_not_there_is_told_in_one_line(device: str) -> None:
    with pytest.raises(UserError, match=f"^device '{device}': .*use cpu"):
        TorchEngine(random_folder(), device)


def test_without_pytorch_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.delitem(sys.modules, "tagger.engines.torch_engine")
    with pytest.raises(UserError, match=r"needs PyTorch; install the extra: pip install 'gru-tagger\[train\]'"):
        import_module("tagger.engines.torch_engine")


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
@pytest.mark.parametrize("cell", ["gru", "lstm", "rnn", "gru_reset_before"])
def test_half_precision_is_close(precision: str, cell: Any) -> None:
    folder = random_folder(encoder=EncoderConfig(cell=cell, hidden_size=8))
    sentences = random_words([30, 3, 1])
    halves, floats = (
        np.concatenate(emissions_by_sentence(TorchEngine(folder, precision=name), sentences))
        for name in (precision, "fp32")
    )
    assert halves.dtype == np.float32
    assert 0 < np.abs(halves - floats).max() < 0.05 * np.abs(floats).max()


def test_an_unknown_precision_is_told() -> None:
    with pytest.raises(UserError, match=r"precision 'fp64' is unknown; use fp32, bf16, fp16"):
        TorchEngine(random_folder(), precision="fp64")


def test_batches_ahead_are_those_of_one_by_one() -> None:
    engine = TorchEngine(random_folder(layers=2))
    batches = [random_words([5, 2], seed) for seed in range(4)]
    expected = [engine.emissions(words, np.array([2, 2, 1, 1, 1])) for words in batches]
    for one, other in zip(engine.emissions_ahead(iter(batches)), expected, strict=True):
        np.testing.assert_array_equal(one, other)
    assert list(engine.emissions_ahead([])) == []


def test_a_batch_is_begun_before_the_one_before_is_given_out() -> None:
    begun = 0

    def batches() -> Iterator[list[list[str]]]:
        nonlocal begun
        for seed in range(3):
            begun += 1
            yield random_words([5, 2], seed)

    ahead = TorchEngine(random_folder()).emissions_ahead(batches())
    next(ahead)
    assert begun == 2


SHORT = [
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.\nSee documentation"),
    RuntimeError("CUDA error: out of memory"),
    RuntimeError("[enforce fail at alloc_cpu.cpp:117] DefaultCPUAllocator: can't allocate memory"),
    RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
]


def raising(error: Exception) -> Any:
    def raise_it(*_: Any, **__: Any) -> None:
        raise error

    return raise_it


@pytest.mark.parametrize("error", SHORT, ids=["device", "context", "cpu", "cublas"])
def test_memory_that_is_short_is_told_as_python_does(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = TorchEngine(random_folder())
    monkeypatch.setattr(TaggerModel, "forward", raising(error))
    with pytest.raises(MemoryError):
        engine.emissions(random_words([2]), np.array([1, 1]))
    with pytest.raises(MemoryError):
        list(engine.emissions_ahead([random_words([2])]))


@pytest.mark.parametrize("error", SHORT, ids=["device", "context", "cpu", "cublas"])
def test_a_device_without_room_for_the_model_is_not_called_missing(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(TaggerModel, "to", raising(error))
    with pytest.raises(MemoryError):
        TorchEngine(random_folder())


def test_other_errors_of_pytorch_stay_what_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = TorchEngine(random_folder())
    monkeypatch.setattr(TaggerModel, "forward", raising(RuntimeError("mat1 and mat2 shapes cannot be multiplied")))
    with pytest.raises(RuntimeError, match="shapes"):
        engine.emissions(random_words([2]), np.array([1, 1]))


def test_a_gpu_is_given_larger_batches_and_a_cpu_those_of_the_numpy_engine() -> None:
    engine = TorchEngine(random_folder())
    assert engine.batch_tokens == tokens_for(torch.device("cpu")) == tagger_module._BATCH_TOKENS
    assert tokens_for(torch.device("cuda:1")) > engine.batch_tokens


@pytest.mark.parametrize("tokens", [1, 5, 100])
def test_batches_are_as_large_as_the_engine_wants_them(tokens: int, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, words = random_folder(), random_words([2, 2, 3, 1])
    engine, sizes = TorchEngine(folder), []
    begun = TorchEngine._start

    def counted(self: TorchEngine, sentences: list[list[str]]) -> Any:
        sizes.append(len(sentences))
        return begun(self, sentences)

    monkeypatch.setattr(TorchEngine, "_start", counted)
    engine.batch_tokens = tokens
    list(tagger_module.Tagger(folder, engine).tag_sentences(map(Sentence, words)))
    assert sizes == {1: [1, 1, 1, 1], 5: [2, 2], 100: [4]}[tokens]
