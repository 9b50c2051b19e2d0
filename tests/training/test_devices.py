"""What is run beside training is run on the device that training has."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tagger import predict as tagger_module
from tagger.commands import evaluate, train
from tagger.config import TransformerEmbedding
from tagger.model.contextual import PretrainedEncoder, open_encoder
from tagger.runs import finish
from tagger.training import run_setup
from tagger.training import training_run as run_module
from tests.helpers.small_corpus import QUICK, column_files
from tests.helpers.tiny_encoder import write_tiny_encoder


def test_a_frozen_encoder_reads_a_corpus_on_the_device_and_leaves_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder = open_encoder(TransformerEmbedding(path=str(write_tiny_encoder(tmp_path / "e")), layers=1))
    done: list[str] = []
    monkeypatch.setattr(PretrainedEncoder, "to", lambda self, device: done.append(str(device)))
    monkeypatch.setattr(PretrainedEncoder, "encode", lambda *_, **__: done.append("encode"))
    run_setup._encode(encoder, torch.device("cuda", 1), [["a"]], np.zeros((1, 8), dtype=np.float16))
    assert done == ["cuda:1", "encode", "cpu"]


@pytest.mark.parametrize(("device", "expected"), [("cuda:7", "cuda:7"), ("mps:0", "cpu")])
def test_the_test_split_is_tagged_on_the_gpu_that_trained(
    device: str, expected: str, in_tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original_train, original_load = run_module.train, tagger_module.load
    asked: list[str] = []

    def load(path: Path, **settings: Any) -> tagger_module.Tagger:
        asked.append(settings["device"])
        return original_load(path)

    monkeypatch.setattr(
        run_module, "train", lambda *given, **how: replace(original_train(*given, **how), device=device)
    )
    monkeypatch.setattr(finish, "load", load)
    assert train.main([*column_files(in_tmp_path), *QUICK, "run_dir=run", "trainer.max_epochs=1"]) == 0
    assert asked == [expected]


def test_evaluation_tells_of_a_device_that_is_not_there(in_tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = column_files(in_tmp_path)
    assert train.main([*data, *QUICK, "run_dir=run", "trainer.max_epochs=1"]) == 0
    capsys.readouterr()
    assert evaluate.main(["model=run/model", *data, "device=gpu"]) == 2
    assert capsys.readouterr().err.startswith("evaluate.py: device 'gpu': ")


def test_evaluation_tells_of_a_device_that_is_full(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise MemoryError

    monkeypatch.setattr(evaluate, "load", full)
    assert evaluate.main(["model=m", "device=cuda"]) == 2
    assert capsys.readouterr().err.startswith("evaluate.py: out of memory; ")
