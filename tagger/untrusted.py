"""Check files before they are trusted: bounds of JSON, signs of pickles, links that lead elsewhere."""

from __future__ import annotations

import json
import stat
from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import Any

from tagger.errors import UserError

_MOST_DEPTH = 50
_RUN_BY_NAME = "_target_"  # the key by which configurations name code to be imported
_PICKLES = (*(bytes([0x80, protocol]) for protocol in range(2, 6)), b"PK\x03\x04")  # and archives, as PyTorch's
_HEAD = 9  # bytes: those of a pickle's or archive's beginning, or of a safetensors header's length and first character
_PICKLE_SUFFIXES = frozenset(
    (".pkl", ".pickle", ".p", ".pt", ".pth", ".bin", ".ckpt", ".joblib", ".dill", ".npy", ".npz", ".dat", ".h5")
)


def read_json(path: Path, most_bytes: int) -> dict[str, Any]:
    """Read a JSON object from a file made by others, of at most `most_bytes` bytes.

    Raises:
        UserError: the file is not regular, too large, not a JSON object, nested too deep, or names code to run.
        OSError: the file cannot be read.
    """
    require_regular(path)
    if path.stat().st_size > most_bytes:
        raise UserError(f"{path}: larger than {most_bytes:,} bytes; not what belongs there")
    try:
        value = json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=_data_only)
    except UserError as error:
        raise UserError(f"{path}: {error}") from None
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path}: damaged: not JSON ({error}); copy it again") from error
    if not isinstance(value, dict):
        raise UserError(f"{path}: damaged: not a JSON object; copy it again")
    if _deeper_than(value, _MOST_DEPTH):
        raise UserError(f"{path}: damaged: nested deeper than {_MOST_DEPTH} levels; copy it again")
    return value


def _data_only(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """Return a JSON object as a dictionary; refuse one that names code to run."""
    if any(key == _RUN_BY_NAME for key, _ in pairs):
        raise UserError(f"has an entry {_RUN_BY_NAME}, which names code to run; give a folder of data only")
    return dict(pairs)


def _deeper_than(value: Any, depth: int) -> bool:
    level = [value]
    for _ in range(depth):
        inner = chain.from_iterable(outer.values() if isinstance(outer, dict) else outer for outer in level)
        level = [one for one in inner if isinstance(one, (dict, list))]
    return bool(level)


def begins_as_safetensors(head: bytes, size: int) -> bool:
    """Return whether a file of `size` bytes, of which `head` are the first 9 or more, starts as safetensors does.

    It does with the length of a JSON header that fits into it, and the header.
    """
    return int.from_bytes(head[:8], "little") <= size - 8 and head[8:9] == b"{"


def refuse_pickle(path: Path) -> None:
    """Refuse a file that is a pickle by its first bytes, or may be one by its name.

    No UTF-8 text starts as a pickle does. A safetensors file may: it starts with the length of its header. Such a file
    is accepted by the name `.safetensors` and a header that fits, since only a safetensors reader opens it.

    Raises:
        UserError: the file may hold pickled objects.
        OSError: the file cannot be read.
    """
    with path.open("rb") as stream:
        head = stream.read(_HEAD)
    tensors = path.suffix == ".safetensors" and begins_as_safetensors(head, path.stat().st_size)
    if path.suffix.lower() in _PICKLE_SUFFIXES or (head.startswith(_PICKLES) and not tensors):
        raise UserError(f"{path}: may hold pickled objects, which can run code when read; take it out of the folder")


def require_regular(path: Path) -> None:
    """Refuse all but regular files, links followed: a read of a pipe, socket or device may never end.

    Raises:
        UserError: it is no regular file.
        OSError: it cannot be examined.
    """
    if not stat.S_ISREG(path.stat().st_mode):
        raise UserError(f"{path}: not a regular file, but a folder, pipe, socket or device; take it out of the folder")


def places_of(folder: Path) -> list[Path]:
    """Return the folders in which the entries of a folder may be, links followed: the folder itself.

    A snapshot in the Hub's cache holds links into the folder `blobs` beside it, which is allowed too.
    """
    inside = folder.resolve()
    return [inside, inside.parent.parent / "blobs"] if inside.parent.name == "snapshots" else [inside]


def refuse_outside(path: Path, within: Sequence[Path]) -> None:
    """Refuse an entry of a folder that is in none of the folders `within`, links followed.

    Raises:
        UserError: it is elsewhere.
    """
    try:
        real = path.resolve()
    except (OSError, RuntimeError) as error:  # links in a circle
        raise UserError(f"{path}: a link that leads nowhere; copy the file itself") from error
    if not any(real.is_relative_to(place) for place in within):
        raise UserError(f"{path}: a link to {real}, outside of the folder; copy the file itself")
