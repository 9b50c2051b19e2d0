"""The model folder: training writes a model there, tagging reads it. It is data only; nothing in it is executed.

`contents` lists its files.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file

from tagger.config import ModelConfig
from tagger.config_parsing import from_mapping
from tagger.corpus.schemes import Scheme
from tagger.errors import UserError
from tagger.features.vectors.open import StaticVectors, load_static
from tagger.features.vocabulary import Vocabularies
from tagger.files import bytes_written_whole, written_whole
from tagger.model_folder.checks import (
    check_checksum,
    check_complete,
    check_files,
    check_format,
    check_size,
    check_tags,
    check_tensors,
    checked_temperature,
    damaged_model,
    unreadable_model,
)
from tagger.model_folder.contents import (
    CONFIG,
    ENCODER,
    FORMAT,
    GRAPH,
    MOST_BYTES,
    STATIC,
    VERSION,
    VOCABULARY,
    WEIGHTS,
    data_files,
)
from tagger.model_folder.writing import model_written_whole, write_data, write_description
from tagger.renamed_settings import with_new_names
from tagger.tensor_shapes import expected_shapes
from tagger.untrusted import read_json

_MOST_LAYERS = 1000

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class ModelFolder:
    """The content of a model folder."""

    config: ModelConfig
    vocabularies: Vocabularies  # with the K tags
    scheme: Scheme  # of the tags: IOB2, BIOES or PLAIN
    tensors: Mapping[str, Floats]  # weights by name, float32; see `tensor_shapes`
    tokenizer: str  # that splits text for the model
    language: str  # ISO 639-1 code of the training data, or ""
    static: StaticVectors | None = None  # if the configuration has pretrained vectors
    temperature: float = 1.0  # divides all scores before they become probabilities
    encoder: Path | None = None  # the folder of the fine-tuned transformer, if the model has one
    pretrained_on: str = ""  # raw text of the language model that training started from, in words
    write_encoder: Callable[[Path], object] | None = None  # writes that transformer into a folder

    @property
    def labels(self) -> list[str]:
        """The labels (entity types, or plain tags) that the model knows, sorted."""
        plain = self.scheme is Scheme.PLAIN
        return sorted({tag if plain else tag[2:] for tag in self.vocabularies.tags} - {""})

    def save(self, folder: Path, card: str) -> None:
        """Write the folder under a temporary name and rename it. An older folder of that name is replaced.

        Args:
            folder: the path of the new folder.
            card: the model card, Markdown.

        Raises:
            UserError: it cannot be written.
        """
        description = {
            "format": FORMAT,
            "version": VERSION,
            "scheme": self.scheme.value,
            "temperature": self.temperature,
            "tokenizer": self.tokenizer,
            "language": self.language,
            **({"pretrained_on": self.pretrained_on} if self.pretrained_on else {}),
            "model": self.config.to_mapping(),
        }
        with model_written_whole(folder) as new:
            write_data(new, self.tensors, self.vocabularies.to_mapping(), self.static)
            if self.write_encoder is not None:
                self.write_encoder(new / ENCODER)
            write_description(new, description, card)

    @classmethod
    def load(cls, folder: Path) -> ModelFolder:
        """Read and check a model folder.

        Raises:
            UserError: it is missing, incomplete, unreadable, damaged, of another kind, or of a newer format.
        """
        return cls.load_described(folder, read_description(folder))

    @classmethod
    def load_described(cls, folder: Path, description: Mapping[str, Any]) -> ModelFolder:
        """Read and check a model folder whose `config.json` was read before.

        Args:
            folder: its path.
            description: from `read_description`. Every other file must have the checksum in it.

        Raises:
            UserError: a file is missing, unreadable, damaged, or not the one described.
        """
        try:
            return cls._read(folder, description)
        except OSError as error:
            raise unreadable_model(folder, error) from error

    @classmethod
    def _read(cls, folder: Path, description: Mapping[str, Any]) -> ModelFolder:
        check_checksum(folder, VOCABULARY, description)
        try:
            config = from_mapping(ModelConfig, with_new_names(description["model"]), "model")
            vocabularies = Vocabularies.from_mapping(read_json(folder / VOCABULARY, MOST_BYTES[VOCABULARY]))
            scheme = Scheme(description["scheme"])
            check_tags(vocabularies.tags, scheme)
            temperature = checked_temperature(description)
            if config.encoder.depth > _MOST_LAYERS:
                raise UserError(f"{config.encoder.depth} layers, more than any model has")
            shapes = expected_shapes(config, vocabularies)
            check_size(folder / WEIGHTS, shapes)
        except (UserError, ValueError, KeyError, TypeError) as error:
            raise damaged_model(folder, error) from error
        for name in data_files(folder):  # after `check_size`: a file of any size would take long to read
            if name != VOCABULARY:
                check_checksum(folder, name, description)
        try:
            tensors = load_file(folder / WEIGHTS)
            static = _read_static(folder, config)
        except (UserError, ValueError, KeyError, TypeError, SafetensorError) as error:
            raise damaged_model(folder, error) from error
        check_tensors(folder, tensors, shapes)
        tokenizer, language = description["tokenizer"], description["language"]
        transformer = config.embeddings.transformer
        encoder = folder / ENCODER if transformer and transformer.trainable else None
        if encoder and not encoder.is_dir():
            raise UserError(f"{folder}: not a complete model folder: no {ENCODER}/; copy it whole")
        write = partial(shutil.copytree, encoder) if encoder else None
        pretrained = str(description.get("pretrained_on", ""))
        return cls(
            config, vocabularies, scheme, tensors, tokenizer, language, static, temperature, encoder, pretrained, write
        )


def read_description(folder: Path) -> dict[str, Any]:
    """Check the files of a model folder, except their checksums, and read its `config.json`.

    Raises:
        UserError: it is missing, incomplete, unreadable, of another kind, of a newer format, or not safe to read.
    """
    try:
        check_complete(folder)
        check_files(folder)
        description = read_json(folder / CONFIG, MOST_BYTES[CONFIG])
    except OSError as error:
        raise unreadable_model(folder, error) from error
    check_format(folder, description)
    return description


def is_model(folder: Path) -> bool:
    """Return whether a folder is a model's, whole or damaged, by its `config.json` and weights."""
    try:
        return (folder / WEIGHTS).is_file() and read_json(folder / CONFIG, MOST_BYTES[CONFIG]).get("format") == FORMAT
    except (OSError, UserError):
        return False


def put_graph(folder: Path, graph: bytes) -> None:
    """Write `model.onnx` into a model folder, and its checksum into `config.json`.

    An older graph is removed first, so that an interrupted call leaves a folder without a graph.

    Raises:
        UserError: it cannot be written.
    """
    path = folder / GRAPH
    try:
        description = read_json(folder / CONFIG, MOST_BYTES[CONFIG])
        description["sha256"][GRAPH] = hashlib.sha256(graph).hexdigest()
        path.unlink(missing_ok=True)
        with written_whole(folder / CONFIG) as stream:
            stream.write(json.dumps(description, indent=2) + "\n")
        with bytes_written_whole(path) as stream:
            stream.write(graph)
    except OSError as error:
        raise UserError(f"{path}: cannot write: {error.strerror or error}") from error


def _read_static(folder: Path, config: ModelConfig) -> StaticVectors | None:
    if config.embeddings.static is None:
        return None
    static = load_static(folder / STATIC)
    if static.width != config.embeddings.static.width:
        raise UserError(f"{STATIC}: vectors of width {static.width}, expected {config.embeddings.static.width}")
    return static
