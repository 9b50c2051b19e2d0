"""Load the compiled loops of this process; compile them on first use, and keep them on the disk.

Compiled loops and NumPy differ in the last bits of a state. So a process decides once, under a lock, for all its
threads.

A kept file is named after what it depends on (sources, numba, processor) and after its own checksum. The checksum finds
damage. Ownership finds attacks: the file and every folder above it must be writable by this user and root alone.
"""

from __future__ import annotations

import hashlib
import importlib.util
import logging
import os
import platform
import shutil
import stat
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path
from threading import Lock

from tagger.errors import UserError, install_command
from tagger.files import bytes_written_whole, cache_folder
from tagger.kernels.compiled import LIBRARY, OBJECT, Kernels
from tagger.python_process import run_python
from tagger.shared_state import survive_forks

_LINKERS = ("cc", "gcc", "clang", "ld")  # each makes a shared library with `-shared`
_PROCESSOR = ("model name", "flags", "Features")  # the lines of /proc/cpuinfo that machine code depends on
_DIGITS = 16  # of a checksum, in a name
_ADVICE = "set TAGGER_CACHE to a private folder"
_log = logging.getLogger(__name__)


class KernelLoader:
    """The compiled loops, for all threads of this process.

    Attributes:
        problem: the reason why there are none, after the first call.
    """

    def __init__(self) -> None:
        self.problem = ""
        self._lock = Lock()
        self._decided = False
        self._kernels: Kernels | None = None
        survive_forks(self)

    def after_fork(self) -> None:
        """Decide again in a forked child, if another thread was about to."""
        self._lock = Lock()

    def __call__(self) -> Kernels | None:
        """Return the loops; None without numba, or where it cannot compile.

        The first call on a machine compiles, which takes some seconds. Later processes load the result from the cache.
        Call this before starting other processes, so that one compiles and the others load.
        """
        if not self._decided:
            with self._lock:
                if not self._decided:
                    self._kernels = self._load()
                    self._decided = True
        return self._kernels

    def _load(self) -> Kernels | None:
        if (path := _cache_path()) is None:
            self.problem = f"numba is not installed ({install_command('fast')})"
            return None
        kept, doing = None, "loaded"
        try:
            try:
                kept = _find(path)
            except UserError as error:
                _log.warning("compiled loops in the cache are not used: %s; %s", error, _ADVICE)
                path = None
            if kept is not None:
                return Kernels(kept)
            doing = "compiled"
            return _compile(path)
        except (OSError, RuntimeError, subprocess.SubprocessError) as error:
            self.problem = f"they cannot be {doing} here ({error})"
            return None


kernels = KernelLoader()


def _compile(path: Path | None) -> Kernels:
    """Compile the loops and keep them under `path` for the next process, if it is given."""
    _log.warning("compiling loops for this processor (some seconds, once)")
    with tempfile.TemporaryDirectory() as private:
        code = _machine_code(Path(private))
        if path is not None:
            try:
                code = _keep(code, path)
            except UserError as error:
                _log.warning("compiled loops cannot be kept: %s; %s", error, _ADVICE)
        return Kernels(code)


def _machine_code(folder: Path) -> Path:
    """Make the machine code in a process of its own: a shared library where the system has a linker."""
    made = folder / f"kernels{OBJECT}"
    run_python(["-m", "tagger.kernels.loops", str(made)], check=True, capture_output=True)
    return _linked(made) or made


def _linked(made: Path) -> Path | None:
    """Make a shared library of an object file, beside it; None where the system has no linker."""
    library = made.with_suffix(LIBRARY)
    for linker in filter(None, map(shutil.which, _LINKERS)):
        done = subprocess.run([linker, "-shared", "-o", str(library), str(made)], capture_output=True)
        if done.returncode == 0:
            return library
    return None


def _cache_path() -> Path | None:
    """Return the path that names of machine code begin with here; None without numba."""
    numba = importlib.util.find_spec("numba")
    if numba is None or numba.origin is None:
        return None
    packages = Path(numba.origin).parent.parent
    versions = sorted(path.name for name in ("numba", "llvmlite") for path in packages.glob(f"{name}-*.dist-info"))
    about = "\n".join([*versions, platform.machine(), *_processor()])
    sources = [path.read_bytes() for path in sorted(Path(__file__).parent.glob("*.py"))]
    return cache_folder() / "kernels" / hashlib.sha256(b"".join([*sources, about.encode()])).hexdigest()


def _find(path: Path) -> Path | None:
    """Find the code kept under `_cache_path()`. Damaged files are removed.

    Raises:
        UserError: somebody else could have written there.
    """
    for suffix in (LIBRARY, OBJECT):
        for candidate in path.parent.glob(f"{path.name}-*{suffix}"):
            require_private(candidate)
            with suppress(OSError):
                if candidate.stem == f"{path.name}-{_checksum(candidate.read_bytes())}":
                    return candidate
                candidate.unlink()
    return None


def _keep(code: Path, path: Path) -> Path:
    """Write code under `_cache_path()` for the next process. Several processes may do so at once.

    Returns:
        Where it is now.

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
