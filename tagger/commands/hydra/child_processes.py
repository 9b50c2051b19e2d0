"""The commands in processes of their own, from wherever this package lies."""

from __future__ import annotations

import os
import sys
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parents[3]


def command_line(name: str) -> list[str]:
    """What starts `train`, `evaluate` or `tag`, before its arguments; to be run in `environment()`."""
    return [sys.executable, "-m", "tagger", name]


def environment() -> dict[str, str]:
    """This process's, with this package before others and nothing taken from the working folder."""
    paths = [str(_PACKAGE), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "PYTHONSAFEPATH": "1"}
