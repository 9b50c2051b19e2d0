"""Random gold and predicted tag sequences, half of the predictions right."""

from __future__ import annotations

from hypothesis import strategies as st

Side = list[list[str]]


def tags_of(prefixes: str, labels: tuple[str, ...] = ("PER", "LOC", "a-b")) -> list[str]:
    """O, and every prefix with every label."""
    return ["O", "O", *(f"{prefix}-{label}" for prefix in prefixes for label in labels)]


@st.composite
def two_sides(draw: st.DrawFn, tags: list[str], shortest: int = 0) -> tuple[Side, Side]:
    """Tag sequences of equal lengths."""
    lengths = draw(st.lists(st.integers(shortest, 8), min_size=1, max_size=4))
    gold = [draw(st.lists(st.sampled_from(tags), min_size=n, max_size=n)) for n in lengths]
    predicted = [[tag if draw(st.booleans()) else draw(st.sampled_from(tags)) for tag in line] for line in gold]
    return gold, predicted
