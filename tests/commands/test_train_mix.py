"""`train.py` and `evaluate.py` with several data sets, of which some are partly labelled."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import yaml

import tagger
from tagger.commands import evaluate, train
from tagger.runs.record import RunRecord
from tests.helpers.small_corpus import QUICK, column_files

pytestmark = pytest.mark.extended


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(in_tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["train.py"])
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")


@pytest.fixture
def arguments(tmp_path: Path) -> list[str]:
    """Two data sets: one has no places, the other calls people otherwise and has one label that is not known."""
    for name, old, new in (("people", "LOC", None), ("places", "PER", "person")):
        (tmp_path / name).mkdir()
        column_files(tmp_path / name)
        for path in (tmp_path / name).glob("*.conll"):
            lines = path.read_text().splitlines()
            changed = [
                line if not line.endswith(f"-{old}") else line.split("\t")[0] + (f"\tB-{new}" if new else "\tO")
                for line in lines
            ]
            path.write_text("\n".join(line.replace("Bo", "Bob") if new else line for line in changed) + "\n")
    files = "train:train.conll,dev:dev.conll,test:test.conll"
    people = f"{{title:people,dir:people,{files},labels_known:[PER]}}"
    places = (
        f"{{title:places,dir:places,{files},weight:1.5,labels:{{person:_}},splits:{{train:train,dev:dev,test:test}}}}"
    )
    return ["data=mix", f"data.dir={tmp_path}", f"data.sources=[{people},{places}]", *QUICK]


def test_learns_from_both_what_neither_says_alone(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert train.main([*arguments, "run_dir=run", "trainer.max_epochs=6", "report=true"]) == 0
    shown = capsys.readouterr()
    assert "sentences by source: people 80, places 80" in shown.out
    assert "sentences by its weight 1.5" in shown.out
    assert "warning: not judged: " in shown.out
    model = tagger.load(Path("run/model"))
    assert model.labels == ["LOC", "PER"]
    entities = model.tag("They met Chidi in New York.").entities
    assert [(entity.text, entity.label) for entity in entities] == [("Chidi", "PER"), ("New York", "LOC")]
    report = json.loads(Path("run/report/report.json").read_text())
    assert any("not judged" in warning for warning in report["warnings"])
    assert report["entities"]["micro"]["f1"] > 0.9
    assert report["data"]["title"] == "mix"

    sources = yaml.safe_load(Path("run/config.yaml").read_text())["data"]["sources"]
    assert [(source["title"], source["weight"]) for source in sources] == [("people", 1.0), ("places", 1.5)]
    assert {source["tokenizer"] for source in sources} == {"syntok"}

    data = [argument for argument in arguments if argument.startswith("data")]
    assert evaluate.main(["model=run/model", *data, "out=again"]) == 0
    assert "trained on other data" not in capsys.readouterr().err
    assert json.loads(Path("again/report.json").read_text())["entities"] == report["entities"]


def test_a_run_is_resumed_with_the_same_sources(arguments: list[str], tmp_path: Path) -> None:
    assert train.main([*arguments, "run_dir=run", "trainer.max_epochs=1"]) == 0
    assert train.main([*arguments, "run_dir=run", "trainer.max_epochs=2", "resume=true"]) == 0
    record = RunRecord.read(Path("run"))
    assert record is not None
    assert (record.resumed, record.epochs) == (True, 2)


def test_a_run_with_other_sources_is_not_resumed(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert train.main([*arguments, "run_dir=run", "trainer.max_epochs=1"]) == 0
    changed = [argument.replace("labels_known:[PER]", "labels_known:null") for argument in arguments]
    assert train.main([*changed, "run_dir=run", "trainer.max_epochs=2", "resume=true"]) == 2
    assert "data.sources.0.labels_known was [PER], not null" in capsys.readouterr().err
