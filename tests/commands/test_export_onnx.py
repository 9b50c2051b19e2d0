"""`tagger export_onnx` keeps a graph that was checked, and no other."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import tagger
from tagger.commands.main import run_command
from tagger.corpus.sentence import Sentence
from tagger.engines import onnx_export
from tests.helpers.random_models import random_folder

pytestmark = pytest.mark.extended


@pytest.fixture
def model(tmp_path: Path) -> Path:
    random_folder().save(tmp_path / "model", "")
    return tmp_path / "model"


def test_the_folder_holds_a_graph_that_runs(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(2):  # also in place of one that is there
        assert run_command("export_onnx", ["--model", str(model)]) == 0
    assert capsys.readouterr().out.startswith(f"{model}/model.onnx: ")
    sentences = [Sentence(["Anna", "Smith", "lives"])]
    found, expected = (list(tagger.load(model, engine=name).tag_sentences(sentences)) for name in ("onnx", "numpy"))
    assert found == expected


def test_a_graph_that_differs_is_not_kept(
    model: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    right = onnx_export.graph_of

    def wrong(folder: tagger.model_folder.folder.ModelFolder) -> bytes:
        bias = folder.tensors["emissions.bias"] + np.float32(0.5)
        return right(type(folder)(**{**vars(folder), "tensors": {**folder.tensors, "emissions.bias": bias}}))

    monkeypatch.setattr(onnx_export, "graph_of", wrong)
    assert run_command("export_onnx", ["--model", str(model)]) == 2
    assert "differs from the model by" in capsys.readouterr().err
    assert not (model / "model.onnx").exists()


def test_a_missing_folder_is_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command("export_onnx", ["--model", str(tmp_path / "gone")]) == 2
    assert "no such model folder" in capsys.readouterr().err
