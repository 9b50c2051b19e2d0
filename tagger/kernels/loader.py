"""Load the compiled loops of this process; compile them on first use.

Compiled loops and NumPy differ in the last bits of a state. So a process decides once, under a lock, for all its
threads.
"""

from __future__ import annotations

import logging
import shutil
import subprocess
import tempfile
from pathlib import Path
from threading import Lock

from tagger.errors import UserError
from tagger.kernels import cache
from tagger.kernels.compiled import Kernels
from tagger.python_process import run_python
from tagger.shared_state import survive_forks

_LINKERS = ("cc", "gcc", "clang", "ld")  # each makes a shared library with `-shared`
_LIBRARY, _OBJECT = cache.SUFFIXES
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
        if (path := cache.cache_path()) is None:
            self.problem = "numba is not installed (pip install 'tagger[fast]')"
            return None
        kept, doing = None, "loaded"
        try:
            try:
                kept = cache.find(path)
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
                code = cache.keep(code, path)
            except UserError as error:
                _log.warning("compiled loops cannot be kept: %s; %s", error, _ADVICE)
        return Kernels(code)


def _machine_code(folder: Path) -> Path:
    """Make the machine code in a process of its own: a shared library where the system has a linker."""
    made = folder / f"kernels{_OBJECT}"
    run_python(["-m", "tagger.kernels.loops", str(made)], check=True, capture_output=True)
    return _linked(made) or made


def _linked(made: Path) -> Path | None:
    """Make a shared library of an object file, beside it; None where the system has no linker."""
    library = made.with_suffix(_LIBRARY)
    for linker in filter(None, map(shutil.which, _LINKERS)):
        done = subprocess.run([linker, "-shared", "-o", str(library), str(made)], capture_output=True)
        if done.returncode == 0:
            return library
    return None
