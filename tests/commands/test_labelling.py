"""Commands around labelling, from their arguments to their files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tagger.commands import agree, convert, debug, doubt, prelabel, suggest
from tagger.commands.evaluate import main as evaluate
from tagger.commands.train import main as train
from tagger.engines.numpy_engine import NumpyEngine
from tagger.errors import UserError
from tagger.predict import Tagger
from tests.helpers.random_models import random_folder
from tests.helpers.small_corpus import QUICK, column_files, write_column_file

COLUMNS = "Ada\tB-PER\nmet\tO\n\nBo\tB-PER\n"


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> None:
    folder = random_folder(parts=("word", "shape"), hidden=4)
    monkeypatch.setattr("tagger.predict.load", lambda *_, **__: Tagger(folder, NumpyEngine(folder)))


def test_convert_follows_extensions_and_accounts_for_spans(
    in_tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("a.conll").write_text(COLUMNS)
    assert convert.main(["a.conll", "a.json"]) == 0
    assert convert.main(["a.json", "b.csv"]) == 0
    assert Path("b.csv").read_text() == "sentence_id,token,tag\n1.1,Ada,B-PER\n1.1,met,O\n2.1,Bo,B-PER\n"
    said = capsys.readouterr().err
    assert "a.conll: sentences 2 read = 2 kept + 0 repaired + 0 rejected" in said
    assert said.count("2 documents, 2 sentences, 2 spans") == 2


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["a.conll", "a.xyz"], "a.xyz: no format has this extension; name one with --to: conll, csv"),
        (["a.conll", "a.conll"], "a.conll: the input; name another file"),
        (["none.json", "a.csv"], "none.json: of no known format|none.json: no such file"),
        (["a.conll", "b.json", "overlap=first"], "overlap=first: expected a setting such as data.overlap=longest"),
        (["a.conll", "b.json", "data.overlap=last"], "data.overlap"),
    ],
)
def test_wrong_use_of_convert_is_said(in_tmp_path: Path, arguments: list[str], problem: str) -> None:
    Path("a.conll").write_text(COLUMNS)
    with pytest.raises(UserError, match=problem):
        convert.main(arguments)


def test_agree_reads_files_and_the_annotators_of_one_export(
    in_tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def annotation(by: int, *labels: str) -> dict:
        spans = [(0, 3), (8, 10)]
        values = [{"start": s, "end": e, "labels": [label]} for (s, e), label in zip(spans, labels, strict=False)]
        return {"completed_by": by, "result": [{"type": "labels", "value": value} for value in values]}

    task = {"id": 1, "data": {"text": "Ada met Bo"}, "annotations": [annotation(4, "P", "P"), annotation(5, "P", "Q")]}
    Path("a.json").write_text(json.dumps([task]))
    assert agree.main(["a.json", "--json", "out.json"]) == 0
    said = capsys.readouterr().out
    assert "annotator 4 and annotator 5" in said
    assert "F1 over spans                0.5000" in said
    assert len(json.loads(Path("out.json").read_text())["places"]) == 2
    Path("a.conll").write_text(COLUMNS)
    Path("b.conll").write_text(COLUMNS.replace("B-PER\nmet", "O\nmet"))
    assert agree.main(["a.conll", "b.conll"]) == 0
    assert "0.6667" in capsys.readouterr().out
    with pytest.raises(UserError, match="one annotator; name a file for each"):
        agree.main(["a.conll"])


@pytest.mark.parametrize("by", ["uncertainty", "diverse", "random"])
def test_suggest_writes_sentences_with_the_models_labels(
    model: None, in_tmp_path: Path, capsys: pytest.CaptureFixture[str], by: str
) -> None:
    Path("raw.txt").write_text("".join(f"Ada met Bo {number} . Then she left .\n" for number in range(20)))
    assert suggest.main(["--model", "m", "raw.txt", "--number", "4", "--by", by, "--output", "next.json"]) == 0
    tasks = json.loads(Path("next.json").read_text())
    assert len({task["data"]["text"] for task in tasks}) == len(tasks) == 4
    for task in tasks:
        for result in task["predictions"][0]["result"]:
            value = result["value"]
            assert task["data"]["text"][value["start"] : value["end"]] == value["text"]
    assert f"4 of 20 sentences, by {by}" in capsys.readouterr().err


def test_prelabel_keeps_each_document_and_leaves_out_what_is_improbable(
    model: None, in_tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("raw.jsonl").write_text('{"text": "Ada met Bo 😀. He ran."}\n{"text": ""}\n')
    assert prelabel.main(["--model", "m", "raw.jsonl", "--format", "doccano"]) == 0
    records = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [record["text"] for record in records] == ["Ada met Bo 😀. He ran.", ""]
    assert prelabel.main(["--model", "m", "raw.jsonl", "--format", "doccano", "--min-score", "1"]) == 0
    assert [json.loads(line)["label"] for line in capsys.readouterr().out.splitlines()] == [[], []]
    Path("raw.jsonl").write_text('{"text": "Ada"}\n{"x": 1}\n')
    with pytest.raises(UserError, match=r"raw.jsonl:2: no field 'text'"):
        prelabel.main(["--model", "m", "raw.jsonl"])


def test_debug_says_what_it_finds(in_tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = column_files(in_tmp_path)
    Path("test.conll").write_text(Path("train.conll").read_text())
    assert debug.main(files) == 0
    said = capsys.readouterr().out
    assert "things to look at:" in said
    assert "are in train, too" in said
    with pytest.raises(UserError, match="seed=1: not a setting of data"):
        debug.main(["data=conll", "seed=1"])


@pytest.mark.extended
def test_a_wrong_label_is_doubted_first(in_tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_column_file(in_tmp_path / "train.conll", 150, 1)
    content = path.read_text()
    place = content.index("Bo\tB-PER", len(content) // 2)
    path.write_text(content[:place] + "Bo\tB-LOC" + content[place + 8 :])
    quick = [one for one in QUICK if not one.startswith("report")]
    arguments = ["--model-folds", "3", "--out", "out", "data=conll", "data.train=train.conll", *quick]
    assert doubt.main([*arguments, "trainer.max_epochs=6"]) == 0
    first = json.loads(Path("out/doubts.jsonl").read_text().splitlines()[0])
    assert "B-LOC" in [tag for token, tag in zip(first["tokens"], first["tags"], strict=True) if token == "Bo"]
    assert "<del>[LOC: Bo]</del>" in Path("out/doubts.html").read_text()
    with pytest.raises(UserError, match="out: holds models of other data or settings"):
        doubt.main([*arguments, "trainer.max_epochs=7"])
    with pytest.raises(UserError, match="--model-folds 2: expected 3 or more"):
        doubt.main(["--model-folds", "2", "data=conll"])


@pytest.mark.extended
def test_evaluate_warns_of_sentences_that_the_model_has_learnt(
    in_tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = column_files(in_tmp_path)
    assert train([*files, *QUICK, "run_dir=run", "latest=null"]) == 0
    capsys.readouterr()
    assert evaluate(["model=run/model", "data=conll", "data.train=null", "data.dev=null", "data.test=train.conll"]) == 0
    found = capsys.readouterr()
    assert "test: 80 of 80 sentences (100.0%) were in the model's training data" in found.err
    assert "95% interval" in found.out
