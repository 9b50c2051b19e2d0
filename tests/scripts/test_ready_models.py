"""`scripts/ready_models.py`: tiny models of both kinds of steps, the card, and what the runs are asked to do."""

from __future__ import annotations

import gzip
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tagger.commands.hydra.hydra_entry import compose
from tagger.corpus.dataset import DataConfig, Split
from tagger.corpus.dataset_config import SourceConfig
from tagger.corpus.schemes import Scheme
from tagger.corpus.sentence import Sentence
from tagger.errors import UserError
from tagger.evaluation.scores import Scores, score
from tagger.predict import load
from tests.helpers.random_models import random_folder
from tests.helpers.scripts import load_script
from tests.helpers.small_corpus import write_column_file

pytestmark = pytest.mark.extended

ready_models = load_script("ready_models.py")
card, judging = sys.modules["ready.card"], sys.modules["ready.judging"]
NER, POS = ready_models.RECIPES["en-ner"], ready_models.RECIPES["en-pos"]


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    """A data folder with a little raw text."""
    texts = {
        "unlabelled_en/wikipedia/part-0.txt.gz": "The river flows through Lyon.\nNobody had seen Bo since June.\n",
        "unlabelled_en/wnut17_raw/palm.10000": "heading to Leeds tomorrow\n",
        "unlabelled_pt/novels.txt.gz": "O rio passa por Lisboa.\n",
    }
    for name, text in texts.items():
        path = tmp_path / "data" / name
        path.parent.mkdir(parents=True)
        path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return tmp_path / "data"


