"""Read word vectors from arrays: `.npz`, `.npy` and safetensors, with the words in the file or in one beside it.

Arrays are read in blocks into a float32 table. So a compressed or float64 array is never in memory as a whole, unless
it is stored in Fortran order. Nothing is unpickled.
"""

from __future__ import annotations

import json
import lzma
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from tagger.corpus.readers.account import open_bytes
from tagger.errors import UserError
from tagger.features.vectors.table import ABSENT, VectorTable, WordIndex

_BLOCK_BYTES = 1 << 18
_NAMES = ("embeddings", "vectors")
_DAMAGE = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError, RuntimeError, ValueError)
_COPY_AGAIN = "copy it again"


@dataclass(frozen=True)
class _Header:
    """The header of a `.npy` stream."""

    shape: tuple[int, ...]
    by_column: bool
    dtype: np.dtype[Any]


def read_npy(path: Path, *, words_file: Path | None) -> VectorTable:
    """Read the vectors of a `.npy` file. See `read_vectors`."""
    try:
        with open_bytes(path) as stream:
            header = _read_header(stream)
            size = path.stat().st_size - stream.tell()
            return _from_npy(path, str(path), stream, header, size, words_file)
    except _DAMAGE as error:
        raise _damaged(path, error) from error


def read_npz(path: Path, *, words_file: Path | None) -> VectorTable:
    """Read the vectors of a `.npz` file. See `read_vectors`.

    The array is `embeddings`, `vectors` or the only one with two axes.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = {entry.filename: entry for entry in archive.infolist() if entry.filename.endswith(".npy")}
            if not members:
                raise UserError(_no_arrays(path, archive.namelist()))
            headers = {name.removesuffix(".npy"): _member_header(archive, name) for name in members}
            name = _choose(path, {name: header.shape for name, header in headers.items()})
            entry = members[f"{name}.npy"]
            if entry.file_size > 1100 * entry.compress_size:  # deflate cannot shrink further
                raise ValueError(f"array {name!r} is said to be {entry.file_size:,} bytes long")
            with archive.open(entry) as stream:
                header = _read_header(stream)
                size = entry.file_size - stream.tell()
                place = f"{path}: array {name!r}"
                return _from_npy(path, place, stream, header, size, words_file)
    except _DAMAGE as error:
        raise _damaged(path, error) from error


def read_safetensors(path: Path, *, words_file: Path | None) -> VectorTable:
    """Read the vectors of a safetensors file. See `read_vectors`.

    The tensor is `embeddings`, `vectors` or the only one with two axes. The words may also be in the metadata, as a
    JSON list under `words` or `vocab`.
    """
    try:
        with safe_open(path, "numpy") as archive:
            shapes = {name: tuple(archive.get_slice(name).get_shape()) for name in archive.keys()}  # noqa: SIM118
            name = _choose(path, shapes)
            tensor, place = archive.get_slice(name), f"{path}: tensor {name!r}"
            if tensor.get_dtype() not in ("F16", "F32", "F64"):
                raise UserError(f"{place} is {tensor.get_dtype()}; expected F32, F16 or F64; save it as float32")
            words, source = _words(path, words_file, archive.metadata() or {})
            _check_shape(place, shapes[name], len(words), source)
            rows, columns = shapes[name]
            step = _step(8 * columns)
            blocks = (tensor[begin : min(begin + step, rows)] for begin in range(0, rows, step))
            return _gather(place, blocks, columns, words, source)
    except SafetensorError as error:
        raise UserError(f"{path}: damaged, or not a safetensors file ({error}); {_COPY_AGAIN}") from error


def read_words(path: Path) -> list[str]:
    """Read a UTF-8 file of one word per line. Lines end at LF or CRLF.

    Raises:
        UserError: it cannot be read, or is not UTF-8.
    """
    words = []
    with open_bytes(path) as stream:
        for number, line in enumerate(stream, start=1):
            line = line.removesuffix(b"\n").removesuffix(b"\r")
            try:
                words.append(line.decode("utf-8-sig" if number == 1 else "utf-8"))
            except UnicodeDecodeError as error:
                byte = f"byte 0x{line[error.start]:02x} at column {error.start + 1}"
                raise UserError(f"{path}:{number}: invalid UTF-8 ({byte}); save the file as UTF-8") from None
    return words


def _words(path: Path, words_file: Path | None, metadata: Mapping[str, str]) -> tuple[list[str], str]:
    """Return the words of an array file, and the name of their source."""
    if words_file is not None:
        return read_words(words_file), str(words_file)
    for key in ("words", "vocab"):
        if key in metadata:
            return _words_of_metadata(f"{path}: metadata {key!r}", metadata[key]), f"metadata {key!r}"
    beside = [path.with_name(name) for name in (f"{path.stem}.words.txt", "words.txt", "vocab.txt")]
    for candidate in beside:
        if candidate.is_file():
            return read_words(candidate), str(candidate)
    names = ", ".join(candidate.name for candidate in beside)
    raise UserError(f"{path}: no list of its words beside it (looked for {names}); write the words there, one per line")


def _words_of_metadata(place: str, text: str) -> list[str]:
    try:
        words = json.loads(text)
    except (ValueError, RecursionError):
        words = None
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise UserError(f"{place}: expected a JSON list of strings; leave it out, and write the words to a file beside")
    return words


def _read_header(stream: IO[bytes]) -> _Header:
    """Read the header of a `.npy` stream, up to its first number.

    Raises:
        ValueError: the header is missing or damaged.
    """
    try:
        version = npy.read_magic(stream)
        if version == (1, 0):
            return _Header(*npy.read_array_header_1_0(stream))
        if version == (2, 0):
            return _Header(*npy.read_array_header_2_0(stream))
    except Exception as error:  # damaged text can make NumPy's parser raise almost anything
        raise ValueError(f"no header of an array: {error}") from error
    raise ValueError(f"version {version} of the .npy format is not one for plain numbers")


def _member_header(archive: zipfile.ZipFile, name: str) -> _Header:
    with archive.open(name) as stream:
        return _read_header(stream)


def _no_arrays(path: Path, names: list[str]) -> str:
    if any(name.endswith(("/data.pkl", ".pkl", ".pickle")) for name in names):
        return f"{path}: holds pickled Python objects, which could run code when read; save the vectors as safetensors"
    inside = ", ".join(names[:3]) or "nothing"
    return (
        f"{path}: a zip archive without arrays (inside: {inside}); expected an .npz file; unpack other archives first"
    )


def _choose(path: Path, shapes: Mapping[str, tuple[int, ...]]) -> str:
    """Return the array with the vectors: one with a known name, the only one, or the only one with two axes."""
    for name in _NAMES:
        if name in shapes:
            return name
    tables = [name for name, shape in shapes.items() if len(shape) == 2]
    if len(shapes) == 1 or len(tables) == 1:
        return (tables or list(shapes))[0]
    listed = ", ".join(f"{name} {shape}" for name, shape in list(shapes.items())[:5]) or "none"
    raise UserError(f"{path}: which array holds the vectors? there are: {listed}; name one of them {_NAMES[0]!r}")


def _check_shape(place: str, shape: tuple[int, ...], words: int, source: str) -> None:
    if len(shape) != 2 or not all(shape):
        raise UserError(f"{place} has the shape {shape}; expected (words, numbers per word)")
    if shape[0] != words:
        raise UserError(
            f"{place} has {shape[0]:,} rows, but {source} has {words:,} words; give the list that belongs to it"
        )


def _from_npy(
    path: Path, place: str, stream: IO[bytes], header: _Header, size: int, words_file: Path | None
) -> VectorTable:
    """Read the table from a `.npy` stream after its header. `size` bytes remain."""
    if header.dtype.hasobject:
        raise UserError(f"{place} holds pickled Python objects, which could run code when read; save it as float32")
    if header.dtype.kind != "f":
        raise UserError(f"{place} is {header.dtype}; expected floating-point numbers; save it as float32")
    words, source = _words(path, words_file, {})
    _check_shape(place, header.shape, len(words), source)
    rows, columns = header.shape
    if rows * columns * header.dtype.itemsize != size:
        expected = f"{rows * columns * header.dtype.itemsize:,} bytes for the shape {header.shape}"
        raise ValueError(f"expected {expected}, found {size:,}")
    if header.by_column:
        whole = np.frombuffer(_exactly(stream, size), header.dtype).reshape(columns, rows).T
        return _gather(place, iter([whole]), columns, words, source)
    return _gather(place, _row_blocks(stream, header), columns, words, source)


def _row_blocks(stream: IO[bytes], header: _Header) -> Iterator[NDArray[Any]]:
    rows, columns = header.shape
    length = columns * header.dtype.itemsize
    step = _step(length)
    for begin in range(0, rows, step):
        count = min(step, rows - begin)
        yield np.frombuffer(_exactly(stream, count * length), header.dtype).reshape(count, columns)


def _gather(place: str, blocks: Iterator[NDArray[Any]], width: int, words: list[str], source: str) -> VectorTable:
    """Build the table of the distinct words. `blocks` (n, E) yield the vectors of all words in order."""
    index = WordIndex()
    rows = np.array([index.place(word) for word in words], np.int64)  # (V,)
    vectors = np.empty((len(index), width), np.float32)
    begin = 0
    for block in blocks:
        chosen = rows[begin : begin + len(block)] != ABSENT
        targets = rows[begin : begin + len(block)][chosen]
        with np.errstate(over="ignore", invalid="ignore"):  # checked below
            vectors[targets] = block[chosen]
        if not np.isfinite(vectors[targets]).all():
            bad = int(np.isfinite(vectors[targets]).all(axis=1).argmin())
            row = begin + int(np.flatnonzero(chosen)[bad])
            raise UserError(
                f"{place}, row {row} ({words[row]!r}): a number is not finite in float32; correct it or leave it out"
            )
        begin += len(block)
    return index.table(source, vectors)


def _exactly(stream: IO[bytes], size: int) -> bytes:
    data = stream.read(size)
    if len(data) < size:
        raise EOFError("it ends early")
    return data


def _step(row_bytes: int) -> int:
    return max(1, _BLOCK_BYTES // row_bytes)


def _damaged(path: Path, error: BaseException) -> UserError:
    reason = str(error) or type(error).__name__
    return UserError(f"{path}: damaged or cut off ({reason}); {_COPY_AGAIN}")
