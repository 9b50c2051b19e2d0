"""How a model learned: the figures that training logged, by epoch."""

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
    """An epoch, counted from 1; None is what was not logged.

    Attributes:
        epoch: its number.
        loss: the mean training loss.
        score: the dev score.
        learning_rate: at its end.
        tokens_per_second: in training.
    """

    epoch: int
    loss: float | None
    score: float | None
    learning_rate: float | None
    tokens_per_second: float | None


@dataclass(frozen=True)
class Learning:
    """All epochs of a run, and what its dev score is: `dev_f1` or `dev_accuracy`."""

    score_name: str
    epochs: Sequence[Epoch]


def read_learning(run_dir: Path) -> Learning | None:
    """What a run logged; None where it logged nothing.

    Raises:
        UserError: a log cannot be read.
    """
    path = run_dir / "logs" / "csv" / "metrics.csv"
    if not path.is_file():
        return None
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            return learning(csv.DictReader(stream))
    except (OSError, ValueError, csv.Error) as error:
        raise UserError(f"{path}: cannot read: {getattr(error, 'strerror', None) or error}") from error


def learning(rows: Iterable[dict[str, str]]) -> Learning | None:
    """Epochs from logged rows; where an epoch was logged again, as in a resumed run, the later figures count."""
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
    return Learning(name, epochs) if epochs else None


def _is_rate(name: str) -> bool:
    return name.startswith("lr")


def _number(row: dict[str, str], key: str) -> float | None:
    try:
        value = float(row.get(key) or "")
    except (TypeError, ValueError):
        return None
    return value if math.isfinite(value) else None
