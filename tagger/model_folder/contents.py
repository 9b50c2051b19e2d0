"""Which files a model folder holds, and how large they may be: checked before any of them is read."""

from __future__ import annotations

from fnmatch import fnmatchcase
from pathlib import Path

from tagger.errors import UserError
from tagger.untrusted import places_of, refuse_outside, refuse_pickle, require_regular

WEIGHTS, CONFIG, VOCABULARY, CARD = "model.safetensors", "config.json", "vocab.json", "README.md"
STATIC, ENCODER, GRAPH = "static", "encoder", "model.onnx"
_MIB, _GIB = 1 << 20, 1 << 30
MOST_BYTES = {  # of the files of a model folder, by patterns of their names
    CONFIG: _MIB,
    VOCABULARY: 64 * _MIB,
    WEIGHTS: 4 * _GIB,
    GRAPH: 2 * _GIB,  # as much as one file of ONNX can hold
    CARD: _MIB,
    f"{STATIC}/pieces.txt": 64 * _MIB,
    f"{STATIC}/words.txt": 256 * _MIB,
    f"{STATIC}/vectors.safetensors": 8 * _GIB,
    f"{ENCODER}/*.safetensors": 8 * _GIB,
    f"{ENCODER}/*.json": 64 * _MIB,
    f"{ENCODER}/*.txt": 64 * _MIB,
    f"{ENCODER}/*.model": 64 * _MIB,
}

_MOST_BYTES_OF_OTHERS = 64 * _MIB  # of other files in the two folders, whose checksums are compared too


def most_bytes(name: str) -> int | None:
    """How large a file of a model folder may be, by its name with `/`; None for what belongs to none."""
    deep = name.count("/")
    limits = (most for pattern, most in MOST_BYTES.items() if pattern.count("/") == deep and fnmatchcase(name, pattern))
    return next(limits, None)


def check_files(folder: Path) -> None:
    """Refuse a folder with pipes, sockets, devices, pickles, files too large, or links that lead outside.

    Call this before any file in it is read: a read of a pipe may never end. Other folders than a model's own are
    ignored, since nothing reads them.

    Raises:
        UserError: the folder has one of these.
        OSError: the folder cannot be read.
    """
    places = places_of(folder)
    for part in ("", STATIC, ENCODER):
        if part and not (folder / part).is_dir():
            continue
        for path in sorted((folder / part).iterdir()):
            refuse_outside(path, places)
            if part or (path.exists() and not path.is_dir()):
                _check_file(path, path.relative_to(folder).as_posix())


def _check_file(path: Path, name: str) -> None:
    require_regular(path)
    most, size = most_bytes(name), path.stat().st_size
    if most is None and "/" in name:
        most = _MOST_BYTES_OF_OTHERS
    if most is not None and size > most:
        raise UserError(f"{path}: {size:,} bytes, larger than {most:,} bytes; not a model of this tagger")
    refuse_pickle(path)
