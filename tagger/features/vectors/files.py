"""Read static word vectors from files.

GloVe text       per line: a word and its numbers, separated by spaces; words may contain spaces
word2vec text    a header `V E`, then the same; also fastText's `.vec` files
word2vec binary  a header `V E`, then per word: the word, a space, E little-endian float32, optionally a line end
arrays           `.npz`, `.npy`, safetensors, with a list of words in the metadata or in a file beside

Text and word2vec binary may be compressed with gzip; `text_formats` reads both. Nothing is unpickled. The content of a
file determines its format. The suffix matters only for damaged files, whose error messages then name the right format.
"""

from __future__ import annotations

import gzip
import io
import json
import re
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import safe_open

from tagger.corpus.readers.account import open_bytes
from tagger.errors import UserError, library_failures_told
from tagger.features.vectors.table import VectorTable, notes_of_repeated
from tagger.features.vectors.text_formats import VectorStream
from tagger.untrusted import begins_as_safetensors

_HEAD = 16  # bytes that suffice to identify the format
_GZIP = b"\x1f\x8b"
_ZIP, _NPY = b"PK\x03\x04", b"\x93NUMPY"
_NAMES = ("embeddings", "vectors")  # of the array among others
_FOREIGN = (  # first bytes of formats that are not supported, with a description and advice
    (re.compile(rb"\x80[\x02-\x05]"), "a pickle, which could run code when read; save the vectors as word2vec text"),
    (re.compile(rb"\xba\x16\x4f\x2f"), "a binary model of fastText; give its .vec file"),
    (re.compile(rb"\x89HDF"), "an HDF5 file; save the vectors as word2vec text or .npz"),
    (re.compile(rb"BZh|\xfd7zXZ|\x28\xb5\x2f\xfd|7z\xbc\xaf"), "compressed in a way not read here; unpack it first"),
    (re.compile(rb"\xff\xfe|\xfe\xff"), "UTF-16 text; save it as UTF-8"),
)


def read_vectors(path: Path, *, words_file: Path | None = None) -> VectorTable:
    """Read a file of word vectors into float32.

    If a word is repeated, its first vector is used, and the table's `notes` say so.

    Args:
        path: text (GloVe, word2vec, fastText) or word2vec binary, optionally gzipped; `.npz`, `.npy` or safetensors.
        words_file: for arrays: their words, one per line. Default: the metadata of a safetensors file, else
            `NAME.words.txt`, `words.txt` or `vocab.txt` beside the array.

    Returns:
        The table, with words in the order of the file.

    Raises:
        UserError: the file is missing, damaged, truncated or of an unknown format; a word is not UTF-8; a number is not
            finite; the header is wrong; or `words_file` is given for a file with words of its own. Line numbers and
            byte offsets refer to the uncompressed content.
    """
    if path.is_dir():
        raise UserError(f"{path}: a folder; give the file of vectors in it")
    with open_bytes(path) as stream:
        head = stream.read(_HEAD)
        size = stream.seek(0, 2)
    if not head:
        raise UserError(f"{path}: an empty file; expected word vectors; copy it again")
    if head.startswith((_ZIP, _NPY)) or path.suffix in (".npz", ".npy"):
        with library_failures_told(path, "damaged or cut off", "copy it again"):
            return _read_numpy(path, words_file)
    if path.suffix == ".safetensors" or begins_as_safetensors(head, size):
        with library_failures_told(path, "damaged, or not a safetensors file", "copy it again"):
            return _read_safetensors(path, words_file)
    for beginning, kind in _FOREIGN:
        if beginning.match(head):
            raise UserError(f"{path}: {kind}")
    if words_file is not None:
        raise UserError(f"{path}: holds its own words; expected an array for those of {words_file}; copy it again")
    return _read_stream(path, head.startswith(_GZIP))


def _read_stream(path: Path, gzipped: bool) -> VectorTable:
    try:
        with open_bytes(path) as raw:
            if not gzipped:
                return VectorStream(path, raw).read()
            with gzip.GzipFile(fileobj=raw) as unpacked, io.BufferedReader(unpacked) as stream:
                return VectorStream(path, stream).read()
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise UserError(f"{path}: damaged or cut off (gzip: {error}); copy it again") from error
    except OSError as error:
        raise UserError(f"{path}: cannot read: {error.strerror or error}; check the disk or copy it again") from error


