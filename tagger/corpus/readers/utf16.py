"""Convert offsets in UTF-16 units, as Java and JavaScript count, to characters."""

from __future__ import annotations

from bisect import bisect_left


class Utf16:
    """Offsets in a text. Only characters above U+FFFF count as two units."""

    def __init__(self, text: str) -> None:
        self._length = len(text)
        wide = [index for index, character in enumerate(text) if character > "\uffff"]
        self._behind = [index + 2 + number for number, index in enumerate(wide)]  # units at the end of each wide one

    def characters(self, units: int) -> int | None:
        """Return the character at an offset in units. None if it is inside a character or outside the text."""
        before = bisect_left(self._behind, units + 1)  # wide characters that end at or before the offset
        inside = before < len(self._behind) and units == self._behind[before] - 1
        index = units - before
        return None if inside or not 0 <= index <= self._length else index
