"""`evaluate.py` on predictions and on runs' reports: what is written, and what is told of bad input."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from tagger.commands import evaluate
from tagger.corpus.sentence import Sentence
from tagger.predict import load
from tests.helpers.random_models import random_folder
from tests.helpers.repository import REPOSITORY

GOLD = "Ada\tB-PER\nmet\tO\nBo\tB-PER\n\nParis\tB-LOC\n"
PREDICTED = "Ada\tB-PER\nmet\tI-PER\nBo\tO\n\nParis\tB-LOC\n"


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(in_tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["evaluate.py"])
    Path("gold.conll").write_text(GOLD)
    Path("predicted.conll").write_text(PREDICTED)


def report(folder: str = "out") -> dict:
    return json.loads(Path(folder, "report.json").read_text(encoding="utf-8"))


def test_predictions_are_reported_with_what_their_maker_had_seen() -> None:
    Path("train.conll").write_text("Ada\tB-PER\nlives\tO\n\nBo\tB-LOC\n")
    assert evaluate.main(["gold=gold.conll", "predictions=predicted.conll", "train=train.conll", "out=out"]) == 0
    found = report()
    seen = {name: one["support"] for name, one in found["seen"]["mentions"].items()}
    assert seen == {"same_type": 1, "other_type": 1, "new": 1}
    assert list(found["data"]["splits"]) == ["train", "scored"]
    assert (found["calibration"], found["learning"]) == (None, None)
    assert {path.name for path in Path("out").iterdir()} == {
        "report.html", "report.json", "report.md", "predictions.conll",
    }  # fmt: skip


def test_words_that_differ_are_counted_warned_of_and_scored(capsys: pytest.CaptureFixture[str]) -> None:
    Path("predicted.conll").write_text(PREDICTED.replace("Bo", "Bob"))
    assert evaluate.main(["gold=gold.conll", "predictions=predicted.conll", "out=out"]) == 0
    told = "1 of 4 words differ from the gold file (the first at predicted.conll:3: 'Bob' for 'Bo')"
    assert told in report()["warnings"][0]
    assert told in capsys.readouterr().err
    assert report()["entities"]["micro"]["support"] == 3


def test_gold_without_entities_is_warned_of() -> None:
    Path("gold.conll").write_text("Ada\tO\nmet\tO\nBo\tO\n\nParis\tO\n")
    assert evaluate.main(["gold=gold.conll", "predictions=predicted.conll", "out=out"]) == 0
    assert report()["warnings"] == ["gold.conll: no entities, every tag is O"]
    assert report()["errors"]["all"]["spurious"] == 2


def test_a_token_of_a_million_characters_is_reported() -> None:
    Path("both.conll").write_text(f"{'x' * 1_000_000}\tB-X\tB-X\n")
    assert evaluate.main(["predictions=both.conll", "out=out"]) == 0
    assert report()["headline"]["value"] == 1
    assert Path("out/report.html").stat().st_size < 500_000


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train=gold.conll", "model=m"], "train=gold.conll: only for predictions"),
        (
            ["predictions=predicted.conll", "target_precisions=[0.5,2]"],
            "target_precisions=[0.5, 2.0]: expected",
        ),
        (["model=m", "explain=21"], "explain=21: expected a number of sentences up to 20"),
        (["model=m", "input=raw", "explain=1"], "explain=1: needs model=DIR and input=tokens"),
        (["predictions=predicted.conll", "explain=1"], "explain=1: needs model=DIR and input=tokens"),
        (["predictions=predicted.conll", "device=cuda"], "device=cuda: only for a model"),
        (["compare=[one]", "model=m"], "compare stands alone"),
        (["compare=['no*']"], "no*: no folder has this name; give folders of runs or reports, or globs of them"),
        (["compare=[one,two]"], "one: no predictions.conll and report.json in it or in its report/"),
        (["gold=gold.conll", "predictions=predicted.conll", "train=plain.conll"], "the predictions have entities"),
    ],
)
def test_what_does_not_go_together_is_one_line(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("plain.conll").write_text("Ada\tNOUN\nmet\tVERB\n")
    assert evaluate.main([*arguments, "out=out"]) == 2
    shown = capsys.readouterr().err
    assert message in shown
    assert shown.count("\n") == 1
    assert not Path("out").exists()


def test_the_old_name_of_a_setting_is_read_with_a_warning(capsys: pytest.CaptureFixture[str]) -> None:
    assert evaluate.main(["predictions=predicted.conll", "precision=[2]"]) == 2
    warning, error = capsys.readouterr().err.splitlines()
    assert warning == "warning: precision is called target_precisions now; use that name"
    assert "target_precisions=[2.0]" in error


def test_reports_are_compared(capsys: pytest.CaptureFixture[str]) -> None:
    for name, text in (("a", PREDICTED), ("b", GOLD)):
        Path(f"{name}.conll").write_text(text)
        assert evaluate.main(["gold=gold.conll", f"predictions={name}.conll", f"out={name}"]) == 0
    capsys.readouterr()
    assert evaluate.main(["compare=[a,b]", "out=out"]) == 0
    found = json.loads(Path("out/compare.json").read_text(encoding="utf-8"))
    schema = json.loads((REPOSITORY / "docs" / "compare-schema.json").read_text(encoding="utf-8"))
    Draft202012Validator(schema).validate(found)
    f1 = report("a")["entities"]["micro"]["f1"]
    assert [one["mean"] for one in found["systems"]] == pytest.approx([f1, 1])
    assert found["differences"][0]["better"] == 1
    assert "comparison: out/compare.html" in capsys.readouterr().out
    assert Path("out/compare.md").read_text(encoding="utf-8").startswith("# Micro F1 of 2 systems")


def test_runs_of_other_seeds_and_places_are_one_system() -> None:
    Path("predicted.conll").write_text(PREDICTED)
    for seed, name in enumerate(("x-1", "x-2", "y")):
        assert evaluate.main(["gold=gold.conll", "predictions=predicted.conll", f"out={name}/report"]) == 0
        own = {"seed": seed, "run_dir": name, "resume": bool(seed), "latest": f"latest-{name}"}
        common = {"data": {"title": "mine"}, "optim": {"epochs": 1 if name == "y" else 2}}
        Path(name, "config.yaml").write_text(json.dumps({**own, **common}))
    assert evaluate.main(["compare=[x-1,x-2,y]", "out=out"]) == 0
    found = json.loads(Path("out/compare.json").read_text(encoding="utf-8"))
    assert [one["runs"] for one in found["systems"]] == [["x-1", "x-2"], ["y"]]


@pytest.mark.parametrize("named", ["sweep", "sweep/*", "swee?", "sweep/0,sweep/1,sweep"])
def test_multiruns_and_globs_stand_for_their_runs(named: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("predicted.conll").write_text(PREDICTED)
    for seed, run in enumerate(("sweep/0", "sweep/1", "other")):
        assert evaluate.main(["gold=gold.conll", "predictions=predicted.conll", f"out={run}/report"]) == 0
        settings = {"seed": seed, "data": {"title": "mine"}, "optim": {"epochs": 1 + (run == "other")}}
        Path(run, "config.yaml").write_text(json.dumps(settings))
    Path("sweep/2/checkpoints").mkdir(parents=True)  # of a run that was stopped
    Path("sweep/multirun.yaml").touch()
    quoted = ",".join(f'"{name}"' for name in named.split(","))
    assert evaluate.main([f"compare=[{quoted},other]", "out=out"]) == 0
    found = json.loads(Path("out/compare.json").read_text(encoding="utf-8"))
    assert [one["runs"] for one in found["systems"]] == [["sweep/0", "sweep/1"], ["other"]]
    assert "warning: sweep/2: no report in it; left out\n" in capsys.readouterr().err


def test_a_text_for_a_list_of_runs_is_a_list_of_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert evaluate.main(["compare='nope*'"]) == 2
    assert "nope*: no folder has this name" in capsys.readouterr().err
    for run in ("runs/a", "runs/b"):
        assert evaluate.main(["gold=gold.conll", "predictions=predicted.conll", f"out={run}/report"]) == 0
    assert evaluate.main(["compare='runs/*'", "out=out"]) == 0
    found = json.loads(Path("out/compare.json").read_text(encoding="utf-8"))
    assert [one["runs"] for one in found["systems"]] == [["runs/a"], ["runs/b"]]


def test_sentences_of_a_model_are_taken_apart_those_with_errors_first() -> None:
    random_folder().save(Path("model"), "")
    model = load("model")
    sentences = [["Anna", "lives", "in", "York"], ["met", "<b>", "Bo"], ["Ada"]]
    tagged = [one.tags or [] for one in model.tag_sentences([Sentence(tokens) for tokens in sentences])]
    wrong = ["O", "O", f"B-{model.labels[0]}"]
    gold = [tagged[0], wrong if tagged[1] != wrong else ["O"] * 3, tagged[2]]
    rows = ["\n".join(map("\t".join, zip(*both, strict=True))) for both in zip(sentences, gold, strict=True)]
    Path("data.conll").write_text("\n\n".join(rows) + "\n")
    scored = ["model=model", "data=conll", "data.test=data.conll", "out=out"]
    assert evaluate.main([*scored, "explain=2"]) == 0
    found = json.loads(Path("out/gates.json").read_text(encoding="utf-8"))
    assert found["sentences"][0]["tokens"] == sentences[1]
    assert len(found["sentences"]) == 2
    assert found["sentences"][0]["tags"] == list(tagged[1])
    page = Path("out/report.html").read_text(encoding="utf-8")
    assert page.count('<details class="card inside"') == 2
    assert "met &lt;b&gt; Bo" in page
    assert "met <b> Bo" not in page
    assert evaluate.main(scored) == 0
    assert not Path("out/gates.json").exists()
    assert 'id="inside"' not in Path("out/report.html").read_text(encoding="utf-8")


def test_a_damaged_report_is_told_of(capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("a", "b"):
        assert evaluate.main(["gold=gold.conll", "predictions=predicted.conll", f"out={name}"]) == 0
    Path("b/report.json").write_text("{")
    capsys.readouterr()
    assert evaluate.main(["compare=[a,b]"]) == 2
    assert capsys.readouterr().err.startswith("evaluate.py: b/report.json: damaged: ")


def test_a_report_of_other_sentences_is_not_written_over() -> None:
    random_folder().save(Path("run/model"), "")
    for name, content in {"first": GOLD, "second": "Bo\tB-PER\nmet\tO\n"}.items():
        Path(f"{name}.conll").write_text(content)
    for name in ("first", "second", "first", "second"):
        files = [f"data.{split}={name}.conll" for split in ("train", "dev", "test")]
        assert evaluate.main(["model=run/model", "data=conll", *files]) == 0
    assert {path.name for path in Path("run").iterdir()} == {"model", "report", "report-conll-test"}
    counts = [report(f"run/{name}")["sentences"]["count"] for name in ("report", "report-conll-test")]
    assert counts == [2, 1]


@pytest.mark.parametrize("files", ["[parts/1.conll,parts/2.conll]", '"parts/*.conll"', "parts/*.conll"])
def test_what_was_read_is_told_file_by_file(files: str, capsys: pytest.CaptureFixture[str]) -> None:
    random_folder().save(Path("model"), "")
    Path("parts").mkdir()
    Path("parts/1.conll").write_text(GOLD)
    Path("parts/2.conll").write_text("Bo\tB-PER\n\nmet\n\nAda\tB-PER\n")
    assert evaluate.main(["model=model", "data=conll", f"data.test={files}", "data.on_error=skip", "out=out"]) == 0
    told = capsys.readouterr().out.splitlines()
    assert told[:4] == [
        "test: 4 sentences, 6 tokens, tags iob2",
        "  parts/1.conll: sentences 2 read = 2 kept + 0 repaired + 0 rejected; "
        "lines 5 read = 5 kept + 0 repaired + 0 rejected",
        "  parts/2.conll: sentences 3 read = 2 kept + 0 repaired + 1 rejected; "
        "lines 5 read = 3 kept + 0 repaired + 2 rejected",  # the blank line that ends a sentence goes with it
        "  parts/2.conll:3: 1 column where the first line has 2; correct the line",
    ]
