"""Copy arrays to a device without waiting for it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

_ALIGNED = 64  # bytes: each array begins at a multiple of this, as kernels may require


def on_device(arrays: Sequence[NDArray[Any]], device: torch.device) -> list[Tensor]:
    """Turn arrays into tensors on a device. A CPU shares their memory; a GPU gets all of them in one copy."""
    if device.type == "cuda":
        return _together(arrays, device)
    return [torch.from_numpy(array).to(device) for array in arrays]


def _together(arrays: Sequence[NDArray[Any]], device: torch.device) -> list[Tensor]:
    """Copy all arrays in one buffer. For a GPU its memory is pinned, and PyTorch keeps it until the copy is done."""
    starts, size = [], 0
    for array in arrays:
        starts.append(size)
        size += -(-array.nbytes // _ALIGNED) * _ALIGNED
    pinned = device.type == "cuda"
    here = torch.empty(size, dtype=torch.uint8, pin_memory=pinned)
    for array, start in zip(arrays, starts, strict=True):
        room = here.numpy()[start : start + array.nbytes]
        room.view(array.dtype).reshape(array.shape)[...] = array
    there = here.to(device, non_blocking=pinned)
    return [
        there[start : start + array.nbytes].view(torch.from_numpy(array).dtype).view(array.shape)
        for array, start in zip(arrays, starts, strict=True)
    ]
