"""The cache of contextual vectors: computed once, kept by content, made anew where it is damaged."""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tagger.errors import UserError
from tagger.features.context import FrozenContext, cached_vectors
from tagger.files import cache_folder

SENTENCES = [["a", "bb"], [], ["ccc"]]


class Encoder:
    """Gives a word's length and its number in the corpus, and counts how often it was asked."""

    def __init__(self) -> None:
        self.runs = 0

    def __call__(self, sentences: Sequence[Sequence[str]], vectors: NDArray[Any]) -> None:
        self.runs += 1
        vectors[:] = [(len(word), number) for number, word in enumerate(w for words in sentences for w in words)]


def vectors_of(encoder: Encoder, folder: Path, sentences: list[list[str]] = SENTENCES, key: str = "k") -> Any:
    return cached_vectors(sentences, 2, encoder, key=key, folder=folder)


def test_the_second_time_nothing_is_computed(tmp_path: Path) -> None:
    encoder = Encoder()
    first = np.array(vectors_of(encoder, tmp_path))
    np.testing.assert_array_equal(vectors_of(encoder, tmp_path), first)
    assert first.tolist() == [[1, 0], [2, 1], [3, 2]]
    assert encoder.runs == 1


@pytest.mark.parametrize(
    ("sentences", "key"), [([["a", "bb"], ["ccc"]], "k"), (SENTENCES, "other"), ([["a"], ["bb", "ccc"]], "k")]
)
def test_other_sentences_or_another_encoder_are_another_entry(
    tmp_path: Path, sentences: list[list[str]], key: str
) -> None:
    encoder = Encoder()
    vectors_of(encoder, tmp_path)
    vectors_of(encoder, tmp_path, sentences, key)
    assert encoder.runs == 2


@pytest.mark.parametrize("kept", [0, 10, 130, -1])
def test_a_file_cut_off_is_made_anew(tmp_path: Path, kept: int) -> None:
    encoder = Encoder()
    expected = np.array(vectors_of(encoder, tmp_path))
    (path,) = tmp_path.rglob("*.npy")
    path.write_bytes(path.read_bytes()[:kept])
    np.testing.assert_array_equal(vectors_of(encoder, tmp_path), expected)
    assert encoder.runs == 2


def test_a_changed_number_is_noticed(tmp_path: Path) -> None:
    encoder = Encoder()
    expected = np.array(vectors_of(encoder, tmp_path))
    (path,) = tmp_path.rglob("*.npy")
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    np.testing.assert_array_equal(vectors_of(encoder, tmp_path), expected)


def test_a_computation_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    def failing(sentences: Sequence[Sequence[str]], vectors: NDArray[Any]) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cached_vectors(SENTENCES, 2, failing, key="k", folder=tmp_path)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_cache_that_cannot_be_written_is_told_in_a_line(tmp_path: Path) -> None:
    (tmp_path / "encoder").write_text("a file", encoding="utf-8")
    with pytest.raises(UserError, match=r"cannot write to the cache: .*set TAGGER_CACHE to a folder"):
        vectors_of(Encoder(), tmp_path)


@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="this system does not reserve disk")
def test_the_disk_is_reserved_before_anything_is_computed(tmp_path: Path) -> None:
    words, width = 1000, 64
    reserved = []

    def encode(sentences: Sequence[Sequence[str]], vectors: NDArray[Any]) -> None:
        (made,) = tmp_path.rglob("*.npy")
        reserved.append(made.stat().st_blocks * 512)

    cached_vectors([["a"] * words], width, encode, key="k", folder=tmp_path)
    assert reserved[0] >= words * width * 2


def test_a_full_disk_is_told_in_a_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full, raising=False)
    with pytest.raises(UserError, match=r"No space left on device; free the disk, or set TAGGER_CACHE"):
        vectors_of(Encoder(), tmp_path)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_the_folder_is_where_the_environment_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("TAGGER_CACHE", raising=False)
    assert cache_folder() == tmp_path / "tagger"
    monkeypatch.setenv("TAGGER_CACHE", str(tmp_path / "here"))
    assert cache_folder() == tmp_path / "here"


def test_a_batch_takes_the_words_it_asks_for() -> None:
    vectors = np.arange(6, dtype=np.float16).reshape(3, 2)
    taken = FrozenContext(vectors).take(np.array([1]), np.array([2, 0]))
    assert taken.vectors.tolist() == [[4, 5], [0, 1]]
    assert (taken.vectors.dtype, taken.pieces) == (np.float32, None)
