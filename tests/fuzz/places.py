"""Files for what can only be read from one: in memory where the system has a folder for that."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path

_IN_MEMORY = Path("/dev/shm")
_KEPT: list[tempfile.TemporaryDirectory[str]] = []


@cache
def folder(name: str) -> Path:
    """A folder of this process alone, gone with it."""
    _KEPT.append(tempfile.TemporaryDirectory(prefix="fuzz-", dir=_IN_MEMORY if _IN_MEMORY.is_dir() else None))
    made = Path(_KEPT[-1].name, name)
    made.mkdir()
    return made


def written(content: bytes, name: str = "file") -> Path:
    """A file that holds it."""
    path = folder("files") / name
    path.write_bytes(content)
    return path
