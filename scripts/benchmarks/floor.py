"""The floor: how long a model's arithmetic would take at the machine's own rates, beside how long tagging takes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .measuring import Failed, measure, significant
from .systems import HERE, Workplace


def find_floor(model: Path, tokens: Path, place: Workplace, tokens_per_second: float | None) -> dict[str, Any]:
    """Measure the rates in a process of its own; see `floor_worker.py`.

    Args:
        model: the model folder.
        tokens: the input, lists of tokens.
        place: where.
        tokens_per_second: at which it was tagged; None where it was not.

    Raises:
        Failed: it could not be measured.
    """
    command = [place.python(None), HERE / "floor_worker.py", model, tokens]
    events = measure(command, place.variables(ours=True), log=place.work / "output" / "floor.log").events()
    if not events:
        raise Failed("the floor was not told")
    return floor_of(events[0][1], tokens_per_second)


def floor_of(counted: Mapping[str, Any], tokens_per_second: float | None) -> dict[str, Any]:
    """The counts and rates with the seconds that follow of them, by the fastest of the rates."""
    products = sum(counted["operations"].values()) / max(counted["matrix_rates"].values())
    tanhs = counted["tanhs"] / max(counted["tanh_rates"].values())
    return {
        **counted,
        "matrix_seconds": significant(products),
        "tanh_seconds": significant(tanhs),
        "floor_seconds": significant(products + tanhs),
        "taken_seconds": significant(counted["tokens"] / tokens_per_second) if tokens_per_second else None,
    }


def told(floor: Mapping[str, Any]) -> list[str]:
    """Lines for people."""
    libraries = ", ".join(f"{name} {speed / 1e9:.2f}" for name, speed in floor["tanh_rates"].items())
    shapes = ", ".join(f"{speed / 1e9:.0f} for {rows}" for rows, speed in floor["matrix_rates"].items())
    hidden = floor["hidden"]
    taken = floor["taken_seconds"]
    return [
        f"matrix products, fp32, (sentences, {hidden}) @ ({hidden}, gates): {shapes} sentences, in 10^9 operations/s",
        f"tanh: {libraries}, in 10^9 elements/s",
        f"arithmetic of {floor['tokens']:,} tokens, {floor['distinct_words']:,} of them distinct: matrix products "
        f"{floor['matrix_seconds']:.2f} s, tanh {floor['tanh_seconds']:.2f} s, together {floor['floor_seconds']:.2f} s"
        + (f"; pre-tokenised tagging took {taken:.2f} s" if taken else ""),
    ]
