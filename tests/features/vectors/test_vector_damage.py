"""Damaged vector files, and files that are none: each is refused in one line that says where and what to do."""

from __future__ import annotations

import gzip
import io
import json
import pickle
import struct
import tempfile
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from safetensors.numpy import save_file

from tagger.errors import UserError
from tagger.features.vectors.files import read_vectors
from tests.helpers.vector_writers import (
    ALL,
    WORDS,
    Writer,
    assert_table,
    binary_rows,
    double_npy,
    fasttext,
    glove,
    npz,
    put,
    random_vectors,
    safetensors,
    tabs,
    windows,
    word2vec_binary,
    word2vec_text,
)

pytestmark = pytest.mark.extended


def refused(path: Path, *, words_file: Path | None = None) -> str:
    """What is told of a file that cannot be read; it names the file and is one line."""
    with pytest.raises(UserError) as caught:
        read_vectors(path, words_file=words_file)
    message = str(caught.value)
    assert str(path) in message
    assert "\n" not in message
    return message


THREE = b"a 1 2 3\nb 4 5 6\nc 7 8 9\n"


@pytest.mark.parametrize(
    ("content", "place", "said"),
    [
        (b"a 1 2 3\nb 4 5\nc 7 8 9\n", ":2:", "expected 3 numbers (as in most lines) after the word, found 2"),
        (b"a 1 2 3\nb\nc 7 8 9\n", ":2:", "found 0"),
        (b"a 1 2 3\nb 4 5 6 7\nc 7 8 9\n", ":2:", "found 4"),
        (b"a 1 2 3\nb 4 5 6c 7 8 9\nd 1 2 3\n", ":2:", "found 6"),
        (b"a 1 2 3\nb 4 x5 6\nc 7 8 9\n", ":2:", "number 2 is 'x5'"),
        (b"a 1 2 3\nb 4 1_0 6\nc 7 8 9\n", ":2:", "number 2 is '1_0'"),
        (b"a 1 2 3\nb 4 5,5 6\nc 7 8 9\n", ":2:", "number 2 is '5,5'"),
        (b"a 1 2 3\nb 4 5 nan\nc 7 8 9\n", ":2:", "number 3 is 'nan', which is not finite"),
        (b"a 1 2 3\nb -inf 5 6\nc 7 8 9\n", ":2:", "number 1 is '-inf', which is not finite"),
        (b"a 1 2 3\nb 4 5 1e39\nc 7 8 9\n", ":2:", "number 3 is '1e39', which is not finite"),
        (b"a 1 2 3\nb\xff 4 5 6\nc 7 8 9\n", ":2:", "not UTF-8 (byte 0xff at position 2)"),
        (THREE[:-5], ":3:", "copy the file again if it is cut off here"),
        (b"3 4\n" + THREE, ":2:", "expected 4 numbers (as line 1 announces) after the word, found 3"),
        (b"3 2\n" + THREE, ":2:", "expected 2 numbers (as line 1 announces) after the word, found 3"),
        (b"4 3\n" + THREE, ":1:", "announces 4 words, but 3 are there"),
        (b"2 3\n" + THREE, ":1:", "announces 2 words, but 3 are there"),
        (b"1000000000000 3\n" + THREE, ":1:", "announces 1,000,000,000,000 words, but 3 are there"),
        (b"1000000000000 300\n", ":1:", "announces 1,000,000,000,000 words, but 0 are there"),
        (b"3 1000000000000\n" + THREE, ":1:", "3 words of 1,000,000,000,000 numbers"),
        (b"3 0\n" + THREE, ":1:", "3 words of 0 numbers"),
        (b"0 3\n", ":1:", "0 words of 3 numbers"),
        (b"3 3\n" + THREE[:-5], ":4:", "found 1"),
        (b"one\ntwo\nthree\n", ":1:", "expected a word and its numbers"),
        (b"\n\n", ":1:", "expected a word and its numbers"),
        (b"Not a file of numbers.\n", ":1:", "expected a number, number 1 is 'a'"),
        (b"w " + b"1 " * 600_000, ":1:", "expected a word and its numbers"),
        (b"a 1 2\nb 1 2\nc " + b"1" * 2_000_000, ":3:", "longer than 1,048,576 bytes"),
        (b"a 1 2 " + b"9" * 100, ":1:", "number 3 is '99999999999999999999…', which is not finite"),
    ],
)
@pytest.mark.parametrize("gzipped", [False, True])
def test_damaged_text_is_refused_with_its_line(
    content: bytes, place: str, said: str, gzipped: bool, tmp_path: Path
) -> None:
    path = put(tmp_path / "v.txt", gzip.compress(content, 1, mtime=0) if gzipped else content)
    message = refused(path)
    assert f"{path}{place} " in message
    assert said in message


BINARY = b"3 2\n" + binary_rows(["a", "bb", "c"], random_vectors(3, 2), b"")  # words begin at bytes 4, 14 and 25


