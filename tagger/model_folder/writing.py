"""Write the files of a model folder."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import save

from tagger.errors import UserError
from tagger.features.vectors.open import StaticVectors
from tagger.files import folder_written_whole, sha256_of
from tagger.model_folder.contents import CARD, CONFIG, STATIC, VOCABULARY, WEIGHTS, data_files


@contextmanager
def model_written_whole(folder: Path) -> Iterator[Path]:
    """Yield a new folder that gets the name `folder` when the block ends without an error.

    Raises:
        UserError: it cannot be written.
    """
    try:
        with folder_written_whole(folder) as new:
            yield new
    except (OSError, SafetensorError) as error:
        raise UserError(f"{folder}: cannot write the model: {getattr(error, 'strerror', None) or error}") from error


def write_data(
    folder: Path,
    tensors: Mapping[str, NDArray[np.float32]],
    vocabulary: Mapping[str, Any],
    static: StaticVectors | None,
) -> None:
    """Write the files whose checksums `config.json` will hold."""
    # safetensors ignores strides, so arrays must be contiguous; its `save_file` makes files for their owner only
    arrays = {name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()}
    (folder / WEIGHTS).write_bytes(save(arrays))
    (folder / VOCABULARY).write_text(json.dumps(vocabulary, ensure_ascii=False), encoding="utf-8")
    if static is not None:
        static.save(folder / STATIC)


def write_description(folder: Path, description: Mapping[str, Any], card: str) -> None:
    """Write `config.json`, with the checksums of the files that are there, and the card."""
    config = {**description, "sha256": {name: sha256_of(folder / name) for name in data_files(folder)}}
    (folder / CONFIG).write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    (folder / CARD).write_text(card, encoding="utf-8")
