"""Start Python child processes. Nothing else in this package starts one.

Python puts the working folder on a child's module path (`python -m`, `python -c`). A file `numpy.py` in a folder of
texts would then be executed. Children started here do not have the working folder on their path.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_PACKAGE_PARENT = Path(__file__).resolve().parent.parent
_SAFE_PATH = "PYTHONSAFEPATH"


def start_python(arguments: Sequence[str], **options: Any) -> subprocess.Popen[Any]:
    """Start this Python with arguments, for example `["-m", "tagger", "train"]`, and options of `subprocess.Popen`."""
    return subprocess.Popen([sys.executable, *arguments], env=_environment(), **options)


def run_python(arguments: Sequence[str], **options: Any) -> subprocess.CompletedProcess[Any]:
    """Run this Python with arguments to its end, with options of `subprocess.run`."""
    return subprocess.run([sys.executable, *arguments], env=_environment(), **options)


def interrupt(process: subprocess.Popen[Any]) -> None:
    """Send a child what Ctrl-C sends. On Windows, where one cannot, end it."""
    if sys.platform == "win32":
        process.terminate()
    else:
        process.send_signal(signal.SIGINT)


@contextmanager
def safe_spawning() -> Iterator[None]:
    """Wrap every start of a `multiprocessing` process: its `python -c` reads this process's environment."""
    before = os.environ.get(_SAFE_PATH)
    os.environ[_SAFE_PATH] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[_SAFE_PATH]
        else:
            os.environ[_SAFE_PATH] = before


def _environment() -> dict[str, str]:
    """Return this process's environment, with this package importable and the working folder not."""
    paths = [str(_PACKAGE_PARENT), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths), _SAFE_PATH: "1"}
