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
    """Figures of an epoch. What was not logged is None.

    Attributes:
        epoch: its number, from 1.
        loss: mean training loss.
        score: dev score.
        learning_rate: at the end of the epoch.
        tokens_per_second: speed of training.
    """

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
        name = next((score for score in _SCORES if _number(row, score) is not None), name)
        rate = next((value for key in row if key and (value := _number(row, key)) is not None and _is_rate(key)), rate)
        epoch = _number(row, "epoch")
        if epoch is None:
            continue
        figures = found.setdefault(int(epoch) + 1, {})
        for key in ("epoch_loss", *_SCORES, "tokens_per_second"):
            if (value := _number(row, key)) is not None:
                figures[key] = value
        if rate is not None:
            figures["rate"] = rate
    epochs = [
        Epoch(epoch, of.get("epoch_loss"), of.get(name), of.get("rate"), of.get("tokens_per_second"))
        for epoch, of in sorted(found.items())
    ]
    return LearningCurve(name, epochs) if epochs else None


def _is_rate(name: str) -> bool:
    return name.startswith("lr")


def _number(row: dict[str, str], key: str) -> float | None:
    try:
        value = float(row.get(key) or "")
    except (TypeError, ValueError):
        return None
    return value if math.isfinite(value) else None
