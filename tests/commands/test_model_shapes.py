"""The shapes of model that settings offer, each through the real command: trained, saved, scored, gone on with."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

import tagger
from tagger.commands import evaluate, train
from tagger.runs.record import RunRecord
from tests.helpers.small_corpus import QUICK, column_files

pytestmark = pytest.mark.extended

PRESETS = sorted(path.stem for path in (Path(train.__file__).parents[2] / "conf" / "encoder").glob("*.yaml"))
VECTORS = ("we", "they", "met", "in", "ada", "bo", "oslo", "lima", "unseen")
CORRECTIONS = "embeddings.parts.static.corrections.weight"


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(in_tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["train.py"])
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")


def trained(folder: Path, *settings: str, run: str = "run") -> None:
    assert train.main([*column_files(folder), *QUICK, f"run_dir={run}", *settings]) == 0


def f1(report: str) -> float:
    return json.loads(Path(report, "report.json").read_text())["entities"]["micro"]["f1"]


def vectors_file() -> str:
    """The setting for pretrained vectors in a file, random ones."""
    values = np.random.default_rng(0).normal(size=(len(VECTORS), 5))
    rows = (f"{word} {' '.join(map(str, vector))}\n" for word, vector in zip(VECTORS, values, strict=True))
    Path("vectors.txt").write_text("".join(rows), "utf-8")
    return "embeddings.static.source=vectors.txt"


def f1_on_test() -> float:
    record = RunRecord.read(Path("run"))
    assert record is not None
    return record.test["micro F1"]


@pytest.mark.parametrize("preset", PRESETS)
def test_every_encoder_preset_trains_and_tags(preset: str, tmp_path: Path) -> None:
    trained(tmp_path, f"encoder={preset}", "trainer.max_epochs=1")
    assert evaluate.main(["model=run/model", *column_files(tmp_path), "out=again"]) == 0
    assert f1("again") == pytest.approx(f1_on_test(), abs=1e-6)


@pytest.mark.parametrize(
    "settings",
    [
        ["encoder.layers=[gru,lstm]"],
        ["encoder.layers=[{cell:gru_reset_before,hidden_size:9},{dropout:0.0}]", "encoder.cell=rnn"],
        ["encoder.merge=mean", "encoder.feed_forward=12", "encoder.layer_norm=true", "encoder.skip=true"],
        ["embeddings.characters.kind=bigru"],
    ],
    ids=lambda settings: settings[0].partition("=")[0],
)
def test_what_the_command_line_says_of_a_model_s_shape_learns(settings: list[str], tmp_path: Path) -> None:
    trained(tmp_path, *settings, "trainer.max_epochs=8")
    assert f1_on_test() > 0.9


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("encoder.layers=[gru,{sise:3}]", "encoder.layers[1].sise: no such setting"),
        ("encoder.layers=[gro]", "encoder.layers[0].cell: 'gro' is not one of rnn, gru, lstm, gru_reset_before"),
        ("encoder.layers=lstm", "encoder.layers: expected int or a list, got 'lstm'"),
        ("encoder=bilst", "did you mean bilstm?"),
    ],
)
def test_a_mistake_in_a_layer_is_one_line(setting: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert train.main([setting]) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1
    assert said in lines[0]


def test_trained_vectors_learn_and_go_on_after_an_interruption(tmp_path: Path) -> None:
    settings = [vectors_file(), "embeddings.static.trainable=true", "embeddings.word=null"]
    trained(tmp_path, *settings, "trainer.max_epochs=1")
    before = load_file("run/model/model.safetensors")[CORRECTIONS]
    trained(tmp_path, *settings, "trainer.max_epochs=4", "resume=true")
    after = load_file("run/model/model.safetensors")[CORRECTIONS]
    words = json.loads(Path("run/model/vocab.json").read_text())["words"]
    assert after.shape == (len(words) + 2, 5)
    assert not after[:2].any()
    assert after[2:].any(axis=1).all()
    assert not np.array_equal(before, after)
    assert "unseen" not in words


def test_trained_vectors_are_started_from_and_new_words_begin_at_theirs(tmp_path: Path) -> None:
    trained(tmp_path, vectors_file(), "embeddings.static.trainable=true")
    old = load_file("run/model/model.safetensors")[CORRECTIONS]
    more = tmp_path / "more.conll"
    more.write_text("We\tO\nmet\tO\nunseen\tB-PER\n.\tO\n\n" * 30, encoding="utf-8")
    files = ["data=conll", *(f"data.{split}={more}" for split in ("train", "dev", "test"))]
    frozen = ["optim.optimizer.lr=0.0", "optim.optimizer.weight_decay=0.0", "trainer.max_epochs=1"]
    assert train.main([*files, *QUICK, "init_from=run/model", "run_dir=grown", *frozen]) == 0
    new = load_file("grown/model/model.safetensors")[CORRECTIONS]
    np.testing.assert_array_equal(new[: len(old)], old)
    assert len(new) == len(old) + 1
    assert not new[len(old) :].any()
    assert tagger.load("grown/model").labels == ["LOC", "PER"]


def test_resuming_with_vectors_trained_that_were_not_says_what_does_not_fit(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = vectors_file()
    trained(tmp_path, source, "trainer.max_epochs=1")
    arguments = [*column_files(tmp_path), *QUICK, "run_dir=run", source, "resume=true"]
    assert train.main([*arguments, "embeddings.static.trainable=true", "trainer.max_epochs=2"]) == 2
    assert "last.ckpt: does not fit" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("tags", "settings", "filters", "lengths", "dropout"),
    [
        (("B-PER", "O"), [], 50, [2, 3], 0),
        (("NOUN", "VERB"), [], 100, [1, 2, 3, 4], 0.05),
        (("NOUN", "VERB"), ["embeddings.characters.filters=8", "embeddings.affixes.lengths=[2]"], 8, [2], 0.05),
        (("NOUN", "VERB"), ["experiment=tiny"], 50, [1, 2, 3, 4], 0.05),
        (("NOUN", "VERB"), ["embeddings.word_dropout=0", "embeddings.shape=null"], 100, [1, 2, 3, 4], 0),
    ],
)
def test_what_is_seen_of_a_word_depends_on_the_kind_of_tags(
    tags: tuple[str, str], settings: list[str], filters: int, lengths: list[int], dropout: float
) -> None:
    Path("data.conll").write_text("".join(f"ada {tags[0]}\nsings {tags[1]}\n\n" for _ in range(20)), encoding="utf-8")
    given = ["data=conll", "data.train=data.conll", "trainer.max_epochs=1", "encoder.hidden_size=4", "run_dir=run"]
    assert train.main([*given, *settings]) == 0
    embeddings = json.loads(Path("run/model/config.json").read_text())["model"]["embeddings"]
    assert (embeddings["characters"]["filters"], embeddings["affixes"]["lengths"]) == (filters, lengths)
    assert embeddings["word_dropout"] == dropout
