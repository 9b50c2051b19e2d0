"""Folders that model2vec writes: the vectors it gives itself, and what cannot be read."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from model2vec import StaticModel
from safetensors.numpy import load_file, save_file
from tokenizers import Tokenizer
from tokenizers.models import WordPiece
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer, Whitespace

from tagger.errors import UserError
from tagger.features.vectors.model2vec import read_model2vec
from tagger.features.vectors.open import open_static

PIECES = ("[PAD]", "[UNK]", "a", "##b", "##c", "abc", "-", "é", "cafe", "the")
WORDS = ["a", "abc", "ABC", "acb", "Café", "the-abc", "zzz", "a-zzz", "", "[PAD]x"]


def tokenizer() -> Tokenizer:
    found = Tokenizer(WordPiece({piece: number for number, piece in enumerate(PIECES)}, unk_token="[UNK]"))
    found.normalizer, found.pre_tokenizer = BertNormalizer(), BertPreTokenizer()
    return found


def random_vectors(rows: int, width: int = 4) -> np.ndarray:
    return np.random.default_rng(1).normal(size=(rows, width)).astype(np.float32)


def shared_rows() -> dict[str, Any]:
    """What `vocabulary_quantization` leaves: fewer vectors than pieces, and a weight for each piece."""
    return {
        "vectors": random_vectors(3),
        "token_mapping": np.arange(len(PIECES)) % 3,
        "weights": np.linspace(0.1, 2, len(PIECES)),
    }


@pytest.mark.parametrize("model", [{"vectors": random_vectors(len(PIECES))}, shared_rows()], ids=["plain", "quantised"])
def test_words_have_the_vectors_that_model2vec_gives(model: dict[str, Any], tmp_path: Path) -> None:
    static = StaticModel(tokenizer=tokenizer(), normalize=True, **model)
    static.save_pretrained(tmp_path)
    found, known = read_model2vec(tmp_path).look_up(WORDS)
    np.testing.assert_allclose(found, static.encode(WORDS), atol=1e-6)
    assert known.tolist() == [word not in ("zzz", "") and "[" not in word for word in WORDS]


def write(folder: Path) -> Path:
    StaticModel(random_vectors(len(PIECES)), tokenizer(), normalize=True).save_pretrained(folder)
    return folder


def changed(change: Callable[[dict[str, Any]], object]) -> Callable[[Path], object]:
    def damage(folder: Path) -> None:
        parsed = json.loads((folder / "tokenizer.json").read_text())
        change(parsed)
        (folder / "tokenizer.json").write_text(json.dumps(parsed))

    return damage


def with_tensors(**tensors: np.ndarray) -> Callable[[Path], object]:
    def damage(folder: Path) -> None:
        kept = load_file(folder / "model.safetensors") if "embeddings" not in tensors else {}
        save_file({**kept, **tensors}, folder / "model.safetensors")

    return damage


def cut(name: str) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_bytes((folder / name).read_bytes()[:-9])


BROKEN = {
    "unigram": (changed(lambda json: json["model"].update(type="Unigram")), "its tokenizer is a Unigram; only BERT's"),
    "cased": (changed(lambda json: json["normalizer"].update(lowercase=False)), "other lowercase; only BERT's"),
    "accents": (changed(lambda json: json["normalizer"].update(strip_accents=False)), "other strip_accents; only"),
    "white space": (
        changed(lambda json: json.update(pre_tokenizer=json_of(Whitespace()))),
        "prepares words by BertNormalizer and Whitespace; only",
    ),
    "no normaliser": (changed(lambda json: json.update(normalizer=None)), "prepares words by None and BertPre"),
    "a gap": (changed(lambda json: json["model"]["vocab"].pop("a")), "the pieces' numbers are not 0 to 8"),
    "no number": (changed(lambda json: json["model"]["vocab"].update(a="b")), "not the JSON of a tokenizer"),
    "a list": (changed(lambda json: json.update(model=[])), "not the JSON of a tokenizer"),
    "a line break": (
        changed(lambda json: json["model"]["vocab"].update({"x\ny": len(PIECES)})),
        "'x\\ny' is no word piece",
    ),
    "cut JSON": (cut("tokenizer.json"), "not the JSON of a tokenizer: Unterminated"),
    "cut tensors": (cut("model.safetensors"), "model.safetensors: damaged: "),
    "another model": (with_tensors(embeddings=random_vectors(3)), "10 pieces in tokenizer.json, but 3 rows"),
    "one dimension": (with_tensors(embeddings=np.ones(10, np.float32)), "shape (10,), expected (pieces, width)"),
    "not finite": (with_tensors(embeddings=np.full((10, 2), np.nan, np.float32)), "row 0 holds no sensible numbers"),
    "a mapping beyond": (with_tensors(mapping=np.full(10, 99)), "model.safetensors: damaged: index 99"),
    "too few weights": (with_tensors(weights=np.ones(3, np.float32)), "model.safetensors: damaged: operands"),
}


def json_of(part: object) -> dict[str, Any]:
    return {"type": type(part).__name__}


@pytest.mark.parametrize("name", BROKEN)
def test_what_cannot_be_read_is_reported_in_a_line(name: str, tmp_path: Path) -> None:
    damage, told = BROKEN[name]
    damage(write(tmp_path))
    with pytest.raises(UserError, match=re.escape(told)) as caught:
        open_static(str(tmp_path))
    assert str(caught.value).startswith(str(tmp_path))
    assert "\n" not in str(caught.value)


def test_tensors_of_something_else_are_reported(tmp_path: Path) -> None:
    save_file({"weight": random_vectors(3)}, write(tmp_path) / "model.safetensors")
    with pytest.raises(UserError, match=re.escape("no tensor `embeddings`, only ['weight']")):
        open_static(str(tmp_path))
