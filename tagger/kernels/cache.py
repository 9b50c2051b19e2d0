"""Keep machine code on the disk, and load only what this user, or the system, wrote.

A file is named after what it depends on (sources, numba, processor) and after its own checksum. The checksum finds
damage. Ownership finds attacks: the file and every folder above it must be writable by this user and root alone.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import platform
import stat
from contextlib import suppress
from pathlib import Path

from tagger.errors import UserError
from tagger.files import bytes_written_whole, cache_folder

SUFFIXES = (".so", ".o")  # a shared library, which loads by itself; an object file, which must be linked
_PROCESSOR = ("model name", "flags", "Features")  # the lines of /proc/cpuinfo that machine code depends on
_DIGITS = 16  # of a checksum, in a name


def cache_path() -> Path | None:
    """Return the path that names of machine code begin with here; None without numba."""
    numba = importlib.util.find_spec("numba")
    if numba is None or numba.origin is None:
        return None
    packages = Path(numba.origin).parent.parent
    versions = sorted(path.name for name in ("numba", "llvmlite") for path in packages.glob(f"{name}-*.dist-info"))
    about = "\n".join([*versions, platform.machine(), *_processor()])
    sources = [path.read_bytes() for path in sorted(Path(__file__).parent.glob("*.py"))]
    return cache_folder() / "kernels" / hashlib.sha256(b"".join([*sources, about.encode()])).hexdigest()


def find(path: Path) -> Path | None:
    """Find the code kept under `cache_path()`. Damaged files are removed.

    Raises:
        UserError: somebody else could have written there.
    """
    for suffix in SUFFIXES:
        for candidate in path.parent.glob(f"{path.name}-*{suffix}"):
            require_private(candidate)
            with suppress(OSError):
                if candidate.stem == f"{path.name}-{_checksum(candidate.read_bytes())}":
                    return candidate
                candidate.unlink()
    return None


def keep(code: Path, path: Path) -> Path:
    """Write code under `cache_path()` for the next process. Several processes may do so at once.

    Returns:
        Where it lies now.

    Raises:
        UserError: it cannot be written, or somebody else could write there.
    """
    content = code.read_bytes()
    kept = path.with_name(f"{path.name}-{_checksum(content)}{code.suffix}")
    with suppress(OSError):  # reported below, by the write that fails
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with bytes_written_whole(kept) as stream:
        stream.write(content)
    kept.chmod(0o600)
    require_private(kept)
    return kept


def require_private(path: Path) -> None:
    """Check that only this user and root can change a file, or put another in its place.

    Systems without POSIX owners (Windows) are not checked: there the user's own folder is private by default.

    Raises:
        UserError: the file is a link, or it or a folder above it belongs to, or is writable by, somebody else.
    """
    if not hasattr(os, "geteuid"):
        return
    trusted = (0, os.geteuid())
    for place in (path, *path.absolute().parents):
        found = place.lstat() if place == path else place.stat()
        own_group = found.st_gid == os.geteuid() != 0  # a group of this user alone, as many systems make one
        others = stat.S_IWOTH | (0 if own_group else stat.S_IWGRP)
        shared = found.st_mode & others and not found.st_mode & stat.S_ISVTX
        if found.st_uid not in trusted or shared or (place == path and not stat.S_ISREG(found.st_mode)):
            raise UserError(
                f"{place}: not private to this user (owner {found.st_uid}, mode {found.st_mode & 0o7777:o})"
            )


def _checksum(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:_DIGITS]


def _processor() -> list[str]:
    """Describe this processor: machine code made for another may not run on it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return [platform.processor()]
    return sorted({line for line in lines if line.startswith(_PROCESSOR)})