def _read_numpy(path: Path, words_file: Path | None) -> VectorTable:
    """Read an array: of a `.npz` archive `embeddings`, `vectors` or the only one with two axes."""
    try:
        found = np.load(path, allow_pickle=False)
        if isinstance(found, np.ndarray):
            return _table(str(path), found, *_words(path, words_file, {}))
        with found:
            members = found.zip.namelist()
            names = [name for name in found.files if f"{name}.npy" in members]
            if not names:
                raise UserError(_no_arrays(path, members))
            arrays = {name: found[name] for name in [one for one in _NAMES if one in names][:1] or names}
    except ValueError as error:
        if "allow_pickle" not in str(error):
            raise
        raise UserError(f"{path} holds pickled Python objects, which could run code when read; save floats") from None
    name = _choose(path, {name: array.shape for name, array in arrays.items()})
    return _table(f"{path}: array {name!r}", arrays.pop(name), *_words(path, words_file, {}))


def _read_safetensors(path: Path, words_file: Path | None) -> VectorTable:
    """Read a tensor: `embeddings`, `vectors` or the only one with two axes.

    The words may also be in the metadata, as a JSON list under `words` or `vocab`.
    """
    with safe_open(path, "numpy") as archive:
        slices = {name: archive.get_slice(name) for name in archive.keys()}  # noqa: SIM118
        name = _choose(path, {name: tuple(one.get_shape()) for name, one in slices.items()})
        if (kind := slices[name].get_dtype()) not in ("F16", "F32", "F64"):
            raise UserError(f"{path}: tensor {name!r} is {kind}; expected F32, F16 or F64; save it as float32")
        words, source = _words(path, words_file, archive.metadata() or {})
        return _table(f"{path}: tensor {name!r}", archive.get_tensor(name), words, source)


def _words(path: Path, words_file: Path | None, metadata: Mapping[str, str]) -> tuple[list[str], str]:
    """Return the words of an array file, and the name of their source."""
    if words_file is not None:
        return _read_words(words_file), str(words_file)
    for key in ("words", "vocab"):
        if key in metadata:
            return _words_of_metadata(f"{path}: metadata {key!r}", metadata[key]), f"metadata {key!r}"
    beside = [path.with_name(name) for name in (f"{path.stem}.words.txt", "words.txt", "vocab.txt")]
    for candidate in beside:
        if candidate.is_file():
            return _read_words(candidate), str(candidate)
    names = ", ".join(candidate.name for candidate in beside)
    raise UserError(f"{path}: no list of its words beside it (looked for {names}); write the words there, one per line")


def _read_words(path: Path) -> list[str]:
    """Read a UTF-8 file of one word per line. Lines end at LF or CRLF."""
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


def _words_of_metadata(place: str, text: str) -> list[str]:
    try:
        words = json.loads(text)
    except (ValueError, RecursionError):
        words = None
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise UserError(f"{place}: expected a JSON list of strings; leave it out, and write the words to a file beside")
    return words


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


def _table(place: str, array: NDArray[Any], words: list[str], source: str) -> VectorTable:
    """Make the table of the distinct words from the vectors (V, E) of all words."""
    if array.dtype.kind != "f":
        raise UserError(f"{place} is {array.dtype}; expected floating-point numbers; save it as float32")
    if array.ndim != 2 or not array.size:
        raise UserError(f"{place} has the shape {array.shape}; expected (words, numbers per word)")
    if len(array) != len(words):
        raise UserError(
            f"{place} has {len(array):,} rows, but {source} has {len(words):,} words; give the list that belongs to it"
        )
    first: dict[str, int] = {}
    repeated = [word for row, word in enumerate(words) if first.setdefault(word, row) != row]
    kept = list(first.values())
    with np.errstate(over="ignore"):  # overflow gives infinity, which is refused
        vectors = np.ascontiguousarray(array if len(kept) == len(words) else array[kept], np.float32)
    finite = np.isfinite(vectors.max(axis=1)) & np.isfinite(vectors.min(axis=1))
    if not finite.all():
        row = kept[int(finite.argmin())]
        raise UserError(
            f"{place}, row {row} ({words[row]!r}): a number is not finite in float32; correct it or leave it out"
        )
    return VectorTable(list(first), vectors, notes_of_repeated(source, repeated))
