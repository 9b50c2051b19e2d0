"""tag.py --scores, --min-score and --n-best, end to end, with models of random weights."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import tagger
from tagger.commands.tag import main
from tagger.corpus.schemes import Scheme
from tagger.predict import Tagger
from tests.helpers.random_models import random_folder

TEXT = "Anna Maria Smith lives in New York .\n\nΟ Γιώργος μένει στην Αθήνα .\n北京 Acme-3 x\n"

Run = Callable[..., str]


@pytest.fixture
def models(in_tmp_path: Path) -> Path:
    """A folder with a file of text and models that give entities (`ner`, `softmax`) and plain tags (`pos`)."""
    random_folder(seed=1).save(in_tmp_path / "ner", "")
    random_folder(scheme=Scheme.IOB2, decoder="softmax", seed=1).save(in_tmp_path / "softmax", "")
    random_folder(scheme=Scheme.PLAIN, seed=1).save(in_tmp_path / "pos", "")
    (in_tmp_path / "a.txt").write_text(TEXT, encoding="utf-8")
    return in_tmp_path


@pytest.fixture
def run(models: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """What `tag.py` writes."""

    def call(*arguments: str, model: str = "ner") -> str:
        assert main(["--model", model, "a.txt", *arguments]) == 0
        return capsys.readouterr().out

    return call


def records(out: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.splitlines()]


def loaded(model: str = "ner") -> Tagger:
    return tagger.load(model)


@pytest.mark.parametrize("model", ["ner", "softmax"])
def test_scores_are_those_of_the_tagger(run: Run, model: str) -> None:
    written = records(run("--scores", model=model))
    assert sum(len(record["entities"]) for record in written) > 3
    for record, line in zip(written, TEXT.splitlines(), strict=True):
        found = loaded(model).tag(line, scores=True).entities
        assert record["entities"] == [{**one._asdict(), "score": round(one.score or 0, 4)} for one in found]


@pytest.mark.parametrize("options", [["--scores"], ["--n-best", "2"], ["--min-score", "0"]])
@pytest.mark.parametrize("layout", [["--tokens"], []])
def test_an_option_adds_to_the_output_and_changes_nothing_else(run: Run, options: list[str], layout: list[str]) -> None:
    more = records(run(*options, *layout))
    for record in more:
        record.pop("alternatives", None)
        for entity in record["entities"]:
            entity.pop("score", None)
    assert more == records(run(*layout))


@pytest.mark.parametrize("output_format", ["jsonl", "conll", "html"])
@pytest.mark.parametrize("model", ["ner", "pos"])
def test_without_options_nothing_of_scores_is_written(run: Run, output_format: str, model: str) -> None:
    written = run("--format", output_format, model=model)
    assert "score" not in written
    assert "alternatives" not in written
    assert "title=" not in written
    if output_format == "conll":
        assert {line.count("\t") for line in written.splitlines() if line} == {1}


def test_plain_tags_have_a_list_of_scores(run: Run) -> None:
    for record, line in zip(records(run("--scores", model="pos")), TEXT.splitlines(), strict=True):
        document = loaded("pos").tag(line, scores=True)
        found = [score or 0 for sentence in document.sentences for score in sentence.scores or []]
        assert record["scores"] == [round(score, 4) for score in found]
        assert len(record["scores"]) == len(record["tokens"]) == len(record["tags"])


@pytest.mark.parametrize("model", ["ner", "pos"])
def test_the_columns_hold_the_score_before_the_tag(run: Run, model: str) -> None:
    plain, scored = (run("--format", "conll", *options, model=model).split("\n") for options in ([], ["--scores"]))
    assert len(scored) == len(plain)
    for line, other in zip(scored, plain, strict=True):
        if not line:
            assert other == ""
            continue
        token, score, tag = line.split("\t")
        assert f"{token}\t{tag}" == other
        assert score == "_" if tag == "O" else 0 <= float(score) <= 1
    assert any("\t0." in line for line in scored)


@pytest.mark.parametrize("model", ["ner", "pos"])
def test_the_page_shows_scores_as_titles(run: Run, model: str) -> None:
    page = run("--format", "html", "--scores", model=model)
    marks = sum(len(record.get("entities", record.get("tags"))) for record in records(run(model=model)))
    assert page.count(' title="0.') + page.count(' title="1.0000"') == marks > 3


def scored_entities(out: str) -> list[dict[str, Any]]:
    return [entity for record in records(out) for entity in record["entities"]]


def middle_score(run: Run) -> float:
    scores = sorted(entity["score"] for entity in scored_entities(run("--scores")))
    assert scores[0] < scores[-1]
    return sum(scores) / len(scores)


def test_less_probable_entities_are_left_out(run: Run) -> None:
    limit = middle_score(run)
    kept = [entity for entity in scored_entities(run("--scores")) if entity["score"] >= limit]
    assert scored_entities(run("--scores", "--min-score", f"{limit}")) == kept
    without = [{key: value for key, value in entity.items() if key != "score"} for entity in kept]
    assert scored_entities(run("--min-score", f"{limit}")) == without


def test_a_limit_for_a_label_goes_before_the_general_one(run: Run) -> None:
    everything = scored_entities(run("--scores"))
    labels = sorted({entity["label"] for entity in everything})
    assert len(labels) > 1
    for arguments, kept in (
        (["--min-score", f"{labels[0]}=1"], labels[1:]),
        (["--min-score", "1", "--min-score", f"{labels[0]}=0"], labels[:1]),
        (["--min-score", f"{labels[0]}=0", "--min-score", f"{labels[1]}=0", "--min-score", "1"], labels[:2]),
    ):
        expected = [entity for entity in everything if entity["label"] in kept]
        assert scored_entities(run("--scores", *arguments)) == expected


def test_what_is_left_out_is_outside_in_tags_too(run: Run) -> None:
    limit = middle_score(run)
    lines = run("--format", "conll", "--scores", "--min-score", f"{limit}").split("\n")
    plain = run("--format", "conll", "--scores").split("\n")
    for line, other in zip(lines, plain, strict=True):
        token, _, score = other.partition("\t")
        number = score.partition("\t")[0]
        left_out = number not in ("", "_") and float(number) < limit
        assert line == (f"{token}\t_\tO" if left_out else other)
    assert lines != plain


@pytest.mark.parametrize("model", ["ner", "softmax", "pos"])
def test_alternatives_stand_by_sentence_with_their_place_in_the_record(run: Run, model: str) -> None:
    for record, line in zip(
        records(run("--n-best", "3", "--unit", "line", model=model)), TEXT.splitlines(), strict=True
    ):
        document = loaded(model).tag(line, n_best=3)
        assert len(record["alternatives"]) == len(document.sentences)
        first = []
        for found, sentence in zip(record["alternatives"], document.sentences, strict=True):
            assert line[found["start"] : found["end"]].split() == sentence.tokens
            expected = [float(f"{score:.4g}") for _, score in sentence.alternatives or []]
            assert [tagging["score"] for tagging in found["taggings"]] == expected
            assert len(expected) == 3
            if model == "pos":
                assert [one["tags"] for one in found["taggings"]] == [tags for tags, _ in sentence.alternatives or []]
            for entity in [one for tagging in found["taggings"] for one in tagging.get("entities", [])]:
                assert line[entity["start"] : entity["end"]] == entity["text"]
                assert list(entity) == ["start", "end", "label", "text"]
            first += found["taggings"][0]["tags" if model == "pos" else "entities"]
        assert first == record["tags" if model == "pos" else "entities"]


def test_alternatives_of_given_tokens_count_in_these_joined(run: Run, models: Path, capsys: Any) -> None:
    (models / "b.jsonl").write_text('{"tokens": ["New York", "x"]}\n{"tokens": []}\n', encoding="utf-8")
    assert main(["--model", "ner", "b.jsonl", "--n-best", "1"]) == 0
    one, none = records(capsys.readouterr().out)
    assert [(found["start"], found["end"]) for found in one["alternatives"]] == [(0, len("New York x"))]
    assert none["alternatives"] == []


def test_a_minimum_leaves_alternatives_as_they_are(run: Run) -> None:
    taggings = [record["alternatives"] for record in records(run("--n-best", "2"))]
    strict = records(run("--n-best", "2", "--min-score", "1"))
    assert [record["alternatives"] for record in strict] == taggings
    assert not any(record["entities"] for record in strict)


REFUSED = [
    (["--min-score", "1.5"], "--min-score 1.5: expected P or LABEL=P with P from 0 to 1"),
    (["--min-score", "-0.1"], "--min-score -0.1: expected P or LABEL=P"),
    (["--min-score", "nan"], "--min-score nan: expected P or LABEL=P"),
    (["--min-score", "much"], "--min-score much: expected P or LABEL=P"),
    (["--min-score", "PER="], "--min-score PER=: expected P or LABEL=P"),
    (["--min-score", "PER=2"], "--min-score PER=2: expected P or LABEL=P"),
    (["--min-score", "0.5", "--min-score", "0.6"], "--min-score 0.6: given twice for all labels"),
    (["--min-score", "PER=0.5", "--min-score", "PER=0.6"], "--min-score PER=0.6: given twice for PER"),
    (["--min-score", "PRS=0.5"], "--min-score: the model knows no label 'PRS'; use one of LOC, ORG, PER"),
    (["--min-score", "=0.5"], "--min-score: the model knows no label ''"),
    (["--min-score", "0.5", "--model", "pos"], "--min-score: the model gives every token a plain tag"),
    (["--n-best", "0"], "--n-best 0: expected a whole number from 1 to 100"),
    (["--n-best", "101"], "--n-best 101: expected a whole number"),
    (["--n-best", "2.5"], "--n-best 2.5: expected a whole number"),
    (["--n-best", "2", "--format", "conll"], "--n-best belongs to --format jsonl, parquet and csv, not to conll"),
    (["--n-best", "2", "--format", "html"], "--n-best belongs to --format jsonl, parquet and csv, not to html"),
    (["--n-best", "2", "--text-field", "alternatives"], "--text-field alternatives: alternatives are written there"),
    (["--scores", "--text-field", "scores"], "--text-field scores: scores are written there"),
]


@pytest.mark.parametrize(("arguments", "message"), REFUSED)
def test_refused_in_one_line(
    models: Path, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--model", "ner", "a.txt", *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"tag.py: {message}")
    assert err.count("\n") == 1
