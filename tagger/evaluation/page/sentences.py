"""Write sentences as JSON for the page's script, which lets users browse them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, NamedTuple

from tagger.evaluation.entity_alignment import AlignedText, Kind, Pair
from tagger.evaluation.page.figures import KINDS
from tagger.printable import visible_on_page

BUDGET = 3_500_000  # characters of JSON, which keeps the page below 5 MB
_LONGEST_WORD = 160
_HEAD, _TAIL = 80, 40
_IN_SCRIPT = {ord(character): f"\\u{ord(character):04x}" for character in "<>&\u2028\u2029"}
ALL_LINES = -1


class Mark(NamedTuple):
    """A marked span of a text: number of its line (or `ALL_LINES`), number of its kind, start, end, label."""

    line: int
    kind: int
    start: int
    end: int
    label: str


class Entry(NamedTuple):
    """A text to browse, with the numbers of the choices that show it. Those not `first` may be left out."""

    text: AlignedText
    choices: Sequence[int]
    marks: Sequence[Mark]
    first: bool


@dataclass(frozen=True)
class Browser:
    """Texts to browse, as JSON that is safe in a script element. Some may be left out for lack of room.

    `kinds` has the names of the kinds of marks that occur, by number. The numbers are also classes in the style sheet.
    """

    kinds: Mapping[int, str]
    json: str
    count: int
    left_out: int


def browser(
    entries: Sequence[Entry],
    *,
    lines: Sequence[str],
    kinds: Sequence[str],
    choices: Mapping[str, int | None],
    budget: int = BUDGET,
) -> Browser:
    """Write texts as data for the page. If they exceed `budget`, those that are not `first` are left out first.

    In the JSON, `rows` hold text, place, choices, and marks as lists of line, kind, start, end (in characters) and
    number of the label in `labels`.

    Args:
        lines, kinds: names of the lines in which each text is shown, and of the kinds of marks.
        choices: names of the choices. If one has a kind, the label filter looks only at marks of that kind. A text in
            no choice is shown only with "everything".
        budget: most bytes of texts.
    """
    labels: dict[str, int] = {}
    rows = [json.dumps(_row(entry, labels), ensure_ascii=False, separators=(",", ":")) for entry in entries]
    ranked = sorted(range(len(rows)), key=lambda number: not entries[number].first)
    sizes = accumulate(len(rows[number].encode("utf-8", "replace")) for number in ranked)
    kept = sorted(number for number, size in zip(ranked, sizes, strict=True) if size <= budget)
    head = {
        "labels": [visible_on_page(label) for label in labels],
        "lines": lines,
        "kinds": kinds,
        "choices": [{"name": name, "kind": kind} for name, kind in choices.items()],
    }
    written = json.dumps(head, ensure_ascii=False).removesuffix("}")
    content = f'{written},"rows":[{",".join(rows[number] for number in kept)}]}}'
    marked = sorted({mark.kind for entry in entries for mark in entry.marks})
    named = {kind: kinds[kind] for kind in marked}
    return Browser(named, content.translate(_IN_SCRIPT), len(kept), len(rows) - len(kept))


def report_browser(texts: Sequence[AlignedText], *, entities: bool, budget: int = BUDGET) -> Browser:
    """Collect the sentences of a report, with gold and predicted marks, to be chosen by kind of error."""
    kinds = list(KINDS)
    errors = kinds[1:] if entities else ["wrong_type"]
    named = KINDS if entities else KINDS | {"wrong_type": "wrong tag"}
    choices = {"with errors": None, **{named[kind]: kinds.index(kind) for kind in errors}, "all right": None}
    entries = []
    for text in texts:
        there = {pair.kind for pair in text.pairs} - {Kind.CORRECT}
        numbers = [0, *(number for number, kind in enumerate(errors, start=1) if kind in there)]
        marks = [mark for pair in text.pairs for mark in _marks(pair, kinds.index(pair.kind))]
        entries.append(Entry(text, numbers if there else [len(choices) - 1], marks, first=bool(there)))
    return browser(
        entries, lines=("Gold", "Predicted"), kinds=[named[kind] for kind in kinds], choices=choices, budget=budget
    )


def _marks(pair: Pair, kind: int) -> Iterator[Mark]:
    if pair.kind is Kind.CORRECT and pair.gold:
        yield Mark(ALL_LINES, kind, *pair.gold)
        return
    for line, span in enumerate((pair.gold, pair.predicted)):
        if span is not None:
            yield Mark(line, kind, *span)


def _row(entry: Entry, labels: dict[str, int]) -> list[Any]:
    """Write a text as a row of the JSON. The middles of very long words are cut out."""
    whole = entry.text.text
    cuts = [(start + _HEAD, end - _TAIL) for start, end in entry.text.words if end - start > _LONGEST_WORD]
    pieces, position = [], 0
    for first, last in cuts:
        pieces += [whole[position:first], _ellipsis(last - first)]
        position = last
    text = "".join([*pieces, whole[position:]])

    def moved(place: int) -> int:
        """Convert a position in the whole text to one in the shortened text."""
        before = [(first, min(last, place), _ellipsis(last - first)) for first, last in cuts if first < place]
        return place + sum(len(replacement) - (last - first) for first, last, replacement in before)

    marks = [
        [line, kind, moved(start), moved(end), labels.setdefault(label, len(labels))]
        for line, kind, start, end, label in entry.marks
    ]
    return [visible_on_page(text), visible_on_page(entry.text.place.rpartition("/")[2]), list(entry.choices), marks]


def _ellipsis(length: int) -> str:
    return f"…[{length:,} characters]…"
