"""A batch goes to a device in one copy, and is there what it was here."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from tagger.engines.batch_encoder import BatchEncoder
from tagger.features.context import FrozenContext
from tagger.features.encoding import Batch
from tagger.model import transfer
from tagger.model.batch import TensorBatch
from tagger.model.packed_gru import Order
from tagger.model.transfer import on_device
from tests.helpers.random_models import random_folder, random_words

CPU, GPU = torch.device("cpu"), torch.device("cuda")
ARRAYS: list[NDArray[Any]] = [
    np.arange(5),
    np.random.default_rng(0).standard_normal((3, 7)).astype(np.float32),
    np.zeros((4, 0), dtype=np.float32),
    np.array([True, False, True]),
    np.arange(12).reshape(3, 4)[:, :3],
    np.arange(3.0),
]


@pytest.fixture
def copies(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many arrays went with each copy to a GPU, for which the CPU stands in."""
    found: list[int] = []
    together = transfer._together

    def counted(arrays: list[NDArray[Any]], device: torch.device) -> list[torch.Tensor]:
        assert device.type == "cuda"
        found.append(len(arrays))
        return together(arrays, CPU)

    monkeypatch.setattr(transfer, "_together", counted)
    return found


def batch(width: int = 0) -> Batch:
    folder, sentences = random_folder(), random_words([5, 3, 3, 1])
    vectors = np.random.default_rng(1).standard_normal((12, width)).astype(np.float16)
    encoder = BatchEncoder(folder)
    made = encoder(sentences, FrozenContext(vectors) if width else None)
    return replace(made, tags=np.arange(made.rows.size).reshape(made.rows.shape))


def test_arrays_arrive_as_they_were(copies: list[int]) -> None:
    found = on_device(ARRAYS, GPU)
    assert copies == [len(ARRAYS)]
    for tensor, array in zip(found, ARRAYS, strict=True):
        assert tensor.shape == array.shape
        assert tensor.numpy().dtype == array.dtype
        np.testing.assert_array_equal(tensor.numpy(), array)
    assert on_device([], GPU) == []


def test_on_a_cpu_nothing_is_copied() -> None:
    for tensor, array in zip(on_device(ARRAYS, CPU), ARRAYS, strict=True):
        assert array.size == 0 or np.shares_memory(tensor.numpy(), array)


@pytest.mark.parametrize("width", [0, 3])
def test_a_batch_is_one_copy(width: int, copies: list[int]) -> None:
    made = batch(width)
    found, expected = TensorBatch.of(made, GPU), TensorBatch.of(made, CPU)
    assert len(copies) == 1
    for part in ("packing", "features"):
        for field in fields(getattr(expected, part)):
            one, other = (getattr(getattr(each, part), field.name) for each in (found, expected))
            assert one is other or torch.equal(one, other), field.name
    for name in ("rows", "tags", "context"):
        assert torch.equal(getattr(found, name), getattr(expected, name)), name


def test_an_order_is_one_copy(copies: list[int]) -> None:
    batch_sizes = torch.tensor([3, 2, 2])
    for one, other in zip(Order.of(batch_sizes, GPU), Order.of(batch_sizes, CPU), strict=True):
        assert one is other or np.array_equal(one, other)
    assert copies == [2]