def test_a_tiny_model_is_made_once_with_its_card(raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAGGER_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    command = ["en-ner", "--data", str(raw), "--runs", "runs", "--quick"]
    assert ready_models.main(command) == 0
    model = tmp_path / "runs" / "models" / "en-ner"
    assert load(model).labels == ["LOC", "MISC", "ORG", "PER"]
    written = (model / "README.md").read_text()
    for expected in ("# en-ner: ", "| starter | CC0 1.0 |", "| in capitals |", "Portuguese (novels)", "CC BY-SA 4.0"):
        assert expected in written
    assert "Chinese" not in written  # its text is not there
    assert str(tmp_path) not in written
    (model / "README.md").unlink()
    monkeypatch.setattr(subprocess, "Popen", None)  # nothing is trained again
    assert ready_models.main(command) == 0
    assert (model / "README.md").read_text() == written


def test_a_run_that_fails_is_named_and_no_model_is_left(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(ready_models, "ROOT", tmp_path)
    (tmp_path / "train.py").write_text("raise SystemExit(3)")
    assert ready_models.main(["en-ner", "--data", "data", "--encoder", "E"]) == 2
    assert "teacher: training did not finish (exit code 3)" in capfd.readouterr().err
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("arguments", [["en-ner"], ["no-such-model", "--encoder", "E"]])
def test_wrong_use_is_refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        ready_models.main([*arguments, "--data", "data"])
    assert ended.value.code == 2
    assert "--encoder: name" in capsys.readouterr().err or "no-such-model" in arguments


@pytest.mark.parametrize("recipe", [NER, POS, ready_models.quick(NER)], ids=["en-ner", "en-pos", "quick"])
def test_settings_of_both_runs_are_ones_that_train_py_knows(recipe: Any) -> None:
    data, runs = Path("/some data"), Path("/some runs")
    teacher = compose("train", ready_models.teacher_settings(recipe, data, "/an encoder"))
    student = compose("train", ready_models.student_settings(recipe, data, runs))
    assert teacher["embeddings"]["transformer"]["path"] == "/an encoder"
    assert student["embeddings"]["transformer"]["path"] is None
    assert teacher["data"] == student["data"]
    assert student["distill"]["teacher"] == "/some runs/model"
    assert student["distill"]["text"][0] == "/some data/unlabelled_en/wnut17_raw/palm.10000"
    assert student["optim"]["recase"] > 0


LICENCES = {
    "starter": "CC0 1.0",
    "wikigold": "CC BY 4.0",
    "wnut17": "CC BY 4.0",
    "btc": "CC BY 4.0",
    "crossner": "MIT",
    "redocred": "MIT, texts CC BY-SA 3.0",
    "sec_filings": "CC BY 3.0",
    "uner_en_ewt": "CC BY-SA 4.0",
    "ud_en_ewt_pos": "CC BY-SA 4.0",
}


def test_licences_are_read_from_the_heads_of_presets() -> None:
    found = {}
    for recipe in (NER, POS):
        data = DataConfig.from_mapping(compose("train", [f"data={recipe.preset}", "data.dir=x"])["data"])
        for source in data.sources or (data,):
            preset = getattr(source, "preset", None) or source.title
            found[preset], origin = card.licence_and_origin(preset, source)
            assert origin.startswith("https://") or preset == "starter"
    assert found == LICENCES


def test_a_preset_without_a_licence_is_refused() -> None:
    with pytest.raises(UserError, match=r"conf/data/jsonl\.yaml: its head names no licence"):
        card.licence_and_origin("jsonl", DataConfig())


def test_copies_of_a_split_keep_tags_beside_their_words() -> None:
    sentences = [Sentence(["Ada", "met", "Bo", "."], ["B-PER", "O", "B-PER", "O"]), Sentence(["!"], ["O"])]
    copies = judging.rewritten(Split("dev", sentences, Scheme.IOB2, []))
    words = {name: [" ".join(sentence.tokens) for sentence in copy.sentences] for name, copy in copies.items()}
    assert words == {
        "as it is": ["Ada met Bo .", "!"],
        "in lower case": ["ada met bo .", "!"],
        "in capitals": ["ADA MET BO .", "!"],
        "in Title Case": ["Ada Met Bo .", "!"],
        "without final punctuation": ["Ada met Bo", "!"],
    }
    assert copies["in capitals"].sentences[0].tags == sentences[0].tags
    assert copies["without final punctuation"].sentences[0].tags == ["B-PER", "O", "B-PER"]
    assert sentences[0].tokens == ["Ada", "met", "Bo", "."]


def test_each_source_is_scored_on_splits_that_are_not_trained_on(tmp_path: Path) -> None:
    for split, sentences in {"train": 3, "dev": 4, "test": 5}.items():
        write_column_file(tmp_path / f"{split}.conll", sentences, seed=1)
    files = {split: f"{split}.conll" for split in ("train", "dev", "test")}
    whole = SourceConfig(title="whole", **files)
    partly = SourceConfig(title="partly", **files, splits={"train": "dev", "test": "test"})
    data = DataConfig(format="mix", dir=str(tmp_path), sources=(whole, partly))
    random_folder().save(tmp_path / "model", "")
    judged = judging.judge(load(tmp_path / "model"), data, {"none": [str(tmp_path / "*.gz")]})
    counts = {name: {split: found.sentences for split, found in of.items()} for name, of in judged.sources.items()}
    assert counts == {"whole": {"dev": 4, "test": 5}, "partly": {"test": 5}}
    assert {name: found.sentences for name, found in judged.whole.items()} == {"dev": 4, "test": 10}
    assert judged.variants["as it is"] == judged.whole["dev"]
    assert judged.tagged == {}


def scores_of(gold: str, predicted: str, scheme: Scheme = Scheme.IOB2) -> Scores:
    return score([gold.split()], [predicted.split()], scheme)


HALF = scores_of("B-PER O B-LOC", "B-PER B-LOC O")
FULL = scores_of("B-PER O B-LOC", "B-PER O B-LOC")


def making(**more: Any) -> Any:
    asked = {
        "name": "en-ner",
        "title": "names",
        "data": DataConfig.from_mapping(compose("train", ["data=mix", "data.sources=[{preset: btc}]"])["data"]),
        "text": ready_models.TEXT,
        "encoder": "some-encoder",
        "teacher": {"micro F1": 0.75},
        "limits": ("Long names.",),
        "command": "python make it",
    }
    return card.Making(**{**asked, **more})


def test_the_card_has_scores_limits_and_licences() -> None:
    judged = judging.Judged(
        sources={"btc": {"dev": FULL, "test": HALF}, "other": {"test": FULL}},
        whole={"dev": FULL, "test": HALF},
        variants={"as it is": FULL, "in capitals": HALF},
        tagged={"Portuguese": 0.125},
    )
    lines = card.card(making(), random_folder(), judged).splitlines()
    assert "| data set | dev | test | test LOC | test PER |" in lines
    assert "| btc | 100.0 | 50.0 | 0.0 | 100.0 |" in lines
    assert "| other |  | 100.0 | 100.0 | 100.0 |" in lines
    assert "| all together | 100.0 | 50.0 | 0.0 | 100.0 |" in lines
    assert "| in capitals | 50.0 |" in lines
    assert "| Portuguese | 12.5 |" in lines
    assert "| btc | CC BY 4.0 | https://github.com/GateNLP/broad_twitter_corpus | train |" in lines
    assert "- Long names." in lines
    assert "- Text like that of btc: 50.0 on its test split, the lowest of all sources." in lines
    assert "- Text in capitals: 50.0 points less than on the same text as it is." in lines
    assert "- the labelled data: btc (CC BY 4.0);" in lines
    assert any("under CC BY-SA 4.0" in line for line in lines)
    assert any("some-encoder" in line and "is 75.0" in line for line in lines)


def test_the_card_of_plain_tags_has_scores_by_tag() -> None:
    scores = scores_of("DET NOUN NOUN", "DET NOUN DET", Scheme.PLAIN)
    judged = judging.Judged({}, {"dev": scores, "test": scores}, {"as it is": scores}, {})
    data = DataConfig.from_mapping(compose("train", ["data=ud_en_ewt_pos", "data.dir=x"])["data"])
    written = card.card(making(data=data, encoder=None), random_folder(scheme=Scheme.PLAIN), judged)
    assert "| 66.7 | 66.7 |" in written
    assert "| NOUN | 66.7 | 2 |" in written
    assert "| ud_en_ewt_pos | CC BY-SA 4.0 |" in written
    assert "frozen encoder" not in written
    assert "Other languages" not in written
