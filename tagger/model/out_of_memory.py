"""Errors that say that memory is short, of which PyTorch has several."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

_TOLD = ("can't allocate memory", "out of memory", "ALLOC_FAILED")  # here; by the device; by cuBLAS and cuDNN


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error means that memory is short, here or on a device."""
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error) for words in _TOLD)


@contextmanager
def memory_errors() -> Iterator[None]:
    """Have whatever says that memory is short raise MemoryError, as Python itself does."""
    try:
        yield
    except RuntimeError as error:
        if is_out_of_memory(error):
            raise MemoryError(str(error).splitlines()[0]) from error
        raise
