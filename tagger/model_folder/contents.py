"""Which files a model folder holds, and how large they may be: checked before any of them is read."""

from __future__ import annotations

from fnmatch import fnmatchcase
from pathlib import Path

from tagger.errors import UserError
from tagger.untrusted import refuse_outside, refuse_pickle

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


def most_bytes(name: str) -> int | None:
    """How large a file of a model folder may be, by its name with `/`; None for what belongs to none."""
    deep = name.count("/")
    limits = (most for pattern, most in MOST_BYTES.items() if pattern.count("/") == deep and fnmatchcase(name, pattern))
    return next(limits, None)


def check_files(folder: Path) -> None:
    """Refuse a folder with anything in it that leads outside, is pickled, or is larger than such a file ever is.

    Other files than a model's own are let be: nothing reads them.

    Raises:
        UserError: it has.
        OSError: it cannot be read.
    """
    inside = folder.resolve()
    places = [inside]
    if inside.parent.name == "snapshots":  # of the Hub's cache, where files are links into the folder of blobs beside
        places.append(inside.parent.parent / "blobs")
    for part in ("", STATIC, ENCODER):
        if part and not (folder / part).is_dir():
            continue
        for path in sorted((folder / part).iterdir()):
            refuse_outside(path, places)
            if path.is_file():
                _check_file(path, path.relative_to(folder).as_posix())


def _check_file(path: Path, name: str) -> None:
    refuse_pickle(path)
    most, size = most_bytes(name), path.stat().st_size
    if most is not None and size > most:
        raise UserError(f"{path}: {size:,} bytes, larger than {most:,} bytes; not a model of this tagger")
