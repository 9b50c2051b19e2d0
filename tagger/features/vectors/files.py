"""Static word vectors from the files people have.

GloVe text       a line a word: the word, its numbers, parted by blanks; words may hold blanks themselves
word2vec text    the same below a header `V E`, as are fastText's `.vec` files
word2vec binary  the header, then per word: the word, a blank, E little-endian float32, perhaps a line end
arrays           `.npz`, `.npy`, safetensors, with a list of words; see `arrays`

Text and word2vec binary may be compressed with gzip. What a file is, its content tells; its name only helps to say what
is wrong with a damaged one.
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

_HEAD = 16  # bytes that tell one kind of file from another
_GZIP = b"\x1f\x8b"
_FOREIGN = (  # how files begin that hold vectors in ways not read here, and what to do with them
    (re.compile(rb"\x80[\x02-\x05]"), "a pickle, which could run code when read; save the vectors as word2vec text"),
    (re.compile(rb"\xba\x16\x4f\x2f"), "a binary model of fastText; give its .vec file"),
    (re.compile(rb"\x89HDF"), "an HDF5 file; save the vectors as word2vec text or .npz"),
    (re.compile(rb"BZh|\xfd7zXZ|\x28\xb5\x2f\xfd|7z\xbc\xaf"), "compressed in a way not read here; unpack it first"),
    (re.compile(rb"\xff\xfe|\xfe\xff"), "UTF-16 text; save it as UTF-8"),
)


def read_vectors(path: Path, *, words_file: Path | None = None) -> VectorTable:
    """Read a file of word vectors into float32, in one pass.

    Of a word that is there repeatedly, the first vector counts, and the table's `notes` say so.

    Args:
        path: text (GloVe, word2vec, fastText) or word2vec binary, either also gzipped; `.npz`, `.npy`, safetensors.
        words_file: for arrays, the list of their words, one a line; by default the metadata of a safetensors file,
            else `NAME.words.txt`, `words.txt` or `vocab.txt` beside it.

    Returns:
        The table, its words in the file's order.

    Raises:
        UserError: there is no such file, it is damaged, cut off or of an unknown kind, a word is not UTF-8, a number
            not finite, the header not true, or it holds words of its own despite `words_file`. Numbers of lines, and
            offsets in bytes, are those of the unpacked content.
    """
    if path.is_dir():
        raise UserError(f"{path}: a folder; give the file of vectors in it")
    with open_bytes(path) as stream:
        head = stream.read(_HEAD)
        size = stream.seek(0, 2)
    if not head:
        raise UserError(f"{path}: an empty file; expected word vectors; copy it anew")
    if read_array := _array_reader(path, head, size):
        return read_array(path, words_file=words_file)
    for beginning, kind in _FOREIGN:
        if beginning.match(head):
            raise UserError(f"{path}: {kind}")
    if words_file is not None:
        raise UserError(f"{path}: holds its own words; expected an array for those of {words_file}; copy it anew")
    return _read_stream(path, head.startswith(_GZIP), size)


def _array_reader(path: Path, head: bytes, size: int) -> Callable[..., VectorTable] | None:
    if head.startswith(b"PK\x03\x04") or path.suffix == ".npz":
        return read_npz
    if head.startswith(b"\x93NUMPY") or path.suffix == ".npy":
        return read_npy
    begins_as_safetensors = int.from_bytes(head[:8], "little") <= size - 8 and head[8:9] == b"{"
    return read_safetensors if begins_as_safetensors or path.suffix == ".safetensors" else None


def _read_stream(path: Path, gzipped: bool, size: int) -> VectorTable:
    try:
        with open_bytes(path) as raw:
            if not gzipped:
                return VectorStream(path, raw, raw, size).read()
            with gzip.GzipFile(fileobj=raw) as unpacked, io.BufferedReader(unpacked) as stream:
                return VectorStream(path, stream, raw, size).read()
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise UserError(f"{path}: damaged or cut off (gzip: {error}); copy it anew") from error
    except OSError as error:
        raise UserError(f"{path}: cannot read: {error.strerror or error}; check the disk or copy it anew") from error
