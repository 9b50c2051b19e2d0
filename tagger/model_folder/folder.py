"""The model folder: where training leaves a model and tagging finds it. Data only, nothing in it is executed.

model.safetensors   weights, by the names of `TaggerModel.state_dict()`
config.json         format version, the model's shape, its scheme, temperature, the tokenizer it is meant for, checksums
vocab.json          words, characters, shapes, affixes and tags
static/             pretrained vectors, where the model has them
encoder/            a fine-tuned encoder, where the model has one; of a frozen one config.json has path and digest
model.onnx          the network for other runtimes, where `scripts/export_onnx.py` has put it
README.md           the model card, for people
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save

from tagger.config import ModelConfig, from_mapping
from tagger.corpus.schemes import OUTSIDE, Scheme, has_prefix
from tagger.errors import UserError
from tagger.features.vectors.open import StaticVectors, load_static
from tagger.features.vectors.wordpiece import TOO_LARGE
from tagger.features.vocabulary import Vocabularies
from tagger.files import bytes_written_whole, written_whole
from tagger.model_folder.contents import (
    CARD,
    CONFIG,
    ENCODER,
    GRAPH,
    MOST_BYTES,
    STATIC,
    VOCABULARY,
    WEIGHTS,
    check_files,
)
from tagger.tensor_shapes import Shapes, expected_shapes
from tagger.untrusted import read_json

FORMAT = "tagger-model"
VERSION = 1
_MOST_LAYERS = 1000
_HEADER_BYTES = 4096  # for a tensor's name, type, shape and place
_LONGEST = 500  # of what is told of a damage
_COLDEST, _HOTTEST = 0.001, 1000

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class ModelFolder:
    """What a model folder holds.

    Attributes:
        config: the model's shape.
        vocabularies: with the K tags.
        scheme: of those tags: IOB2, BIOES or PLAIN.
        tensors: weights by name, float32.
        tokenizer: name of the tokenizer that text is to be split with.
        language: ISO 639-1 code of the training data, or "".
        static: pretrained vectors, where the configuration has them.
        temperature: what scores are divided by for probabilities.
        encoder: where a fine-tuned encoder lies, where the model has one.
        write_encoder: writes that encoder into a folder.
    """

    config: ModelConfig
    vocabularies: Vocabularies
    scheme: Scheme
    tensors: Mapping[str, Floats]
    tokenizer: str
    language: str
    static: StaticVectors | None = None
    temperature: float = 1.0
    encoder: Path | None = None
    write_encoder: Callable[[Path], object] | None = None

    @property
    def labels(self) -> list[str]:
        """The labels (entity types, or plain tags) that the model knows, sorted."""
        plain = self.scheme is Scheme.PLAIN
        return sorted({tag if plain else tag[2:] for tag in self.vocabularies.tags} - {""})

    def save(self, folder: Path, card: str) -> None:
        """Write the folder whole: it is made beside `folder` and renamed. An older one of that name is replaced.

        Args:
            folder: where.
            card: the model card, Markdown.

        Raises:
            UserError: it cannot be written.
        """
        try:
            folder.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.") as temporary:
                made, old = Path(temporary) / "made", Path(temporary) / "old"
                made.mkdir()
                self._write(made, card)
                try:
                    if folder.exists():
                        folder.rename(old)
                    made.rename(folder)
                finally:
                    if old.exists() and not folder.exists():
                        old.rename(folder)  # the new one did not get there: put the old one back
        except (OSError, SafetensorError) as error:
            raise UserError(f"{folder}: cannot write the model: {getattr(error, 'strerror', None) or error}") from error

    def _write(self, folder: Path, card: str) -> None:
        # safetensors takes memory as it lies, whatever its strides, and its own files are for their owner alone
        arrays = {name: np.ascontiguousarray(tensor) for name, tensor in self.tensors.items()}
        (folder / WEIGHTS).write_bytes(save(arrays))
        (folder / VOCABULARY).write_text(
            json.dumps(self.vocabularies.to_mapping(), ensure_ascii=False), encoding="utf-8"
        )
        if self.static is not None:
            self.static.save(folder / STATIC)
        if self.write_encoder is not None:
            self.write_encoder(folder / ENCODER)
        config = {
            "format": FORMAT,
            "version": VERSION,
            "scheme": self.scheme.value,
            "temperature": self.temperature,
            "tokenizer": self.tokenizer,
            "language": self.language,
            "model": self.config.to_mapping(),
            "sha256": {name: _sha256(folder / name) for name in _data_files(folder)},
        }
        (folder / CONFIG).write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
        (folder / CARD).write_text(card, encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> ModelFolder:
        """Read and check a model folder.

        Raises:
            UserError: it is missing, incomplete, unreadable, damaged, of another kind, or of a newer format.
        """
        try:
            return cls._read(folder)
        except OSError as error:
            raise UserError(f"{folder}: cannot read the model: {error.strerror or error}") from error

    @classmethod
    def _read(cls, folder: Path) -> ModelFolder:
        if not folder.is_dir():
            raise UserError(f"{folder}: no such model folder; train one, or give the path of a folder with {CONFIG}")
        for name in (CONFIG, VOCABULARY, WEIGHTS):
            if not (folder / name).is_file():
                if (folder / "model" / name).is_file():
                    raise UserError(f"{folder}: a run, not its model; give {folder / 'model'}")
                raise UserError(f"{folder}: not a complete model folder: no {name}; give a folder that training wrote")
        check_files(folder)
        settings = read_json(folder / CONFIG, MOST_BYTES[CONFIG])
        _check_format(folder, settings)
        _compare_checksum(folder, VOCABULARY, settings)
        try:
            config = from_mapping(ModelConfig, settings["model"], "model")
            vocabularies = Vocabularies.from_mapping(read_json(folder / VOCABULARY, MOST_BYTES[VOCABULARY]))
            scheme = Scheme(settings["scheme"])
            _check_tags(vocabularies.tags, scheme)
            temperature = _temperature(settings)
            if config.encoder.depth > _MOST_LAYERS:
                raise UserError(f"{config.encoder.depth} layers, more than any model has")
            shapes = expected_shapes(config, vocabularies)
            _check_size(folder / WEIGHTS, shapes)
        except (UserError, ValueError, KeyError, TypeError) as error:
            raise _damaged(folder, error) from error
        for name in _data_files(folder):  # only now that the weights are no larger than they can be
            if name != VOCABULARY:
                _compare_checksum(folder, name, settings)
        try:
            tensors = load_file(folder / WEIGHTS)
            static = _read_static(folder, config)
        except (UserError, ValueError, KeyError, TypeError, SafetensorError) as error:
            raise _damaged(folder, error) from error
        _check_tensors(folder, tensors, shapes)
        tokenizer, language = settings["tokenizer"], settings["language"]
        encoder = folder / ENCODER if config.embeddings.encoder and config.embeddings.encoder.tune else None
        if encoder and not encoder.is_dir():
            raise UserError(f"{folder}: not a complete model folder: no {ENCODER}/; copy it whole")
        write = partial(shutil.copytree, encoder) if encoder else None
        return cls(config, vocabularies, scheme, tensors, tokenizer, language, static, temperature, encoder, write)


def is_model(folder: Path) -> bool:
    """Whether a folder is a model's, by its `config.json` and weights; whole or damaged."""
    try:
        return (folder / WEIGHTS).is_file() and read_json(folder / CONFIG, MOST_BYTES[CONFIG]).get("format") == FORMAT
    except (OSError, UserError):
        return False


