"""Targets: files of word vectors, and the JSON of a model folder."""

from __future__ import annotations

import hashlib
import json
from functools import cache
from pathlib import Path

import numpy as np

from tagger.corpus.schemes import Scheme
from tagger.features.vectors.files import read_vectors
from tagger.model_folder.folder import ModelFolder
from tests.fuzz.places import folder, written
from tests.fuzz.told import check_line, choices, told_in_a_line
from tests.random_models import random_folder

VECTOR_FILES = ("v.txt", "v.bin", "v.npz", "v.npy", "v.safetensors")
_WORDS = b"the\na\n\xd0\x9b\n"
JSON_FILES = ("config.json", "vocab.json")


def vectors(data: bytes) -> None:
    """Vectors in whatever form: a table of finite numbers, a row per word."""
    (name, listed), content = choices(data, len(VECTOR_FILES), 2)
    path = written(content, VECTOR_FILES[name])
    words = written(_WORDS, "list.txt") if listed else None
    with told_in_a_line(), np.errstate(over="raise", invalid="raise", divide="raise"):
        table = read_vectors(path, words_file=words)
        assert table.vectors.dtype == np.float32
        assert len(table.vectors) == len(table.words)
        assert np.isfinite(table.vectors).all()
        for note in table.notes:
            check_line(note)


def model_folder(data: bytes) -> None:
    """A model folder whose configuration or vocabulary is any bytes, their checksum right."""
    (which,), content = choices(data, len(JSON_FILES))
    place = model()
    good = {name: (place / name).read_bytes() for name in JSON_FILES}
    changed = {**good, JSON_FILES[which]: content}
    if JSON_FILES[which] == "vocab.json":
        settings = json.loads(good["config.json"])
        settings["sha256"]["vocab.json"] = hashlib.sha256(content).hexdigest()
        changed["config.json"] = json.dumps(settings).encode()
    try:
        for name, written_content in changed.items():
            (place / name).write_bytes(written_content)
        with told_in_a_line():
            ModelFolder.load(place)
    finally:
        for name, before in good.items():
            (place / name).write_bytes(before)


@cache
def model() -> Path:
    """A small model folder."""
    place = folder("model") / "model"
    random_folder(scheme=Scheme.IOB2, parts=("word", "affixes"), hidden=2).save(place, "")
    return place
