"""Read a run's learning curve: the figures that training logged, by epoch."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tagger.errors import UserError

_SCORES = ("dev_f1", "dev_accuracy")


@dataclass(frozen=True)
class Epoch:
    """Figures of an epoch, counted from 1: mean training loss, dev score, last learning rate. None if not logged."""

    epoch: int
    loss: float | None
    score: float | None
    learning_rate: float | None
    tokens_per_second: float | None


@dataclass(frozen=True)
class LearningCurve:
    """All epochs of a run, and the name of its dev score: `dev_f1` or `dev_accuracy`."""

    score_name: str
    epochs: Sequence[Epoch]


def read_learning_curve(run_dir: Path) -> LearningCurve | None:
    """Read the log of a run. Return None if it logged nothing.

    Raises:
        UserError: a log cannot be read.
    """
    path = run_dir / "logs" / "csv" / "metrics.csv"
    if not path.is_file():
        return None
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            return learning_curve(csv.DictReader(stream))
    except (OSError, ValueError, csv.Error) as error:
        raise UserError(f"{path}: cannot read: {getattr(error, 'strerror', None) or error}") from error


def learning_curve(rows: Iterable[dict[str, str]]) -> LearningCurve | None:
    """Collect epochs from logged rows. If a resumed run logged an epoch again, the later figures count."""
    name, rate = _SCORES[0], None
    found: dict[int, dict[str, float]] = {}
    for row in rows:
        logged = {key: value for key in row if (value := _number(row[key])) is not None}
        name = next((score for score in _SCORES if score in logged), name)
        rate = next((value for key, value in logged.items() if key.startswith("lr")), rate)
        if "epoch" in logged:
            figures = found.setdefault(int(logged["epoch"]) + 1, {})
            figures |= logged if rate is None else logged | {"rate": rate}
    epochs = [
        Epoch(epoch, of.get("epoch_loss"), of.get(name), of.get("rate"), of.get("tokens_per_second"))
        for epoch, of in sorted(found.items())
    ]
    return LearningCurve(name, epochs) if epochs else None


def _number(text: object) -> float | None:
    try:
        value = float(str(text))
    except ValueError:
        return None
    return value if math.isfinite(value) else None
