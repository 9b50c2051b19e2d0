"""What training can be told beside the model's shape: averaged weights, smoothing, costs, replaced mentions."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from tagger.commands import evaluate, train
from tagger.model.batch import TensorBatch
from tagger.model.network import TaggerModel
from tests.helpers.small_corpus import QUICK, column_files

pytestmark = [pytest.mark.extended, pytest.mark.usefixtures("in_tmp_path")]


def run(tmp_path: Path, name: str, *overrides: str) -> Path:
    assert train.main([*column_files(tmp_path), *QUICK, f"run_dir={tmp_path / name}", *overrides]) == 0
    return tmp_path / name


def weights(run_dir: Path) -> dict[str, np.ndarray]:
    return load_file(run_dir / "model" / "model.safetensors")


@pytest.mark.parametrize(
    "override",
    ["optim.ema=0.5", "optim.label_smoothing=0.2", "optim.recall_cost=1", "optim.mention_replacement=0.5"],
)
@pytest.mark.parametrize("decoder", ["crf", "softmax"])
def test_each_setting_makes_another_model_of_the_same_shape(tmp_path: Path, override: str, decoder: str) -> None:
    plain = weights(run(tmp_path, "plain", f"decoder={decoder}", "trainer.max_epochs=1"))
    other = weights(run(tmp_path, "other", f"decoder={decoder}", "trainer.max_epochs=1", override))
    assert plain.keys() == other.keys()
    assert any(not np.array_equal(plain[name], other[name]) for name in plain)


def test_the_average_is_what_is_scored_and_kept(tmp_path: Path) -> None:
    run_dir = run(tmp_path, "run", "optim.ema=0.9", "trainer.max_epochs=2")
    checkpoint = torch.load(run_dir / "checkpoints" / "last.ckpt", weights_only=True)
    name = "emissions.weight"
    average, last = (checkpoint[key][f"model.{name}"].numpy() for key in ("state_dict", "current_model_state"))
    assert not np.array_equal(average, last)
    best = torch.load(run_dir / "checkpoints" / "best.ckpt", weights_only=True)["state_dict"]
    np.testing.assert_array_equal(weights(run_dir)[name], best[f"model.{name}"].numpy())
    record = json.loads((run_dir / "run.json").read_text(encoding="utf-8"))
    data = [argument for argument in column_files(tmp_path) if argument.startswith("data")]
    assert evaluate.main([*data, f"model={run_dir / 'model'}", "split=dev", f"out={tmp_path / 'dev'}"]) == 0
    dev = json.loads((tmp_path / "dev" / "report.json").read_text(encoding="utf-8"))
    assert dev["entities"]["micro"]["f1"] == pytest.approx(record["dev"]["dev_f1"])


def test_in_mixed_precision_epochs_are_scored_as_the_model_tags(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kinds: set[torch.dtype] = set()
    forward = TaggerModel.forward

    def noted(self: TaggerModel, batch: TensorBatch) -> torch.Tensor:
        emissions = forward(self, batch)
        if not self.training:
            kinds.add(emissions.dtype)
        return emissions

    monkeypatch.setattr(TaggerModel, "forward", noted)
    run(tmp_path, "run", "trainer.precision=bf16-mixed", "trainer.max_epochs=1")
    assert kinds == {torch.float32}


def test_a_run_with_averaged_weights_resumes(tmp_path: Path) -> None:
    steady = ["optim.ema=0.9", "optim.lr_schedule=constant", "optim.warmup=0"]
    whole = run(tmp_path, "whole", *steady, "trainer.max_epochs=3")
    parts = [*steady, "encoder.dropout=0", "embeddings.dropout=0"]
    run(tmp_path, "parts", *parts, "trainer.max_epochs=2")
    run(tmp_path, "parts", *parts, "trainer.max_epochs=3", "resume=true")
    checkpoint = torch.load(tmp_path / "parts" / "checkpoints" / "last.ckpt", weights_only=True)
    expected = torch.load(whole / "checkpoints" / "last.ckpt", weights_only=True)
    assert checkpoint["averaging_state"] == expected["averaging_state"]  # of as many updates


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("optim.ema=1.5", "optim.ema: must lie in [0, 1), or be null; not 1.5"),
        ("optim.label_smoothing=-0.1", "optim.label_smoothing: must lie in [0, 1], not -0.1"),
        ("optim.mention_replacement=2", "optim.mention_replacement: must lie in [0, 1], not 2"),
        ("optim.recall_cost=-1", "optim.recall_cost must not be negative"),
        ("optim.encoder_lr=0", "optim.encoder_lr positive"),
    ],
)
def test_what_cannot_be_is_refused_in_a_line(
    tmp_path: Path, override: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train.main([*column_files(tmp_path), *QUICK, f"run_dir={tmp_path / 'run'}", override]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert len(error.splitlines()) == 1


def test_trained_on_dev_too_the_model_knows_its_words_and_keeps_the_first_one_s_score(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    arguments = [*column_files(tmp_path / "data"), *QUICK]
    with (tmp_path / "data" / "dev.conll").open("a", encoding="utf-8") as dev:
        dev.write("\n\nWe\tO\nmet\tO\nXanthippe\tB-PER\n.\tO\n")
    assert train.main([*arguments, f"run_dir={tmp_path / 'plain'}"]) == 0
    assert train.main([*arguments, f"run_dir={tmp_path / 'both'}", "train_on_dev=true"]) == 0
    words = [json.loads((tmp_path / name / "model" / "vocab.json").read_text())["words"] for name in ("plain", "both")]
    assert [any(word == "xanthippe" for word in known) for known in words] == [False, True]
    plain, both = (json.loads((tmp_path / name / "run.json").read_text()) for name in ("plain", "both"))
    assert both["dev"] == plain["dev"]
    configs = [json.loads((tmp_path / name / "model" / "config.json").read_text()) for name in ("plain", "both")]
    assert configs[0]["temperature"] == configs[1]["temperature"]


def test_a_run_on_train_and_dev_resumes_where_it_was(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = [*column_files(tmp_path), *QUICK, f"run_dir={tmp_path / 'run'}", "train_on_dev=true"]
    assert train.main(arguments) == 0
    expected = weights(tmp_path / "run")
    capsys.readouterr()
    assert train.main([*arguments, "resume=true"]) == 0
    assert "epoch 1:" not in capsys.readouterr().err
    found = weights(tmp_path / "run")
    assert all(np.array_equal(expected[name], found[name]) for name in expected)


def test_the_tiny_experiment_is_the_default_with_nothing_pretrained(tmp_path: Path) -> None:
    run_dir = run(tmp_path, "run", "experiment=tiny", "data.language=en", "trainer.max_epochs=1")
    config = json.loads((run_dir / "model" / "config.json").read_text(encoding="utf-8"))
    assert (config["model"]["embeddings"]["static"], config["model"]["embeddings"]["transformer"]) == (None, None)
    assert not (run_dir / "model" / "static").exists()
