"""`generate.py`: text on standard output, scores on request, refusals in one line."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tagger.commands.main import run_command
from tests.helpers.language_models import random_language_model


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A language model's folder."""
    folder = tmp_path_factory.mktemp("lm") / "model"
    random_language_model().save(folder, "# card\n")
    return str(folder)


def test_text_continues_the_prompt(model: str, capsys: pytest.CaptureFixture[str]) -> None:
    given = ["--model", model, "--prompt", "Ada met", "--words", "7", "--seed", "1"]
    assert run_command("generate", given) == 0
    text = capsys.readouterr().out
    assert text.startswith("Ada met ")
    assert text.endswith("\n")
    assert len(text.split()) == 9
    assert run_command("generate", given) == 0
    assert capsys.readouterr().out == text


def test_scores_are_printed_word_by_word(model: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command("generate", ["--model", model, "--words", "5", "--seed", "1", "--scores"]) == 0
    head, *rows = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    assert head == ["word", "probability", "rank"]
    assert len(rows) == 5
    assert all(0 <= float(probability) <= 1 and int(rank) >= 1 for _, probability, rank in rows)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--temperature", "-1"], "--temperature: must lie in"),
        (["--top-p", "2"], "--top-p: must lie in"),
        (["--top-k", "0"], "--top-k: must be at least 1"),
        (["--model", "nowhere"], "no such model folder"),
    ],
)
def test_wrong_use_is_one_line(
    arguments: list[str], expected: str, model: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command("generate", ["--model", model, *arguments]) == 2
    error = capsys.readouterr().err
    assert expected in error
    assert error.count("\n") == 1


def test_weights_that_are_too_large_are_refused_before_they_are_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    random_language_model().save(tmp_path / "lm", "")
    os.truncate(tmp_path / "lm" / "model.safetensors", 1 << 30)
    assert run_command("generate", ["--model", str(tmp_path / "lm")]) == 2
    assert "1,073,741,824 bytes, expected at most" in capsys.readouterr().err


def test_a_damaged_folder_is_refused(model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    random_language_model().save(tmp_path / "lm", "")
    weights = tmp_path / "lm" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    assert run_command("generate", ["--model", str(tmp_path / "lm")]) == 2
    assert "its checksum is not the one" in capsys.readouterr().err
