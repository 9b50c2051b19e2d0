"""Old names of settings on the command line, in a user's configuration files and in the files of old runs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from omegaconf import DictConfig

from tagger.commands import train, train_settings
from tagger.commands.hydra import hydra_entry
from tagger.runs.record import RunRecord
from tests.helpers.small_corpus import QUICK, column_files

WARNING = "warning: optim.decay is now optim.lr_schedule; the old name still works"


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(in_tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["train.py"])
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")


def composed(*arguments: str) -> dict[str, Any]:
    """The settings of a job that is started with these arguments; empty where it is not started."""
    found: dict[str, Any] = {}

    def task(config: DictConfig) -> None:
        found.update(hydra_entry.settings_of(config))

    code = hydra_entry.run("train", task, [*arguments, "run_dir=run"])
    assert code == (0 if found else 2)
    return found


def experiment(folder: Path, text: str) -> list[str]:
    """Arguments that choose a user's own experiment."""
    path = folder / "own" / "experiment" / "mine.yaml"
    path.parent.mkdir(parents=True)
    path.write_text(f"# @package _global_\n{text}", encoding="utf-8")
    return ["--config-dir", str(folder / "own"), "experiment=mine"]


def test_an_old_name_on_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert composed("optim.decay=cosine")["optim"]["lr_schedule"] == "cosine"
    assert capsys.readouterr().err.splitlines() == [WARNING]


def test_an_old_name_in_a_configuration_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = "optim: {decay: cosine}\nembeddings: {encoder: {path: x, tune: true}}\n"
    settings = composed(*experiment(tmp_path, text))
    assert "decay" not in settings["optim"]
    assert settings["optim"]["lr_schedule"] == "cosine"
    transformer = settings["embeddings"]["transformer"]
    assert (transformer["path"], transformer["trainable"], transformer["layers"]) == ("x", True, 4)
    assert capsys.readouterr().err.splitlines() == [
        "warning: embeddings.encoder is now embeddings.transformer; the old name still works",
        "warning: embeddings.transformer.tune is now embeddings.transformer.trainable; the old name still works",
        WARNING,
    ]


def test_an_old_name_in_a_file_beside_the_new_one_on_the_command_line_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert not composed(*experiment(tmp_path, "optim: {decay: cosine}\n"), "optim.decay=constant")
    assert "optim.decay: an old name of optim.lr_schedule, which is given too" in capsys.readouterr().err


def test_a_short_form_under_its_old_name() -> None:
    arguments = train_settings.spell_out(["embeddings.encoder=x", "embeddings.transformer.layers=2"])
    transformer = composed(*arguments)["embeddings"]["transformer"]
    assert (transformer["path"], transformer["layers"]) == ("x", 2)


def test_a_run_with_old_names_is_resumed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    quick = [setting for setting in QUICK if not setting.startswith("trainer.max_epochs")]
    arguments = [*column_files(tmp_path), *quick, "latest=null", "run_dir=run", "optim.decay=constant"]
    assert train.main([*arguments, "trainer.max_epochs=1"]) == 0
    path = Path("run/config.yaml")
    path.write_text(path.read_text(encoding="utf-8").replace("lr_schedule:", "decay:"), encoding="utf-8")
    capsys.readouterr()
    assert train.main([*arguments, "trainer.max_epochs=2", "resume=true"]) == 0
    said = capsys.readouterr()
    assert said.err.splitlines()[0] == WARNING
    assert "epoch 1:" not in said.err
    assert "epoch 2:" in said.err
    record = RunRecord.read(Path("run"))
    assert record is not None
    assert record.resumed
    assert "lr_schedule: constant" in path.read_text(encoding="utf-8")
