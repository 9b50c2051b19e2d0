"""Write and read the line of an epoch's figures. Programs that start runs follow them by it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import SupportsFloat

_FORMATS = {
    **{"epoch_loss": ".3f", "dev_f1": ".4f", "dev_accuracy": ".4f", "dev_perplexity": ".1f"},
    **{"tokens_per_second": ",.0f", "words_per_second": ",.0f"},
}
_WRITTEN = re.compile(r"epoch (\d+): .*\bdev_(?:f1|accuracy) (\d+\.\d+)")


def epoch_line(epoch: int, figures: Mapping[str, SupportsFloat]) -> str:
    """Write the line of an epoch, with its number from 1 and the figures that are there."""
    shown = [f"{name} {float(figures[name]):{form}}" for name, form in _FORMATS.items() if name in figures]
    return f"epoch {epoch}: {', '.join(shown)}"


def read_epoch_line(line: str) -> tuple[int, float] | None:
    """Read the epoch and its dev score; None for any other line."""
    found = _WRITTEN.match(line)
    return None if found is None else (int(found[1]), float(found[2]))
