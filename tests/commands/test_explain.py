"""tagger explain: a table, a page and a record of sentences; wrong use is one line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tagger.commands.main import run_command
from tagger.config import EncoderConfig
from tagger.corpus.sentence import Sentence
from tagger.generation.forward_model import ForwardModel
from tagger.predict import load
from tests.helpers.language_models import random_language_model
from tests.helpers.random_models import random_folder

pytestmark = pytest.mark.extended


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("explained") / "model"
    random_folder(encoder=EncoderConfig(layers=2, hidden_size=5)).save(path, "")
    return path


def test_a_sentence_s_table_page_and_record(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page, record = tmp_path / "gates.html", tmp_path / "gates.json"
    assert (
        run_command(
            "explain", ["--model", str(model), "Anna lives in York", "--output", str(page), "--json", str(record)]
        )
        == 0
    )
    header, *lines = capsys.readouterr().out.splitlines()
    assert header.split()[:5] == ["word", "tag", "1", "forward", "z"]
    words = ["Anna", "lives", "in", "York"]
    assert [line.split()[0] for line in lines] == words
    (sentence,) = json.loads(record.read_text(encoding="utf-8"))["sentences"]
    (tagged,) = load(model).tag_sentences([Sentence(words)])
    assert sentence["tags"] == tagged.tags
    assert [layer["layer"] for layer in sentence["layers"]] == [1, 2]
    assert np.array(sentence["layers"][1]["forward"]["state"]).shape == (4, 5)
    assert "Layer 2" in page.read_text(encoding="utf-8")


def test_layers_and_units_are_chosen(model: Path, tmp_path: Path) -> None:
    record = tmp_path / "gates.json"
    chosen = ["--layer", "2", "--units", "3,0"]
    assert run_command("explain", ["--model", str(model), "Anna lives\nin York", "--json", str(record), *chosen]) == 0
    first, second = json.loads(record.read_text(encoding="utf-8"))["sentences"]
    assert first["tokens"] == ["Anna", "lives"]
    assert second["units"] == [3, 0]
    assert [layer["layer"] for layer in second["layers"]] == [2]
    assert np.array(second["layers"][0]["backward"]["update"]).shape == (2, 2)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([""], "there is no word in the text; give a sentence"),
        ([" \n "], "there is no word in the text; give a sentence"),
        (["x " * 301], "a text of 301 tokens; at most 300 are explained at once: give a part of it"),
        (["x", "--layer", "3"], "--layer 3: the model has layers 1 to 2; give one that it has"),
        (["x", "--layer", "0"], "--layer 0: the model has layers 1 to 2; give one that it has"),
        (["x", "--units", "5"], "--units 5: the layer has units 0 to 4; give some of these"),
        (["x", "--units", "-1"], "--units -1: the layer has units 0 to 4; give some of these"),
        (["x", "--units", "a"], "--units a: expected numbers of units with commas between, such as 3,17"),
        (["x", "--tokenizer", "nltk"], "tokenizer 'nltk' is unknown; use syntok, whitespace, characters or spacy:LANG"),
        (["x", "--encoder", "here"], "encoder here: the model has none; leave it out"),
        (["x", "--model", "nowhere"], "nowhere: no such model folder; train one, or give the path of a folder with"),
    ],
)
def test_wrong_use_is_one_line(
    model: Path, arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command("explain", ["--model", str(model), *arguments]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"tagger explain: {told}")
    assert error.count("\n") == 1


def test_a_language_model_says_how_probable_each_word_was(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = random_language_model()
    folder.save(tmp_path / "lm", "")
    given = ["--model", str(tmp_path / "lm"), "Ada met Bo", "--json", str(tmp_path / "found.json")]
    assert run_command("explain", given) == 0
    header, *rows = capsys.readouterr().out.splitlines()
    assert header.split() == ["word", "expected", "probability", "z", "r"]
    assert [row.split()[0] for row in rows] == ["Ada", "met", "Bo", "(end)"]
    (sentence,) = json.loads((tmp_path / "found.json").read_text())["sentences"]
    model, words = ForwardModel(folder), ["Ada", "met", "Bo"]
    state = model.begin()
    for word, number, probability in zip(
        [*words, ""], [*folder.predicted.numbers(words), 0], sentence["probabilities"], strict=True
    ):
        assert probability == pytest.approx(np.exp(model.log_probabilities(state)[number]))
        state = model.read(state, word) if word else state
    np.testing.assert_allclose(sentence["forward"]["state"][-1], state.hidden[0], rtol=1e-4)
    assert run_command("explain", ["--model", str(tmp_path / "lm"), "Ada", "--output", "x.html"]) == 2
    assert "are for taggers" in capsys.readouterr().err
