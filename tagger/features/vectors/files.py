"""Read static word vectors from files.

GloVe text       per line: a word and its numbers, separated by spaces; words may contain spaces
word2vec text    a header `V E`, then the same; also fastText's `.vec` files
word2vec binary  a header `V E`, then per word: the word, a space, E little-endian float32, optionally a line end
arrays           `.npz`, `.npy`, safetensors, with a list of words; see `arrays`

Text and word2vec binary may be compressed with gzip. The content of a file determines its format. The suffix matters
only for damaged files, whose error messages then name the right format.
"""

from __future__ import annotations

import gzip
import io
import re
import zlib
from collections.abc import Callable
from pathlib import Path

from tagger.corpus.readers.account import open_bytes
from tagger.errors import UserError
from tagger.features.vectors.arrays import read_npy, read_npz, read_safetensors
from tagger.features.vectors.table import VectorTable
from tagger.features.vectors.text_formats import VectorStream
from tagger.untrusted import begins_as_safetensors

_HEAD = 16  # bytes that suffice to identify the format
_GZIP = b"\x1f\x8b"
_FOREIGN = (  # first bytes of formats that are not supported, with a description and advice
    (re.compile(rb"\x80[\x02-\x05]"), "a pickle, which could run code when read; save the vectors as word2vec text"),
    (re.compile(rb"\xba\x16\x4f\x2f"), "a binary model of fastText; give its .vec file"),
    (re.compile(rb"\x89HDF"), "an HDF5 file; save the vectors as word2vec text or .npz"),
    (re.compile(rb"BZh|\xfd7zXZ|\x28\xb5\x2f\xfd|7z\xbc\xaf"), "compressed in a way not read here; unpack it first"),
    (re.compile(rb"\xff\xfe|\xfe\xff"), "UTF-16 text; save it as UTF-8"),
)


def read_vectors(path: Path, *, words_file: Path | None = None) -> VectorTable:
    """Read a file of word vectors into float32, in one pass.

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
    if read_array := _array_reader(path, head, size):
        return read_array(path, words_file=words_file)
    for beginning, kind in _FOREIGN:
        if beginning.match(head):
            raise UserError(f"{path}: {kind}")
    if words_file is not None:
        raise UserError(f"{path}: holds its own words; expected an array for those of {words_file}; copy it again")
    return _read_stream(path, head.startswith(_GZIP), size)


def _array_reader(path: Path, head: bytes, size: int) -> Callable[..., VectorTable] | None:
    if head.startswith(b"PK\x03\x04") or path.suffix == ".npz":
        return read_npz
    if head.startswith(b"\x93NUMPY") or path.suffix == ".npy":
        return read_npy
    return read_safetensors if path.suffix == ".safetensors" or begins_as_safetensors(head, size) else None


def _read_stream(path: Path, gzipped: bool, size: int) -> VectorTable:
    try:
        with open_bytes(path) as raw:
            if not gzipped:
                return VectorStream(path, raw, raw, size).read()
            with gzip.GzipFile(fileobj=raw) as unpacked, io.BufferedReader(unpacked) as stream:
                return VectorStream(path, stream, raw, size).read()
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise UserError(f"{path}: damaged or cut off (gzip: {error}); copy it again") from error
    except OSError as error:
        raise UserError(f"{path}: cannot read: {error.strerror or error}; check the disk or copy it again") from error
