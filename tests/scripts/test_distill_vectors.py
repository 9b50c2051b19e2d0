"""What the distilling script does without model2vec: its checks, its files, its one-line errors."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from tagger.errors import UserError
from tests.helpers.scripts import load_script

pytestmark = pytest.mark.extended

BERT = {
    "normalizer": {
        "type": "BertNormalizer",
        "clean_text": True,
        "handle_chinese_chars": True,
        "strip_accents": None,
        "lowercase": True,
    },
    "pre_tokenizer": {"type": "BertPreTokenizer"},
    "model": {"type": "WordPiece", "continuing_subword_prefix": "##", "max_input_chars_per_word": 100},
}


@pytest.fixture(scope="module")
def script() -> ModuleType:
    return load_script("distill_vectors.py")


@pytest.mark.parametrize(
    ("piece", "expected"),
    [
        ("london", True),
        ("##ing", True),
        ("中", True),
        ("!", True),
        ("##5", True),
        ("##中", False),
        ("##!", False),
        ("...", False),
        ("[PAD]", False),
        ("##", False),
        ("London", False),
        ("é", False),
        ("two words", False),
    ],
)
def test_pieces_that_no_word_has_are_left_out(script: ModuleType, piece: str, expected: bool) -> None:
    assert script.is_reachable(piece) is expected


def test_an_uncased_wordpiece_tokenizer_is_taken(script: ModuleType) -> None:
    script.check_tokenizer("some/encoder", json.loads(json.dumps(BERT)))


@pytest.mark.parametrize(
    "change",
    [
        {"normalizer": None},
        {"normalizer": {**BERT["normalizer"], "lowercase": False}},
        {"normalizer": {**BERT["normalizer"], "strip_accents": False}},
        {"pre_tokenizer": {"type": "ByteLevel"}},
        {"model": {"type": "Unigram"}},
        {"model": {**BERT["model"], "continuing_subword_prefix": ""}},
    ],
)
def test_any_other_tokenizer_is_refused(script: ModuleType, change: dict[str, Any]) -> None:
    with pytest.raises(UserError, match=r"some/encoder: its tokenizer .* is not BERT's .* give --words FILE"):
        script.check_tokenizer("some/encoder", {**BERT, **change})


def test_words_are_read_once_each_and_written_in_word2vecs_format(script: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "words.txt").write_text("b\na\n\nb \nÄ\n", encoding="utf-8")
    words = script.read_words(tmp_path / "words.txt")
    script.write_words(tmp_path / "words.vec", words, np.array([[0.5, -1], [0, 0.123456], [1, 0]], dtype=np.float32))
    lines = (tmp_path / "words.vec").read_text(encoding="utf-8").splitlines()
    assert lines == ["3 2", "a 0.50000 -1.00000", "b 0.00000 0.12346", "Ä 1.00000 0.00000"]


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"a\ntwo words\n", "words.txt:2: expected one word a line"), (b"\xff", "words.txt: cannot read the words")],
)
def test_a_file_that_is_no_word_list_is_refused(
    script: ModuleType, tmp_path: Path, content: bytes, message: str
) -> None:
    (tmp_path / "words.txt").write_bytes(content)
    with pytest.raises(UserError, match=re.escape(message)):
        script.read_words(tmp_path / "words.txt")


def test_without_model2vec_it_says_what_to_install(
    script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "model2vec", None)
    assert script.main(["--encoder", "some/encoder", "--output", str(tmp_path / "out")]) == 2
    error = capsys.readouterr().err
    assert re.fullmatch(r"error: distilling needs more packages .*: pip install 'model2vec\[distill\]'\n", error)
    assert not (tmp_path / "out").exists()


def test_words_that_cannot_be_used_end_the_script_before_the_encoder_is_loaded(
    script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("model2vec", "model2vec.distill"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    paths = ["--output", str(tmp_path / "out.vec"), "--words", str(tmp_path / "none.txt")]
    assert script.main(["--encoder", "some/encoder", *paths]) == 2
    assert (
        capsys.readouterr().err == f"error: {tmp_path / 'none.txt'}: cannot read the words: No such file or directory\n"
    )


def test_the_size_has_to_be_positive(script: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        script.main(["--encoder", "x", "--output", "y", "--size", "0"])
    assert "--size must be at least 1" in capsys.readouterr().err
