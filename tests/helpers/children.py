"""Scripts of the checkout in processes of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.helpers.repository import REPOSITORY

ENVIRONMENT = {"PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1"}


def begin(script: str | Path, *arguments: str, cwd: Path | None = None, **how: Any) -> subprocess.Popen[str]:
    """Start a script, named from the repository's root, in a session of its own, its output in pipes.

    Args:
        script: a path, or `-c`.
        arguments: of the script.
        cwd: the folder it runs in.
        how: other arguments of `Popen`; `env` is added to this process's environment.
    """
    program = script if script == "-c" else str(REPOSITORY / script)
    environment = {**os.environ, **ENVIRONMENT, **how.pop("env", {})}
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(
        [sys.executable, program, *arguments],
        cwd=cwd,
        env=environment,
        **{**pipes, "start_new_session": True, **how},
    )