def put_graph(folder: Path, graph: bytes) -> None:
    """Put `model.onnx` into a model folder, in place of one that is there, and its checksum into `config.json`.

    A run that is broken off in between leaves a folder without the file.

    Raises:
        UserError: it cannot be written.
    """
    path = folder / GRAPH
    try:
        settings = read_json(folder / CONFIG, MOST_BYTES[CONFIG])
        settings["sha256"][GRAPH] = hashlib.sha256(graph).hexdigest()
        path.unlink(missing_ok=True)
        with written_whole(folder / CONFIG) as stream:
            stream.write(json.dumps(settings, indent=2) + "\n")
        with bytes_written_whole(path) as stream:
            stream.write(graph)
    except OSError as error:
        raise UserError(f"{path}: cannot write: {error.strerror or error}") from error


def _data_files(folder: Path) -> list[str]:
    """The files whose checksums `config.json` holds."""
    within = [part for part in (STATIC, ENCODER) if (folder / part).is_dir()]
    graph = [GRAPH] * (folder / GRAPH).is_file()
    inside = (f"{part}/{name}" for part in within for name in sorted(os.listdir(folder / part)))
    return [WEIGHTS, VOCABULARY, *graph, *inside]


def _read_static(folder: Path, config: ModelConfig) -> StaticVectors | None:
    if config.embeddings.static is None:
        return None
    static = load_static(folder / STATIC)
    if static.width != config.embeddings.static.width:
        raise UserError(f"{STATIC}: vectors of width {static.width}, expected {config.embeddings.static.width}")
    return static


