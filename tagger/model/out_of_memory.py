"""Recognise the several errors with which PyTorch reports too little memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

_MESSAGES = (
    "can't allocate memory",
    "out of memory",
    "ALLOC_FAILED",
)  # CPU; device; cuBLAS and cuDNN


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error means that memory is too short, on the CPU or on a device."""
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error) for words in _MESSAGES)


@contextmanager
def memory_errors() -> Iterator[None]:
    """Turn every such error into MemoryError, which Python itself raises."""
    try:
        yield
    except RuntimeError as error:
        if is_out_of_memory(error):
            raise MemoryError(str(error).splitlines()[0]) from error
        raise
