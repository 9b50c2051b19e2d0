"""Vector files of each kind are read as they were written, real ones as their source says."""

from __future__ import annotations

import tempfile
import tracemalloc
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from numpy.typing import NDArray
from safetensors.numpy import save_file

from tagger.corpus.readers.account import ReadReport
from tagger.corpus.readers.columns import read_columns
from tagger.features.vectors.files import read_vectors
from tagger.features.vectors.table import coverage
from tests.helpers.vector_writers import (
    ALL,
    ARRAYS,
    WORDS,
    Writer,
    assert_table,
    fasttext,
    glove,
    gzipped_binary,
    gzipped_glove,
    npz,
    put,
    random_vectors,
    safetensors,
    word2vec_binary,
)


@pytest.mark.parametrize("write", ALL)
@pytest.mark.parametrize("width", [2, 50])
def test_what_was_written_is_read(write: Writer, width: int, tmp_path: Path) -> None:
    vectors = random_vectors(len(WORDS), width)
    table = read_vectors(write(tmp_path, WORDS, vectors))
    assert_table(table, WORDS, vectors)
    assert table.width == width
    assert table.notes == []


# words of any script without white space; text formats part words and numbers at ASCII's alone
word_lists = st.lists(
    st.text(st.characters(exclude_categories=["Cs", "Zs", "Zl", "Zp", "Cc"]), min_size=1, max_size=12),
    min_size=1,
    max_size=8,
    unique=True,
)


@pytest.mark.parametrize("write", ALL)
@given(words=word_lists, width=st.integers(2, 6), seed=st.integers(0, 9))
@example(words=["nan", "1", "-2.5"], width=2, seed=0)
@example(words=["3"], width=2, seed=0)
@example(words=["\ufeffx", "y"], width=3, seed=0)
def test_any_words_are_read_back(write: Writer, words: list[str], width: int, seed: int) -> None:
    vectors = random_vectors(len(words), width, seed)
    if words[0].startswith("\ufeff"):
        words = ["the", *words]  # at the start of a file it is a mark of the encoding
        vectors = random_vectors(len(words), width, seed)
    with tempfile.TemporaryDirectory() as folder:
        assert_table(read_vectors(write(Path(folder), words, vectors)), words, vectors)


@pytest.mark.parametrize("write", ALL)
def test_many_rows_are_read_in_their_order(write: Writer, tmp_path: Path) -> None:
    words = [f"w{number}" for number in range(3000)]
    vectors = random_vectors(3000, 40)
    assert_table(read_vectors(write(tmp_path, words, vectors)), words, vectors)


def test_words_may_hold_blanks(tmp_path: Path) -> None:
    lines = b"the 0.1 0.2\n. . . 0.3 0.4\nat name@domain.com 0.5 0.6\nof 0.7 0.8\n"
    path = put(tmp_path / "840B.txt", lines)
    expected = np.array([[0.1, 0.2], [0.3, 0.4], [0.5, 0.6], [0.7, 0.8]], np.float32)
    assert_table(read_vectors(path), ["the", ". . .", "at name@domain.com", "of"], expected)


@pytest.mark.parametrize("write", ALL)
def test_of_a_repeated_word_the_first_counts_and_is_reported(write: Writer, tmp_path: Path) -> None:
    vectors = random_vectors(5, 4)
    path = write(tmp_path, ["a", "b", "a", "c", "a"], vectors)
    table = read_vectors(path)
    assert_table(table, ["a", "b", "c"], vectors[[0, 1, 3]])
    [note] = table.notes
    assert "2 words" in note
    assert "'a'" in note
    assert path.stem.partition(".")[0] in note or "metadata" in note or "words.txt" in note or "vocab.txt" in note


def test_numbers_are_read_as_python_reads_them(tmp_path: Path) -> None:
    numbers = ["1", "-2.", "+.5", "1e-3", "-4.25E+2", "0.1234567890123456789", "1e-60"]
    path = put(tmp_path / "v.txt", f"w {' '.join(numbers)}\n".encode())
    expected = np.array([[float(number) for number in numbers]]).astype(np.float32)
    np.testing.assert_array_equal(read_vectors(path).vectors, expected)


def test_blank_lines_do_no_harm(tmp_path: Path) -> None:
    path = put(tmp_path / "v.vec", b"2 2\na 1 2\n\nb 3 4\n \n")
    assert read_vectors(path).words == ["a", "b"]


