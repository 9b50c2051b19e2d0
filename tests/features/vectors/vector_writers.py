"""Vector files of each kind, written independently of the reader under test."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file

from tagger.features.vectors.table import VectorTable

Floats = NDArray[np.float32]
Writer = Callable[[Path, Sequence[str], Floats], Path]

WORDS = ["the", "Лондон", "北京", "e\u0301te\u0301", "\u00a0", "::", "0.5", "12", "1e5", "नमस्ते", "🙂", "#", "a_b", "-"]


def text_lines(words: Sequence[str], vectors: Floats) -> bytes:
    rows = (f"{word} {' '.join(str(number) for number in row)}" for word, row in zip(words, vectors, strict=True))
    return "\n".join(rows).encode() + b"\n"


def header(vectors: Floats) -> bytes:
    return f"{len(vectors)} {vectors.shape[1]}\n".encode()


def put(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def glove(folder: Path, words: Sequence[str], vectors: Floats) -> Path:
    return put(folder / "glove.txt", text_lines(words, vectors))


def word2vec_text(folder: Path, words: Sequence[str], vectors: Floats) -> Path:
    """As the original program writes it: a blank at each line's end."""
    return put(folder / "w2v.txt", header(vectors) + text_lines(words, vectors).replace(b"\n", b" \n"))


def fasttext(folder: Path, words: Sequence[str], vectors: Floats) -> Path:
    return put(folder / "wiki.vec", header(vectors) + text_lines(words, vectors))


def windows(folder: Path, words: Sequence[str], vectors: Floats) -> Path:
    lines = text_lines(words, vectors).replace(b"\n", b"\r\n").removesuffix(b"\r\n")
    return put(folder / "windows.txt", b"\xef\xbb\xbf" + header(vectors) + lines)


def tabs(folder: Path, words: Sequence[str], vectors: Floats) -> Path:
    return put(folder / "tabs.tsv", text_lines(words, vectors).replace(b" ", b"\t"))


def gzipped_glove(folder: Path, words: Sequence[str], vectors: Floats) -> Path:
    return put(folder / "glove.txt.gz", gzip.compress(text_lines(words, vectors), 1))


def gzipped_fasttext(folder: Path, words: Sequence[str], vectors: Floats) -> Path:
    return put(folder / "wiki.vec.gz", gzip.compress(header(vectors) + text_lines(words, vectors), 1))


def binary_rows(words: Sequence[str], vectors: Floats, end: bytes) -> bytes:
    return b"".join(f"{word} ".encode() + row.tobytes() + end for word, row in zip(words, vectors, strict=True))


def word2vec_binary(folder: Path, words: Sequence[str], vectors: Floats) -> Path:
    """As the original program writes it: a line end after each vector."""
    return put(folder / "w2v.bin", header(vectors) + binary_rows(words, vectors, b"\n"))


def gensim_binary(folder: Path, words: Sequence[str], vectors: Floats) -> Path:
    return put(folder / "gensim.bin", header(vectors) + binary_rows(words, vectors, b""))


def gzipped_binary(folder: Path, words: Sequence[str], vectors: Floats) -> Path:
    return put(folder / "w2v.bin.gz", gzip.compress(header(vectors) + binary_rows(words, vectors, b""), 1))


def npz(folder: Path, words: Sequence[str], vectors: Floats) -> Path:
    np.savez(folder / "v.300d.npz", whatever=vectors)
    put(folder / "v.300d.words.txt", "\r\n".join(words).encode())
    return folder / "v.300d.npz"


def compressed_npz(folder: Path, words: Sequence[str], vectors: Floats) -> Path:
    """With another array beside that of the vectors."""
    np.savez_compressed(folder / "v.npz", counts=np.arange(3), table=vectors)
    put(folder / "words.txt", "\n".join(words).encode() + b"\n")
    return folder / "v.npz"


def double_npy(folder: Path, words: Sequence[str], vectors: Floats) -> Path:
    np.save(folder / "v.npy", vectors.astype(">f8"))
    put(folder / "vocab.txt", "\n".join(words).encode())
    return folder / "v.npy"


def column_npy(folder: Path, words: Sequence[str], vectors: Floats) -> Path:
    np.save(folder / "f.npy", np.asfortranarray(vectors))
    put(folder / "vocab.txt", "\n".join(words).encode())
    return folder / "f.npy"


def safetensors(folder: Path, words: Sequence[str], vectors: Floats) -> Path:
    save_file({"embeddings": vectors, "other": vectors[:1]}, folder / "v.safetensors")
    put(folder / "vocab.txt", "\n".join(words).encode())
    return folder / "v.safetensors"


def safetensors_with_json(folder: Path, words: Sequence[str], vectors: Floats) -> Path:
    save_file({"vectors": vectors.astype(np.float64)}, folder / "m", metadata={"words": json.dumps(words)})
    return folder / "m"


TEXTS: list[Writer] = [glove, word2vec_text, fasttext, windows, tabs, gzipped_glove, gzipped_fasttext]
BINARIES: list[Writer] = [word2vec_binary, gensim_binary, gzipped_binary]
ARRAYS: list[Writer] = [npz, compressed_npz, double_npy, column_npy]
TENSORS: list[Writer] = [safetensors, safetensors_with_json]
ALL = [*TEXTS, *BINARIES, *ARRAYS, *TENSORS]


def random_vectors(rows: int, width: int, seed: int = 0) -> Floats:
    return np.random.default_rng(seed).normal(size=(rows, width)).astype(np.float32)


def assert_table(table: VectorTable, words: Sequence[str], vectors: Floats) -> None:
    assert table.words == list(words)
    assert table.vectors.dtype == np.float32
    np.testing.assert_array_equal(table.vectors, vectors)