def _check_format(folder: Path, settings: Mapping[str, Any]) -> None:
    if settings.get("format") != FORMAT:
        raise UserError(f"{folder / CONFIG}: not a model of this tagger (format {settings.get('format')!r})")
    version = settings.get("version")
    if isinstance(version, int) and version > VERSION:
        raise UserError(f"{folder}: model format {version} is newer than this tagger reads ({VERSION}); upgrade tagger")
    kinds = {"version": int, "scheme": str, "tokenizer": str, "language": str, "model": dict, "sha256": dict}
    for key, kind in kinds.items():
        if not isinstance(settings.get(key), kind):
            raise UserError(f"{folder / CONFIG}: damaged: {key!r} is missing or not a {kind.__name__}")


def _temperature(settings: Mapping[str, Any]) -> float:
    """Models from before there was one have none."""
    value = settings.get("temperature", 1.0)
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not number or not _COLDEST <= value <= _HOTTEST:
        raise UserError(f"temperature: expected a number from {_COLDEST} to {_HOTTEST}, got {value!r}"[:200])
    return float(value)


def _check_tags(tags: Sequence[str], scheme: Scheme) -> None:
    prefixes = {Scheme.IOB2: "BI", Scheme.BIOES: "BIES"}.get(scheme)
    if prefixes is None and scheme is not Scheme.PLAIN:
        raise UserError(f"no model has tags in the scheme {scheme.value}")
    if not tags or len(set(tags)) < len(tags):
        raise UserError("tags: there are none, or one of them stands twice")
    if prefixes and any(tag != OUTSIDE and not (has_prefix(tag) and tag[0] in prefixes) for tag in tags):
        raise UserError(f"tags: not all of them are of the scheme {scheme.value}")
    if prefixes and OUTSIDE not in tags:
        raise UserError(f"tags: {OUTSIDE} is missing")


def _check_size(weights: Path, shapes: Shapes) -> None:
    """Before they are read: no larger than these tensors and a header that names them."""
    most = 4 * sum(map(math.prod, shapes.values())) + _HEADER_BYTES * (len(shapes) + 1)
    if (size := weights.stat().st_size) > most:
        raise UserError(f"{weights.name}: {size:,} bytes, expected at most {most:,} for the tensors of {CONFIG}")


def _check_tensors(folder: Path, tensors: Mapping[str, Any], shapes: Shapes) -> None:
    """Refuse missing, unknown and misshapen tensors, and numbers that are NaN, infinite or huge."""
    for name in sorted(shapes.keys() ^ tensors.keys()):
        what = "is missing" if name in shapes else "does not belong there"
        raise UserError(f"{folder / WEIGHTS}: tensor {name} {what}; copy or train the model anew")
    for name, shape in shapes.items():
        tensor = tensors[name]
        if tensor.shape != shape or tensor.dtype != np.float32:
            raise UserError(
                f"{folder / WEIGHTS}: {name} is {tensor.dtype} {tensor.shape}, expected float32 {shape}; "
                "copy or train the model anew"
            )
        if not max(tensor.max(initial=0), -tensor.min(initial=0)) < TOO_LARGE:  # NaN is not less either
            raise UserError(
                f"{folder / WEIGHTS}: {name} holds NaN, infinite or huge numbers; copy the model again, or train it "
                "with a lower optim.lr"
            )


def _compare_checksum(folder: Path, name: str, settings: Mapping[str, Any]) -> None:
    """Refuse a file with another checksum than in `config.json`. One without a checksum there is not read."""
    listed = settings["sha256"].get(name)
    if listed is None or listed != _sha256(folder / name):
        raise UserError(f"{folder / name}: damaged: its checksum is not the one in {CONFIG}; copy it anew")


def _damaged(folder: Path, error: Exception) -> UserError:
    return UserError(f"{folder}: damaged model: {str(error)[:_LONGEST]}; copy or train it anew")


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