@pytest.mark.parametrize(
    ("content", "place", "said"),
    [
        (BINARY[:-1], ": byte 34:", "ends inside word 3 of 3 or its vector"),
        (BINARY[:26], ": byte 26:", "ends inside word 3 of 3 or its vector"),
        (BINARY[:25], ":1:", "announces 3 words, but 2 are there"),
        (BINARY + b"d ", ": byte 35:", "more follows than the 3 words"),
        (b"9" + BINARY, ":1:", "announces 93 words, but 3 are there"),
        (b"1" + BINARY[1:], ": byte 14:", "more follows than the 1 words"),
        (b"1000000000000 2\n" + BINARY[4:], ":1:", "announces 1,000,000,000,000 words, but 3 are there"),
        (b"3 99999999\n" + BINARY[4:], ":1:", "3 words of 99,999,999 numbers"),
        (b"3 50000\n" + BINARY[4:], ": byte 39:", "ends inside word 1 of 3"),
        (BINARY[:14] + b"b\xff" + BINARY[16:], ": byte 14:", "not UTF-8 (byte 0xff at position 2)"),
        (BINARY[:17] + struct.pack("<2f", 1, np.nan) + BINARY[25:], ": byte 14:", "number 2 of word 2 ('bb')"),
        (BINARY[:17] + struct.pack("<2f", -np.inf, 1) + BINARY[25:], ": byte 14:", "number 1 of word 2 ('bb')"),
        (b"3 2\n" + BINARY[4:14] + b"x" * 5000, ": byte 14:", "no word within 4,096 bytes"),
    ],
)
@pytest.mark.parametrize("gzipped", [False, True])
def test_damaged_binary_is_refused_with_its_offset(
    content: bytes, place: str, said: str, gzipped: bool, tmp_path: Path
) -> None:
    path = put(tmp_path / "v.bin", gzip.compress(content, mtime=0) if gzipped else content)
    message = refused(path)
    assert f"{path}{place} " in message
    assert said in message


@pytest.mark.parametrize("width", [2, 4, 49, 51, 300])
def test_a_binary_header_with_another_width_is_refused(width: int, tmp_path: Path) -> None:
    rows = binary_rows(WORDS, random_vectors(len(WORDS), 50), b"\n")
    assert "byte" in refused(put(tmp_path / "v.bin", f"{len(WORDS)} {width}\n".encode() + rows))


@pytest.mark.parametrize("write", [word2vec_text, word2vec_binary])
def test_a_huge_header_allocates_nothing(write: Writer, tmp_path: Path) -> None:
    path = write(tmp_path, ["a", "b"], random_vectors(2, 300))
    path.write_bytes(b"1000000000000 300\n" + path.read_bytes().partition(b"\n")[2])
    tracemalloc.start()
    try:
        refused(path)
        assert tracemalloc.get_traced_memory()[1] < 3_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "empty"),
        (pickle.dumps({"a": [1.0]}, protocol=4), "a pickle, which could run code"),
        (struct.pack("<ii", 793712314, 12), "a binary model of fastText"),
        (b"BZh91AY", "unpack it first"),
        ("a 1 2\n".encode("utf-16"), "UTF-16"),
        (b"\x1f\x8b\x08\x00damaged", "damaged or cut off (gzip"),
        (gzip.compress(THREE, mtime=0)[:-9], "damaged or cut off (gzip"),
    ],
)
def test_other_files_are_refused_by_what_they_are(content: bytes, said: str, tmp_path: Path) -> None:
    assert said in refused(put(tmp_path / "v.txt", content))


def test_a_folder_or_a_missing_file_is_refused(tmp_path: Path) -> None:
    assert "a folder" in refused(tmp_path)
    assert "no such file" in refused(tmp_path / "none.txt")


def test_a_words_file_beside_text_is_refused(tmp_path: Path) -> None:
    words = tmp_path / "words.txt"
    message = refused(put(tmp_path / "v.txt", THREE), words_file=words)
    assert "holds its own words" in message
    assert f"those of {words}" in message


def saved_npz(folder: Path, **arrays: NDArray[Any]) -> Path:
    np.savez_compressed(folder / "v.npz", **arrays)  # type: ignore[arg-type]
    put(folder / "words.txt", b"a\nb\nc")
    return folder / "v.npz"


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"x": np.array([["a"], [{}], [None]], object)}, "pickled Python objects"),
        ({"x": np.ones((3, 2), int)}, "int64"),
        ({"x": np.ones(3)}, "shape (3,)"),
        ({"x": np.ones((3, 2, 2))}, "shape (3, 2, 2)"),
        ({"x": np.ones((3, 0))}, "shape (3, 0)"),
        ({"x": np.ones((2, 2))}, "2 rows"),
        ({"x": np.ones((4, 2))}, "4 rows"),
        ({"x": np.ones((3, 2)), "y": np.ones((3, 2))}, "which array"),
        ({"x": np.array([[1, 2], [3, np.nan], [5, 6]])}, "row 1 ('b')"),
        ({"x": np.array([[1, 2], [3, 4], [-np.inf, 6]])}, "row 2 ('c')"),
        ({"x": np.array([[1, 2], [3, 1e39], [5, 6]])}, "row 1 ('b')"),
        ({}, "without arrays"),
    ],
)
def test_arrays_that_are_no_vectors_are_refused(arrays: dict[str, NDArray[Any]], said: str, tmp_path: Path) -> None:
    assert said in refused(saved_npz(tmp_path, **arrays))