@pytest.mark.parametrize(
    ("content", "notes"), [(b"a 1 2\nb 3 4\n", 0), (b"a 1 2\nb 3 4", 1), (b"2 2\na 1 2\nb 3 4", 0)]
)
def test_text_that_may_be_cut_off_in_its_last_number_is_reported(content: bytes, notes: int, tmp_path: Path) -> None:
    table = read_vectors(put(tmp_path / "v.txt", content))
    assert table.words == ["a", "b"]
    assert [":2: no line end" in note for note in table.notes] == [True] * notes


@pytest.mark.parametrize("write", [npz, safetensors])
def test_a_words_file_that_is_named_counts(write: Writer, tmp_path: Path) -> None:
    vectors = random_vectors(2, 3)
    path = write(tmp_path, ["a", "b"], vectors)
    mine = put(tmp_path / "mine", b"c\r\nd\r\n")
    assert_table(read_vectors(path, words_file=mine), ["c", "d"], vectors)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("kind", ["npz", "safetensors"])
def test_other_floats_become_float32(kind: str, dtype: type, tmp_path: Path) -> None:
    array: NDArray[np.floating] = random_vectors(3, 4).astype(dtype)
    put(tmp_path / "words.txt", b"a\nb\nc\n")
    if kind == "npz":
        np.savez(tmp_path / "v.npz", array)
    else:
        save_file({"v": array}, tmp_path / "v.safetensors")
    assert_table(read_vectors(tmp_path / f"v.{kind}"), ["a", "b", "c"], array.astype(np.float32))


@pytest.mark.extended
@pytest.mark.parametrize("write", [glove, gzipped_glove, fasttext, word2vec_binary, gzipped_binary, *ARRAYS[:2]])
def test_reading_takes_little_more_memory_than_the_table(write: Writer, tmp_path: Path) -> None:
    words = [f"word{number}" for number in range(8000)]
    path = write(tmp_path, words, np.round(random_vectors(8000, 200), 2))  # 6.4 MB as float32
    read_vectors(put(tmp_path / "small", b"a 1 2\n"))  # what a first call sets up is not counted
    tracemalloc.start()
    try:
        table = read_vectors(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    strings = 2_500_000  # the words themselves, and blocks of a constant size
    assert peak < 1.15 * table.vectors.nbytes + strings


# real files


def test_the_glove_sample_is_as_its_source_says(shared_data: Path) -> None:
    path = vectors_en(shared_data) / "glove.6B.50d.2987words.txt"
    table = read_vectors(path)
    assert table.vectors.shape == (2987, 50)
    vectors, found = table.look_up(["the"])
    assert found.all()
    np.testing.assert_array_equal(vectors[0, :3], np.array([0.418, 0.24968, -0.41242], np.float32))


def test_the_trimmed_array_is_as_its_source_says(shared_data: Path) -> None:
    table = read_vectors(vectors_en(shared_data) / "glove.6B.300d.trimmed.npz")
    assert table.vectors.shape == (2253, 300)
    vectors, found = table.look_up(["the", "$UNK$", "$NUM$"])
    assert found.all()
    np.testing.assert_allclose(vectors[0, :3], [0.04656, 0.21318, -0.0074364], rtol=1e-6)
    assert not vectors[1:].any()


FIGURES = [  # of SOURCE.md: file, data set, share of tokens and of distinct words, in %
    ("glove.6B.50d.2987words.txt", "wnut17/wnut17train.conll", 67.7, 21.4),
    ("glove.6B.50d.2987words.txt", "wnut17/emerging.dev.conll", 75.7, 37.0),
    ("glove.6B.50d.2987words.txt", "wnut17/emerging.test.annotated", 71.7, 32.5),
    ("glove.6B.300d.trimmed.npz", "wnut17/wnut17train.conll", 50.3, 15.3),
    ("glove.6B.300d.trimmed.npz", "wnut17/emerging.dev.conll", 51.4, 30.3),
    ("glove.6B.300d.trimmed.npz", "wnut17/emerging.test.annotated", 43.9, 20.4),
]


@pytest.mark.parametrize(("file", "corpus", "tokens", "types"), FIGURES)
def test_the_coverage_is_as_the_source_says(
    file: str, corpus: str, tokens: float, types: float, shared_data: Path
) -> None:
    path = shared_data / corpus
    if not path.is_file():
        pytest.skip(f"no {path}")
    counts = Counter(token for sentence in read_columns(path, ReadReport(str(path))) for token in sentence.tokens)
    table = read_vectors(vectors_en(shared_data) / file)
    assert str(coverage(table, counts)) == f"{tokens} % of tokens, {types} % of types"


def vectors_en(shared_data: Path) -> Path:
    folder = shared_data / "vectors_en"
    if not folder.is_dir():
        pytest.skip(f"no {folder}")
    return folder
