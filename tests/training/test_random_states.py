"""Random numbers go on where their states were taken, by way of a checkpoint's file."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import torch

from tagger.training.random_states import random_states, restore_random_states

CPU = torch.device("cpu")


def draw() -> list[float]:
    return [
        random.random(),
        random.gauss(),
        float(np.random.random()),
        float(np.random.normal()),
        float(torch.randn(())),
    ]


def test_the_same_numbers_come_again(tmp_path: Path) -> None:
    draw()  # of normal numbers, which come in pairs, one is left
    torch.save(random_states(CPU), tmp_path / "states")
    expected = [draw() for _ in range(3)]
    restore_random_states(torch.load(tmp_path / "states", weights_only=True), CPU)
    assert [draw() for _ in range(3)] == expected
