"""The files of a model folder: their names and largest sizes.

model.safetensors   weights, by the names in `tensor_shapes`
config.json         format version, the model's shape, tag scheme, temperature, tokenizer, language, checksums
vocab.json          words, characters, shapes, affixes and tags
static/             pretrained vectors, if the model has them
encoder/            a fine-tuned transformer, if the model has one; for a frozen one config.json has path and digest
model.onnx          the network for other runtimes, if `tagger export_onnx` wrote it
README.md           the model card, for people
"""

from __future__ import annotations

import os
from fnmatch import fnmatchcase
from pathlib import Path

FORMAT, VERSION = "tagger-model", 2  # written in config.json; version 1 has old names of settings
WEIGHTS, CONFIG, VOCABULARY, CARD = "model.safetensors", "config.json", "vocab.json", "README.md"
STATIC, ENCODER, GRAPH = "static", "encoder", "model.onnx"
_MIB, _GIB = 1 << 20, 1 << 30
MOST_BYTES = {  # largest size of each file, by a pattern of its name
    CONFIG: _MIB,
    VOCABULARY: 64 * _MIB,
    WEIGHTS: 4 * _GIB,
    GRAPH: 2 * _GIB,  # the limit of an ONNX file
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
    """Return how large a file of a model folder may be, by its name with `/`; None for a file that belongs to none."""
    depth = name.count("/")
    limits = (
        most for pattern, most in MOST_BYTES.items() if pattern.count("/") == depth and fnmatchcase(name, pattern)
    )
    return next(limits, None)


def data_files(folder: Path) -> list[str]:
    """List the files whose checksums `config.json` holds."""
    parts = [part for part in (STATIC, ENCODER) if (folder / part).is_dir()]
    graph = [GRAPH] * (folder / GRAPH).is_file()
    inside = (f"{part}/{name}" for part in parts for name in sorted(os.listdir(folder / part)))
    return [WEIGHTS, VOCABULARY, *graph, *inside]
