"""Training from Python: the same runs as train.py makes, errors instead of exits, any value of a setting."""

from __future__ import annotations

import json
import signal
import threading
from pathlib import Path

import pytest

import tagger
from tagger.api import training
from tagger.commands import train as command
from tagger.commands.hydra import hydra_entry
from tests.helpers.small_corpus import QUICK, write_column_file

SETTINGS = [one for one in QUICK if not one.startswith("report=")]


def files(folder: Path) -> dict[str, str]:
    return {
        name: str(write_column_file(folder / f"{name}.conll", size, len(name)))
        for name, size in {"data": 80, "dev": 20, "test": 23}.items()
    }


def trained(folder: Path, **more: object) -> training.TrainedRun:
    given = files(folder)
    how = {"run_dir": folder / "run", "report": False, "settings": [*SETTINGS, "latest=null"], **more}
    return tagger.train(given.pop("data"), **given, **how)  # type: ignore[arg-type]


@pytest.mark.extended
def test_a_run_is_that_of_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run = trained(tmp_path, verbose=False)
    given = files(tmp_path)
    splits = [f"data.{name}={given[key]}" for name, key in (("train", "data"), ("dev", "dev"), ("test", "test"))]
    assert command.main(["data=conll", *splits, *QUICK, "latest=null", "run_dir=by_command"]) == 0
    weights = [tmp_path / name / "model" / "model.safetensors" for name in ("run", "by_command")]
    assert weights[0].read_bytes() == weights[1].read_bytes()
    record = json.loads((run.run_dir / "run.json").read_text(encoding="utf-8"))
    assert (run.f1, run.epochs, run.stopped_by, run.report) == (record["test"]["micro F1"], 3, None, None)
    assert run.load().tag("We met Ada in Oslo .").entities != []


@pytest.mark.extended
def test_what_is_printed_can_be_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trained(
        tmp_path,
        verbose=False,
        epochs=1,
        settings=["latest=null", *(one for one in SETTINGS if "max_epochs" not in one)],
    )
    found = capsys.readouterr()
    assert (found.out, found.err) == ("", "")


@pytest.mark.extended
def test_it_trains_in_a_thread_too(tmp_path: Path) -> None:
    found: list[object] = []

    def run() -> None:
        try:
            found.append(trained(tmp_path).epochs)
        except BaseException as error:
            found.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert found == [3]


@pytest.mark.extended
def test_signal_handlers_are_the_caller_s_again(tmp_path: Path) -> None:
    before = [signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)]
    trained(tmp_path)
    assert [signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)] == before


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"data": "train.xyz"}, "data: expected files of one format"),
        ({"data": ["a.conll", "b.jsonl"]}, "data: expected files of one format"),
        ({"data": 3}, "data: expected a file or a list of files, got a int"),
        ({"data": "missing.conll"}, "missing.conll"),
        ({"settings": ["optim.lr=1"]}, "optim.lr"),
        ({"settings": "epochs=1"}, "settings: expected a mapping"),
        ({"settings": {"seed": object()}}, "seed: expected a number"),
        ({"settings": {"trainer.devices": 2}}, "trainer.devices: tagger.train uses one device"),
        ({"resume": True, "run_dir": None}, "resume: name the folder"),
        ({"run_dir": ""}, "run_dir: empty"),
    ],
)
def test_a_mistake_is_a_line_and_leaves_no_folder(
    how: dict[str, object], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(tagger.UserError) as raised:
        tagger.train(**{"run_dir": "run", **how})  # type: ignore[arg-type]
    assert str(raised.value).startswith(message) or message in str(raised.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "value",
    ["a b", 'say "no"', "C:\\", "C:\\new folder\\", "x=y,z", "null", "", "ünï", "a\\\\", "{a}", "[b", "'", '\\"', '"'],
)
def test_any_text_is_a_value_of_a_setting(value: str) -> None:
    config, names = hydra_entry.composed("train", [training._override("data.dir", value)])
    assert config.data.dir == value
    assert names == ["data.dir"]


@pytest.mark.parametrize("value", [None, True, 3, 0.25, 1e-9, ["a b", 2], {"de": "x y"}])
def test_other_values_of_settings_come_through(value: object) -> None:
    config, _ = hydra_entry.composed("train", [training._override("data.labels", value)])
    assert hydra_entry.settings_of(config)["data"]["labels"] == value
