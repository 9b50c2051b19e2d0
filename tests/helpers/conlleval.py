"""Score a file of tags by the rules of conlleval (CoNLL-2000 and CoNLL-2003), independent of the package.

The rules, with the letters E and S as in its later versions: columns are separated by white space, the last two hold
the gold and the predicted tag, and a blank line ends a sentence. A tag is a letter, a hyphen and a type. Two
neighbouring tags decide whether a chunk ends before the second, and whether one starts there. A predicted chunk is
correct if it starts and ends with a gold chunk of the same type.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

Tag = tuple[str, str]  # letter and type
_OUTSIDE: Tag = ("O", "")
# letter before, letter after
_ENDS = frozenset({"BB", "BS", "BO", "IB", "IS", "IO", "EB", "EI", "EE", "ES", "EO", "SB", "SI", "SE", "SS", "SO"})
_STARTS = frozenset({"EE", "EI", "SE", "SI", "OE", "OI"})


@dataclass
class Found:
    """Count chunks by type, and tokens."""

    correct: Counter[str] = field(default_factory=Counter)
    predicted: Counter[str] = field(default_factory=Counter)
    gold: Counter[str] = field(default_factory=Counter)
    tokens: int = 0
    correct_tokens: int = 0


def conlleval(lines: Iterable[str]) -> Found:
    """Count what is in a file, given line by line."""
    found = Found()
    before_gold = before_predicted = _OUTSIDE
    both_open = False  # two chunks of one type started together, and neither has ended
    for line in [*lines, ""]:
        columns = line.split()
        gold, predicted = (_split(columns[-2]), _split(columns[-1])) if columns else (_OUTSIDE, _OUTSIDE)
        if both_open:
            ends = _ends(before_gold, gold), _ends(before_predicted, predicted)
            if all(ends):
                found.correct[before_gold[1]] += 1
            both_open = not any(ends)
        starts = _starts(before_gold, gold), _starts(before_predicted, predicted)
        both_open = both_open or (all(starts) and gold[1] == predicted[1])
        found.gold[gold[1]] += starts[0]
        found.predicted[predicted[1]] += starts[1]
        if columns:
            found.tokens += 1
            found.correct_tokens += gold == predicted
        before_gold, before_predicted = gold, predicted
    return found


def _split(tag: str) -> Tag:
    letter, _, kind = tag.partition("-")
    return letter, kind


def _ends(before: Tag, after: Tag) -> bool:
    return before[0] != "O" and (before[0] + after[0] in _ENDS or before[1] != after[1])


def _starts(before: Tag, after: Tag) -> bool:
    return after[0] in "BS" or before[0] + after[0] in _STARTS or (after[0] != "O" and before[1] != after[1])
