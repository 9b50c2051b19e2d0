"""Training, scoring and tagging with a contextual encoder, frozen and trained along."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

import tagger
from tagger.commands import evaluate, tag, train
from tagger.corpus.sentence import Sentence
from tagger.errors import UserError
from tagger.model.contextual import PretrainedEncoder
from tests.helpers.small_corpus import QUICK, column_files
from tests.helpers.tiny_encoder import write_tiny_encoder

pytestmark = pytest.mark.extended


@pytest.fixture(autouse=True)
def own_cache(in_tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAGGER_CACHE", str(in_tmp_path / "cache"))


@pytest.fixture
def encoder(tmp_path: Path) -> Path:
    return write_tiny_encoder(tmp_path / "encoder")


def trained(tmp_path: Path, encoder: Path, *overrides: str) -> Path:
    tmp_path.mkdir(exist_ok=True)
    settings = [f"embeddings.transformer.path={encoder}", "embeddings.transformer.layers=2", *overrides]
    assert train.main([*column_files(tmp_path), *QUICK, f"run_dir={tmp_path / 'run'}", *settings]) == 0
    return tmp_path / "run" / "model"


def tags(model: Path, **options: str) -> list[list[str] | None]:
    loaded = tagger.load(model, **options)
    return [sentence.tags for sentence in loaded.tag_sentences([Sentence(["Anna", "met", "Bob"]), Sentence(["."])])]


@pytest.mark.parametrize("tune", ["false", "true"])
def test_it_trains_scores_and_tags_alike(
    tmp_path: Path, encoder: Path, tune: str, capsys: pytest.CaptureFixture[str]
) -> None:
    model = trained(tmp_path, encoder, f"embeddings.transformer.trainable={tune}")
    record = json.loads((tmp_path / "run" / "run.json").read_text(encoding="utf-8"))
    data = [argument for argument in column_files(tmp_path) if argument.startswith("data")]
    assert evaluate.main([*data, f"model={model}", f"out={tmp_path / 'again'}"]) == 0
    again = json.loads((tmp_path / "again" / "report.json").read_text(encoding="utf-8"))
    assert again["entities"]["micro"]["f1"] == pytest.approx(record["test"]["micro F1"], abs=1e-6)
    assert evaluate.main([*data, f"model={model}", "split=dev", f"out={tmp_path / 'dev'}"]) == 0
    dev = json.loads((tmp_path / "dev" / "report.json").read_text(encoding="utf-8"))
    assert dev["entities"]["micro"]["f1"] == pytest.approx(record["dev"]["dev_f1"])
    (tmp_path / "text.txt").write_text("Anna met Bob .\n", encoding="utf-8")
    capsys.readouterr()
    assert tag.main(["--model", str(model), "--quiet", str(tmp_path / "text.txt")]) == 0
    assert json.loads(capsys.readouterr().out)["text"] == "Anna met Bob ."


def test_frozen_weights_stay_outside_the_model_and_tuned_ones_change_inside(tmp_path: Path, encoder: Path) -> None:
    before = load_file(encoder / "model.safetensors")
    frozen = trained(tmp_path / "frozen", encoder)
    assert not (frozen / "encoder").exists()
    tuned = trained(tmp_path / "tuned", encoder, "embeddings.transformer.trainable=true", "optim.encoder_lr=0.01")
    after = load_file(tuned / "encoder" / "model.safetensors")
    assert any(not np.array_equal(before[name], after[name]) for name in before)
    assert load_file(encoder / "model.safetensors").keys() == before.keys()
    names = load_file(tuned / "model.safetensors").keys()
    assert names == load_file(frozen / "model.safetensors").keys()


def test_a_tuned_model_needs_its_folder_alone(tmp_path: Path, encoder: Path) -> None:
    model = trained(tmp_path, encoder, "embeddings.transformer.trainable=true", "optim.encoder_lr=0.01")
    expected = tags(model)
    shutil.rmtree(encoder)
    assert tags(model) == expected


def test_a_frozen_model_says_which_encoder_is_missing_and_takes_it_from_elsewhere(
    tmp_path: Path, encoder: Path
) -> None:
    model = trained(tmp_path, encoder)
    expected = tags(model)
    encoder.rename(tmp_path / "moved")
    with pytest.raises(UserError, match=f"the model needs the encoder {encoder}; give its path by --encoder"):
        tags(model)
    assert tags(model, encoder=str(tmp_path / "moved")) == expected
    other = write_tiny_encoder(tmp_path / "other", seed=1)
    with pytest.raises(UserError, match="another encoder than the model was trained with"):
        tags(model, encoder=str(other))


def test_the_second_run_on_the_same_data_runs_the_encoder_not_once(
    tmp_path: Path, encoder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained(tmp_path / "first", encoder, "trainer.max_epochs=1")
    kept = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "cache").rglob("*.npy")}
    for name in ("runs.finish.finish_run", "commands.train._print_end"):  # tagging the test split is no training
        monkeypatch.setattr(f"tagger.{name}", lambda *_: None)
    encoded: list[int] = []
    encode = PretrainedEncoder.encode

    def counted(self: PretrainedEncoder, sentences: Sequence[Sequence[str]], *others: Any, **named: Any) -> None:
        encoded.append(sum(map(len, sentences)))
        encode(self, sentences, *others, **named)

    monkeypatch.setattr(PretrainedEncoder, "encode", counted)
    arguments = [f"embeddings.transformer.path={encoder}", "embeddings.transformer.layers=2", "trainer.max_epochs=2"]
    run_dir = f"run_dir={tmp_path / 'second'}"
    assert train.main([*column_files(tmp_path / "first"), *QUICK, run_dir, *arguments]) == 0
    assert {path.name: path.stat().st_mtime_ns for path in (tmp_path / "cache").rglob("*.npy")} == kept
    assert encoded == [1]  # the word that shows on opening whether it can encode any


def test_training_starts_from_a_tuned_model(tmp_path: Path, encoder: Path) -> None:
    model = trained(tmp_path, encoder, "embeddings.transformer.trainable=true", "optim.encoder_lr=0.01")
    shutil.rmtree(encoder)
    arguments = [f"init_from={model}", f"run_dir={tmp_path / 'second'}"]
    assert train.main([*column_files(tmp_path), *QUICK, *arguments]) == 0
    assert (tmp_path / "second" / "model" / "encoder" / "model.safetensors").is_file()


def test_the_numpy_engine_refuses_such_a_model(tmp_path: Path, encoder: Path) -> None:
    model = trained(tmp_path, encoder)
    with pytest.raises(UserError, match="the numpy engine does not run encoders"):
        tagger.load(model, engine="numpy")


def test_a_bad_encoder_ends_the_run_before_training(
    tmp_path: Path, encoder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (encoder / "model.safetensors").rename(encoder / "pytorch_model.bin")
    arguments = [f"embeddings.transformer.path={encoder}", f"run_dir={tmp_path / 'run'}"]
    assert train.main([*column_files(tmp_path), *QUICK, *arguments]) == 2
    error = capsys.readouterr().err
    assert "its weights are pickled only" in error
    assert len(error.splitlines()) == 1
    assert not (tmp_path / "run").exists()


def test_without_the_package_it_says_what_to_install(
    tmp_path: Path, encoder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    arguments = [f"embeddings.transformer.path={encoder}", f"run_dir={tmp_path / 'run'}"]
    assert train.main([*column_files(tmp_path), *QUICK, *arguments]) == 2
    assert "pip install 'tagger[encoder]'" in capsys.readouterr().err


def test_an_encoder_for_a_model_without_one_is_refused(tmp_path: Path, encoder: Path) -> None:
    assert train.main([*column_files(tmp_path), *QUICK, f"run_dir={tmp_path / 'run'}"]) == 0
    with pytest.raises(UserError, match="the model has none; leave it out"):
        tagger.load(tmp_path / "run" / "model", encoder=str(encoder))


def test_training_is_repeatable(tmp_path: Path, encoder: Path) -> None:
    torch.manual_seed(5)
    one = trained(tmp_path / "one", encoder, "embeddings.transformer.trainable=true")
    torch.manual_seed(6)
    two = trained(tmp_path / "two", encoder, "embeddings.transformer.trainable=true")
    first, second = (load_file(model / "model.safetensors") for model in (one, two))
    assert all(np.array_equal(first[name], second[name]) for name in first)


def test_mentions_are_not_replaced_under_an_encoder(
    tmp_path: Path, encoder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = ["embeddings.transformer.layers=2", "optim.mention_replacement=0.5"]
    arguments = [f"embeddings.transformer.path={encoder}", *settings]
    assert train.main([*column_files(tmp_path), *QUICK, f"run_dir={tmp_path / 'run'}", *arguments]) == 2
    assert "embeddings.transformer reads sentences as they are written; set" in capsys.readouterr().err


def test_the_accurate_experiment_is_the_default_and_a_frozen_encoder(tmp_path: Path, encoder: Path) -> None:
    model = trained(tmp_path, encoder, "experiment=accurate", "data.language=en", "trainer.max_epochs=1")
    embeddings = json.loads((model / "config.json").read_text(encoding="utf-8"))["model"]["embeddings"]
    assert embeddings["static"]["source"] == "bundled"
    assert (embeddings["transformer"]["path"], embeddings["transformer"]["trainable"]) == (str(encoder), False)
