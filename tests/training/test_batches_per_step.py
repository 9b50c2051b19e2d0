"""How many batches a step of the optimiser sees, by the settings of the trainer."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from pytorch_lightning import Trainer
from pytorch_lightning.accelerators import MPSAccelerator

from tagger.training.process_group import batches_per_step

ONE = {"accelerator": "cpu", "devices": 1, "num_nodes": 1, "accumulate_grad_batches": 1}


@pytest.fixture
def four_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    monkeypatch.setattr(MPSAccelerator, "is_available", staticmethod(lambda: False))


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, 1),
        ({"devices": 3}, 3),
        ({"devices": "3"}, 3),
        ({"devices": "auto"}, 1),
        ({"num_nodes": 2, "devices": 2}, 4),
        ({"accumulate_grad_batches": 5}, 5),
        ({"accumulate_grad_batches": 5, "devices": 2, "num_nodes": 3}, 30),
        ({"num_nodes": None, "accumulate_grad_batches": None}, 1),
    ],
)
def test_devices_nodes_and_accumulated_batches_are_multiplied(given: dict[str, Any], expected: int) -> None:
    assert batches_per_step({**ONE, **given}) == expected


@pytest.mark.parametrize("devices", [1, 2, "2", "auto"])
def test_devices_are_as_many_as_lightning_takes(devices: int | str) -> None:
    trainer = Trainer(accelerator="cpu", devices=devices, logger=False, enable_checkpointing=False)
    assert batches_per_step({**ONE, "devices": devices}) == trainer.num_devices


@pytest.mark.parametrize("accelerator", ["cuda", "gpu", "auto"])
@pytest.mark.parametrize(
    ("devices", "expected"), [("auto", 4), (-1, 4), ("-1", 4), (3, 3), ([0, 2], 2), ("1,3", 2), ([3], 1)]
)
@pytest.mark.usefixtures("four_gpus")
def test_of_gpus_those_named_are_counted(accelerator: str, devices: Any, expected: int) -> None:
    assert batches_per_step({**ONE, "accelerator": accelerator, "devices": devices}) == expected
    assert not torch.cuda.is_initialized()


@pytest.mark.parametrize(
    "given", [{"devices": 0}, {"devices": -1}, {"devices": [0, 1]}, {"devices": "x"}, {"num_nodes": -2}]
)
def test_what_lightning_refuses_is_left_to_it(given: dict[str, Any]) -> None:
    assert batches_per_step({**ONE, **given}) == 1


@pytest.mark.usefixtures("four_gpus")
def test_gpus_that_are_not_there_are_left_to_lightning() -> None:
    assert batches_per_step({**ONE, "accelerator": "gpu", "devices": 5}) == 1