def test_of_several_arrays_the_one_of_a_known_name_counts(tmp_path: Path) -> None:
    vectors = random_vectors(3, 2)
    assert_table(read_vectors(saved_npz(tmp_path, a=vectors + 1, embeddings=vectors)), ["a", "b", "c"], vectors)


def npy_header(shape: tuple[int, ...]) -> bytes:
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"shape": shape, "fortran_order": False, "descr": "<f4"})
    return stream.getvalue()


def test_an_array_header_that_lies_is_refused(tmp_path: Path) -> None:
    put(tmp_path / "words.txt", b"a\nb\nc")
    path = tmp_path / "v.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x.npy", npy_header((3, 10**12)) + bytes(24))
    assert "Unable to allocate 10.9 TiB" in refused(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x.npy", npy_header((10**12, 2)) + bytes(24))
    assert "Unable to allocate 7.28 TiB" in refused(path)


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["archive/data.pkl", "archive/version"], "pickled Python objects"),
        (["glove.6B.50d.txt"], "unpack other archives first"),
    ],
)
def test_other_zip_archives_are_refused(names: list[str], said: str, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "v.pt", "w") as archive:
        for name in names:
            archive.writestr(name, b"a 1 2")
    assert said in refused(tmp_path / "v.pt")


def test_a_tensor_of_a_kind_numpy_has_not_is_refused(tmp_path: Path) -> None:
    about = json.dumps({"x": {"dtype": "BF16", "shape": [1, 2], "data_offsets": [0, 4]}}).encode()
    assert "BF16" in refused(put(tmp_path / "v.safetensors", struct.pack("<Q", len(about)) + about + bytes(4)))


@pytest.mark.parametrize("words", ["a\nb", '{"a": 1}', "[1, 2]", "[" * 100_000])
def test_words_in_metadata_must_be_a_list(words: str, tmp_path: Path) -> None:
    save_file({"x": random_vectors(2, 2)}, tmp_path / "v.safetensors", metadata={"words": words})
    assert "expected a JSON list of strings" in refused(tmp_path / "v.safetensors")


@pytest.mark.parametrize("write", [npz, double_npy, safetensors])
def test_words_that_are_missing_or_no_utf8_are_reported(write: Writer, tmp_path: Path) -> None:
    path = write(tmp_path, ["a", "b"], random_vectors(2, 2))
    [words] = [other for other in tmp_path.iterdir() if other != path]
    words.write_bytes(b"a\nb\xff\n")
    with pytest.raises(UserError, match=r"txt:2: invalid UTF-8 \(byte 0xff at column 2\)"):
        read_vectors(path)
    words.unlink()
    assert f"{path.stem}.words.txt, words.txt, vocab.txt" in refused(path)


@pytest.mark.parametrize("write", ALL)
@given(share=st.floats(0, 1, exclude_max=True))
def test_a_file_cut_off_anywhere_is_refused_or_gives_its_beginning(write: Writer, share: float) -> None:
    vectors = random_vectors(len(WORDS), 5)
    with tempfile.TemporaryDirectory() as folder:
        path = write(Path(folder), WORDS, vectors)
        whole = path.read_bytes()
        path.write_bytes(whole[: int(share * len(whole))])
        try:
            table = read_vectors(path)
        except UserError:
            return
    rows = len(table)
    assert write in (glove, tabs, word2vec_text, fasttext, windows, word2vec_binary)
    assert rows == len(WORDS) or write in (glove, tabs)  # there a header would tell
    assert table.width == 5 or rows == 1  # the first line may lack numbers: the file does not tell how many it had
    assert table.words == WORDS[:rows]
    read, written = table.vectors.ravel(), vectors[:rows, : table.width].ravel()
    np.testing.assert_array_equal(read[:-1], written[:-1])  # the last number may be cut


@pytest.mark.parametrize("write", ALL)
@given(data=st.data())
def test_any_damage_is_refused_or_gives_finite_vectors(write: Writer, data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = write(Path(folder), WORDS, random_vectors(len(WORDS), 3))
        content = bytearray(path.read_bytes())
        for _ in range(data.draw(st.integers(1, 3))):
            content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
        path.write_bytes(content)
        try:
            table = read_vectors(path)
        except UserError:
            return
    assert table.vectors.shape == (len(table.words), table.width)
    assert np.isfinite(table.vectors).all()
