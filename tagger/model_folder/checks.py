"""Check a model folder: files before they are read, and what was read before it is used."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tagger.corpus.schemes import OUTSIDE, Scheme, has_prefix
from tagger.errors import UserError
from tagger.features.vectors.wordpiece import TOO_LARGE
from tagger.files import sha256_of
from tagger.model_folder.contents import (
    CONFIG,
    ENCODER,
    FORMAT,
    STATIC,
    VERSION,
    VOCABULARY,
    WEIGHTS,
    most_bytes,
)
from tagger.tensor_shapes import Shapes
from tagger.untrusted import places_of, refuse_outside, refuse_pickle, require_regular

_MOST_BYTES_OF_OTHERS = 64 << 20  # of unknown files in static/ and encoder/, whose checksums are compared too
_HEADER_BYTES = 4096  # for one tensor's name, type, shape and place
_LONGEST = 500  # characters of a library's message that are shown
_COLDEST, _HOTTEST = 0.001, 1000


def damaged_model(folder: Path, error: Exception) -> UserError:
    """Make the error for a folder whose content is wrong. A library's message may be long."""
    return UserError(f"{folder}: damaged model: {str(error)[:_LONGEST]}; copy or train it again")


def unreadable_model(folder: Path, error: OSError) -> UserError:
    """Make the error for a folder that the system cannot read."""
    return UserError(f"{folder}: cannot read the model: {error.strerror or error}")


def check_complete(folder: Path) -> None:
    """Refuse a folder without the files that every model has.

    Raises:
        UserError: the folder or one of the files is missing.
    """
    if not folder.is_dir():
        raise UserError(f"{folder}: no such model folder; train one, or give the path of a folder with {CONFIG}")
    for name in (CONFIG, VOCABULARY, WEIGHTS):
        if not (folder / name).is_file():
            if (folder / "model" / name).is_file():
                raise UserError(f"{folder}: a run, not its model; give {folder / 'model'}")
            raise UserError(f"{folder}: not a complete model folder: no {name}; give a folder that training wrote")


def check_files(folder: Path) -> None:
    """Refuse a folder with pipes, sockets, devices, pickles, files too large, or links that lead outside.

    Call this before any file in it is read: a read of a pipe may never end. Folders inside other than a model's own are
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


def check_format(folder: Path, settings: Mapping[str, Any]) -> None:
    """Refuse a `config.json` of another kind, of a newer format, or without what every model has.

    Raises:
        UserError: it is one of these.
    """
    if settings.get("format") != FORMAT:
        raise UserError(f"{folder / CONFIG}: not a model of this tagger (format {settings.get('format')!r})")
    version = settings.get("version")
    if isinstance(version, int) and version > VERSION:
        raise UserError(f"{folder}: model format {version} is newer than this tagger reads ({VERSION}); upgrade tagger")
    kinds = {"version": int, "scheme": str, "tokenizer": str, "language": str, "model": dict, "sha256": dict}
    for key, kind in kinds.items():
        if not isinstance(settings.get(key), kind):
            raise UserError(f"{folder / CONFIG}: damaged: {key!r} is missing or not a {kind.__name__}")


def check_checksum(folder: Path, name: str, settings: Mapping[str, Any]) -> None:
    """Refuse a file whose checksum is not the one in `config.json`, or that has none there.

    Raises:
        UserError: the checksum differs or is missing.
    """
    listed = settings["sha256"].get(name)
    if listed is None or listed != sha256_of(folder / name):
        raise UserError(f"{folder / name}: damaged: its checksum is not the one in {CONFIG}; copy it again")


def check_tags(tags: Sequence[str], scheme: Scheme) -> None:
    """Refuse tags that no model can have, or that are not of their scheme.

    Raises:
        UserError: they are so.
    """
    prefixes = {Scheme.IOB2: "BI", Scheme.BIOES: "BIES"}.get(scheme)
    if prefixes is None and scheme is not Scheme.PLAIN:
        raise UserError(f"no model has tags in the scheme {scheme.value}")
    if not tags or len(set(tags)) < len(tags):
        raise UserError("tags: there are none, or one of them is there twice")
    if prefixes and any(tag != OUTSIDE and not (has_prefix(tag) and tag[0] in prefixes) for tag in tags):
        raise UserError(f"tags: not all of them are of the scheme {scheme.value}")
    if prefixes and OUTSIDE not in tags:
        raise UserError(f"tags: {OUTSIDE} is missing")


def checked_temperature(settings: Mapping[str, Any]) -> float:
    """Return the temperature; 1 for an old model without one.

    Raises:
        UserError: it is no number, or out of range.
    """
    value = settings.get("temperature", 1.0)
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not number or not _COLDEST <= value <= _HOTTEST:
        raise UserError(f"temperature: expected a number from {_COLDEST} to {_HOTTEST}, got {value!r}"[:200])
    return float(value)


def check_size(weights: Path, shapes: Shapes) -> None:
    """Refuse a file of weights that is larger than these tensors and their header. Call this before it is read.

    Raises:
        UserError: it is larger.
    """
    most = 4 * sum(map(math.prod, shapes.values())) + _HEADER_BYTES * (len(shapes) + 1)
    if (size := weights.stat().st_size) > most:
        raise UserError(f"{weights.name}: {size:,} bytes, expected at most {most:,} for the tensors of {CONFIG}")


def check_tensors(folder: Path, tensors: Mapping[str, Any], shapes: Shapes) -> None:
    """Refuse missing, unknown and misshapen tensors, and numbers that are NaN, infinite or huge.

    Raises:
        UserError: there is one.
    """
    for name in sorted(shapes.keys() ^ tensors.keys()):
        problem = "is missing" if name in shapes else "does not belong there"
        raise UserError(f"{folder / WEIGHTS}: tensor {name} {problem}; copy or train the model again")
    for name, shape in shapes.items():
        tensor = tensors[name]
        if tensor.shape != shape or tensor.dtype != np.float32:
            raise UserError(
                f"{folder / WEIGHTS}: {name} is {tensor.dtype} {tensor.shape}, expected float32 {shape}; "
                "copy or train the model again"
            )
        if not max(tensor.max(initial=0), -tensor.min(initial=0)) < TOO_LARGE:  # NaN is not less either
            raise UserError(
                f"{folder / WEIGHTS}: {name} holds NaN, infinite or huge numbers; copy the model again, or train it "
                "with a lower optim.lr"
            )


def _check_file(path: Path, name: str) -> None:
    require_regular(path)
    most, size = most_bytes(name), path.stat().st_size
    if most is None and "/" in name:
        most = _MOST_BYTES_OF_OTHERS
    if most is not None and size > most:
        raise UserError(f"{path}: {size:,} bytes, larger than {most:,} bytes; not a model of this tagger")
    refuse_pickle(path)
