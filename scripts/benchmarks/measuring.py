"""Commands measured from outside: seconds, peak memory, when each line of output came; medians and ranges of rounds."""

from __future__ import annotations

import json
import math
import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from peers.contest import last_line

_LAUNCHER = Path(__file__).resolve().parent / "launcher.py"
_DIGITS = 6  # significant ones that are kept


class Failed(Exception):
    """A command that did not do what it was to do, and why."""


@dataclass(frozen=True)
class Measured:
    """What a command took.

    Attributes:
        seconds: from its start to its end.
        peak_bytes: the most memory that was resident (RSS), of it alone.
        lines: of its two outputs together, each with the seconds from the start until it came.
        cut: whether it was stopped because its time was up.
    """

    seconds: float
    peak_bytes: int
    lines: Sequence[tuple[float, str]]
    cut: bool

    def events(self) -> list[tuple[float, dict[str, Any]]]:
        """Those lines that are JSON objects."""
        return [(seconds, json.loads(line)) for seconds, line in self.lines if line.startswith("{")]


def measure(
    command: Sequence[str | Path],
    environment: Mapping[str, str],
    *,
    log: Path,
    folder: Path | None = None,
    limit: float | None = None,
) -> Measured:
    """Run a command in a process of its own and wait for it.

    Args:
        command: and its arguments.
        environment: all its variables.
        log: where what it wrote is kept.
        folder: to run in; None for the present one.
        limit: seconds after which it gets Ctrl-C; None for no limit.

    Raises:
        Failed: it ended with another exit code than 0, and not because of the limit.
    """
    within = None if folder is None else str(folder)
    asked = {"command": [*map(str, command)], "environment": {**environment}, "folder": within, "limit": limit}
    launcher = subprocess.Popen(
        [sys.executable, "-I", "-S", str(_LAUNCHER)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        answer, _ = launcher.communicate(json.dumps(asked))
    except BaseException:
        launcher.terminate()  # which ends what it measures
        launcher.wait()
        raise
    if launcher.returncode:
        raise Failed(f"{command[0]}: could not be started")
    told = json.loads(answer)
    lines = [(seconds, line) for seconds, line in told["lines"]]
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_text("".join(f"{seconds:9.3f} {line}\n" for seconds, line in lines), encoding="utf-8")
    if told["code"] and not told["cut"]:
        raise Failed(f"exit code {told['code']}: {last_line(chr(10).join(line for _, line in lines))} ({log})")
    return Measured(told["seconds"], told["peak_bytes"], lines, told["cut"])


def over_rounds(values: Sequence[float]) -> dict[str, Any]:
    """Median, lowest and highest of the rounds' figures, and each of them.

    Raises:
        ValueError: there are none.
    """
    if not values:
        raise ValueError("no rounds")
    kept = [significant(value) for value in values]
    return {"median": significant(statistics.median(values)), "low": min(kept), "high": max(kept), "each": kept}


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest of the values that a share of them do not exceed (nearest rank).

    Raises:
        ValueError: there are none.
    """
    if not values:
        raise ValueError("no values")
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


def significant(value: float) -> float:
    """The value with so many digits as a measurement can mean."""
    return float(f"{value:.{_DIGITS}g}")
