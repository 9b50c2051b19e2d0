"""The PyTorch engine: the same emissions as the NumPy engine, and one line where it cannot run."""

from __future__ import annotations

import sys
from importlib import import_module

import numpy as np
import pytest
from random_models import PARTS, emissions_by_sentence, random_folder, random_words

from tagger.corpus.schemes import Scheme
from tagger.errors import UserError
from tagger.inference.numpy_engine import NumpyEngine
from tagger.inference.torch_engine import TorchEngine


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
    monkeypatch.delitem(sys.modules, "tagger.inference.torch_engine")
    with pytest.raises(UserError, match=r"needs PyTorch; install the extra: pip install 'tagger\[train\]'"):
        import_module("tagger.inference.torch_engine")
