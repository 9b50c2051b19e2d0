"""The folder of a language model: pretraining writes it; training a tagger and generating text read it.

It has the files of a model folder. `config.json` has a format of its own, `vocab.json` the predicted words too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file

from tagger.config import ModelConfig
from tagger.config_parsing import from_mapping
from tagger.errors import UserError
from tagger.features.predicted_words import PredictedWords
from tagger.features.vectors.open import StaticVectors, load_static
from tagger.features.vocabulary import Vocabularies, Vocabulary
from tagger.model_folder.checks import (
    check_checksum,
    check_complete,
    check_files,
    check_size,
    check_tensors,
    damaged_model,
    unreadable_model,
)
from tagger.model_folder.contents import CONFIG, MOST_BYTES, STATIC, VOCABULARY, WEIGHTS, data_files
from tagger.model_folder.writing import model_written_whole, write_data, write_description
from tagger.tensor_shapes import Shapes, expected_shapes
from tagger.untrusted import read_json

FORMAT, VERSION = "tagger-language-model", 1
SHARED = ("embeddings.", "encoder.")  # prefixes of the tensors that a tagger has, too

Floats = NDArray[np.float32]


class OutputTensors(NamedTuple):
    """Names of the tensors that turn states into scores of words; see `model.language_model.WordPrediction`."""

    start: str = "output.start"  # (2, H)
    weight: str = "output.weight"  # (2, D, H)
    offset: str = "output.offset"  # (2, D)
    end: str = "output.end"  # (D,)
    bias: str = "output.bias"  # (2, V)


OUTPUT = OutputTensors()


@dataclass(frozen=True)
class LanguageModelFolder:
    """The content of a language model's folder.

    Attributes:
        config: the shape of embeddings and encoder; the decoder has no meaning.
        vocabularies: the known words and so on; there are no tags.
        predicted: the words that are predicted.
        tensors: weights by name.
        tokenizer: splits text for the model.
        language: ISO 639-1 code, or "".
        about: the text that it was trained on, in words.
        static: if the configuration has pretrained vectors.
    """

    config: ModelConfig
    vocabularies: Vocabularies
    predicted: PredictedWords
    tensors: Mapping[str, Floats]
    tokenizer: str
    language: str
    about: str
    static: StaticVectors | None = None

    @property
    def shared_tensors(self) -> dict[str, Floats]:
        """The weights of embeddings and encoder, which a tagger starts from."""
        return {name: each for name, each in self.tensors.items() if name.startswith(SHARED)}

    def save(self, folder: Path, card: str) -> None:
        """Write the folder under a temporary name and rename it. An older folder of that name is replaced.

        Raises:
            UserError: it cannot be written.
        """
        predicted = {"words": self.predicted.vocabulary.entries, "counts": list(self.predicted.counts)}
        description = {
            "format": FORMAT,
            "version": VERSION,
            "tokenizer": self.tokenizer,
            "language": self.language,
            "about": self.about,
            "model": self.config.to_mapping(),
        }
        with model_written_whole(folder) as new:
            write_data(new, self.tensors, {**self.vocabularies.to_mapping(), "predicted": predicted}, self.static)
            write_description(new, description, card)

    @classmethod
    def load(cls, folder: Path) -> LanguageModelFolder:
        """Read and check a folder.

        Raises:
            UserError: it is missing, incomplete, unreadable, damaged, of another kind, or of a newer format.
        """
        try:
            check_complete(folder)
            check_files(folder)
            description = read_json(folder / CONFIG, MOST_BYTES[CONFIG])
            _check_format(folder, description)
            check_checksum(folder, VOCABULARY, description)
            return cls._read(folder, description)
        except OSError as error:
            raise unreadable_model(folder, error) from error

    @classmethod
    def _read(cls, folder: Path, description: Mapping[str, Any]) -> LanguageModelFolder:
        try:
            config = from_mapping(ModelConfig, description["model"], "model")
            if config.encoder.depth != 1:
                raise UserError(f"{config.encoder.depth} layers, where a language model has one")
            mapping = read_json(folder / VOCABULARY, MOST_BYTES[VOCABULARY])
            vocabularies = Vocabularies.from_mapping(mapping)
            predicted = _predicted(mapping["predicted"], vocabularies, config)
            shapes = expected_tensors(config, vocabularies, len(predicted))
            check_size(folder / WEIGHTS, shapes)
            about = str(description["about"])
        except (UserError, ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
            raise damaged_model(folder, error) from error
        for name in data_files(folder):  # after `check_size`: a file of any size would take long to read
            if name != VOCABULARY:
                check_checksum(folder, name, description)
        try:
            tensors = load_file(folder / WEIGHTS)
            static = load_static(folder / STATIC) if config.embeddings.static else None
        except (UserError, ValueError, KeyError, TypeError, SafetensorError) as error:
            raise damaged_model(folder, error) from error
        check_tensors(folder, tensors, shapes)
        tokenizer, language = description["tokenizer"], description["language"]
        return cls(config, vocabularies, predicted, tensors, tokenizer, language, about, static)


def is_language_model(folder: Path) -> bool:
    """Return whether a folder is a language model's, whole or damaged, by its `config.json`."""
    try:
        return read_json(folder / CONFIG, MOST_BYTES[CONFIG]).get("format") == FORMAT
    except (OSError, UserError):
        return False


def expected_tensors(config: ModelConfig, vocabularies: Vocabularies, predicted: int) -> Shapes:
    """Return the shapes of a language model's tensors by name, with `predicted` words."""
    of_tagger = expected_shapes(config, vocabularies)
    shapes = {name: shape for name, shape in of_tagger.items() if name.startswith(SHARED)}
    embeddings, hidden = config.embeddings, config.encoder.stack[0].hidden_size
    width = sum(part.size for part in (embeddings.word, embeddings.shape) if part)
    own: list[tuple[int, ...]] = [(2, hidden), (2, width, hidden), (2, width), (width,), (2, predicted)]
    return {**shapes, **dict(zip(OUTPUT, own, strict=True))}


def _predicted(entry: Mapping[str, Any], vocabularies: Vocabularies, config: ModelConfig) -> PredictedWords:
    words, counts = entry["words"], entry["counts"]
    if len(counts) != len(Vocabulary(words)) or not all(isinstance(count, int) and count >= 0 for count in counts):
        raise UserError("predicted words and their counts do not fit")
    lowercase = config.embeddings.word.lowercase if config.embeddings.word else True
    listed = dict(zip(words, counts[2:], strict=True))
    tokens = counts[1] + sum(counts[2:])
    return PredictedWords.of(listed, vocabularies, lowercase=lowercase, tokens=tokens, ends=counts[0])


def _check_format(folder: Path, description: Mapping[str, Any]) -> None:
    if description.get("format") != FORMAT:
        raise UserError(
            f"{folder / CONFIG}: not a language model (format {description.get('format')!r}); give a folder that "
            "`tagger pretrain` wrote"
        )
    version = description.get("version")
    if isinstance(version, int) and version > VERSION:
        raise UserError(f"{folder}: language model format {version} is newer than this tagger reads ({VERSION}); "
            "upgrade tagger")  # fmt: skip
    kinds = {"version": int, "tokenizer": str, "language": str, "about": str, "model": dict, "sha256": dict}
    for key, kind in kinds.items():
        if not isinstance(description.get(key), kind):
            raise UserError(f"{folder / CONFIG}: damaged: {key!r} is missing or not a {kind.__name__}")
