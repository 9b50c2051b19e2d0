"""Write sentences as JSON for the page's script, which lets users browse them."""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, NamedTuple

from tagger.evaluation.entity_alignment import AlignedText, Kind, Pair
from tagger.evaluation.escaping import visible_on_page
from tagger.evaluation.page.figures import KINDS

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


@dataclass(frozen=True)
class Entry:
    """A text to browse, with the choices that show it and its marks."""

    text: AlignedText
    choices: Sequence[int]
    marks: Sequence[Mark]


@dataclass(frozen=True)
class Choice:
    """A choice of texts to show. If it has a kind, the label filter looks only at marks of that kind."""

    name: str
    kind: int | None = None


@dataclass(frozen=True)
class Browser:
    """Texts to browse.

    Attributes:
        lines: names of the lines in which each text is shown.
        kinds: names of the kinds of marks. Their numbers are also classes in the style sheet.
        marked: numbers of the kinds that occur.
        choices: the choices; the first one is selected at first. A text in no choice is shown only with "everything".
        json: the texts, as JSON that is safe in a script element.
        count: number of texts.
        left_out: number of texts left out for lack of room.
    """

    lines: Sequence[str]
    kinds: Sequence[str]
    marked: Sequence[int]
    choices: Sequence[Choice]
    json: str
    count: int
    left_out: int


def browser(
    entries: Sequence[Entry],
    *,
    lines: Sequence[str],
    kinds: Sequence[str],
    choices: Sequence[Choice],
    first: Callable[[Entry], bool],
    budget: int = BUDGET,
) -> Browser:
    """Write texts as data for the page. If they exceed `budget`, those that are not `first` are left out first.

    In the JSON, `rows` hold text, place, choices, and marks as lists of line, kind, start, end (in characters) and
    number of the label in `labels`.
    """
    labels: dict[str, int] = {}
    rows = [json.dumps(_row(entry, labels), ensure_ascii=False, separators=(",", ":")) for entry in entries]
    ranked = sorted(range(len(rows)), key=lambda number: not first(entries[number]))
    sizes = accumulate(len(rows[number].encode("utf-8", "replace")) for number in ranked)
    kept = sorted(number for number, size in zip(ranked, sizes, strict=True) if size <= budget)
    head = {
        "labels": [visible_on_page(label) for label in labels],
        "lines": lines,
        "kinds": kinds,
        "choices": [{"name": one.name, "kind": one.kind} for one in choices],
    }
    written = json.dumps(head, ensure_ascii=False).removesuffix("}")
    content = f'{written},"rows":[{",".join(rows[number] for number in kept)}]}}'
    marked = sorted({mark.kind for entry in entries for mark in entry.marks})
    return Browser(lines, kinds, marked, choices, content.translate(_IN_SCRIPT), len(kept), len(rows) - len(kept))


def report_browser(texts: Sequence[AlignedText], *, entities: bool, budget: int = BUDGET) -> Browser:
    """Collect the sentences of a report, with gold and predicted marks, to be chosen by kind of error."""
    kinds = list(Kind)
    errors = [kind for kind in kinds if kind is not Kind.CORRECT and (entities or kind is Kind.WRONG_TYPE)]
    named = KINDS if entities else KINDS | {"wrong_type": "wrong tag"}
    choices = [Choice("with errors"), *(Choice(named[kind], kinds.index(kind)) for kind in errors), Choice("all right")]
    entries = []
    for text in texts:
        there = {pair.kind for pair in text.pairs} - {Kind.CORRECT}
        numbers = [0, *(number for number, kind in enumerate(errors, start=1) if kind in there)]
        marks = [mark for pair in text.pairs for mark in _marks(pair, kinds.index(pair.kind))]
        entries.append(Entry(text, numbers if there else [len(choices) - 1], marks))
    return browser(
        entries,
        lines=("Gold", "Predicted"),
        kinds=[named[kind] for kind in kinds],
        choices=choices,
        first=lambda entry: 0 in entry.choices,
        budget=budget,
    )


def _marks(pair: Pair, kind: int) -> Iterator[Mark]:
    if pair.kind is Kind.CORRECT and pair.gold:
        yield Mark(ALL_LINES, kind, *pair.gold)
        return
    for line, span in enumerate((pair.gold, pair.predicted)):
        if span is not None:
            yield Mark(line, kind, *span)


def _row(entry: Entry, labels: dict[str, int]) -> list[Any]:
    cut = _ShortenedText(entry.text)
    marks = [
        [mark.line, mark.kind, cut.place(mark.start), cut.place(mark.end), labels.setdefault(mark.label, len(labels))]
        for mark in entry.marks
    ]
    return [visible_on_page(cut.text), visible_on_page(entry.text.place.rpartition("/")[2]), list(entry.choices), marks]


class _ShortenedText:
    """A text with the middles of very long words cut out, and the new places of its characters."""

    def __init__(self, text: AlignedText) -> None:
        self.text = text.text
        self._holes: list[tuple[int, int, int]] = []  # start and end of a cut, length of its replacement
        for start, end in _long_words(text.words):
            first, last = start + _HEAD, end - _TAIL
            self._holes.append((first, last, len(_ellipsis(last - first))))
        self._starts = [first for first, _, _ in self._holes]
        pieces = []
        position = 0
        for first, last, _ in self._holes:
            pieces += [text.text[position:first], _ellipsis(last - first)]
            position = last
        if pieces:
            self.text = "".join([*pieces, text.text[position:]])

    def place(self, position: int) -> int:
        """Convert a position in the whole text to one in the shortened text."""
        moved = position
        for first, last, length in self._holes[: bisect_right(self._starts, position)]:
            moved += length - (min(last, position) - first) if position > first else 0
        return moved


def _long_words(words: Iterable[tuple[int, int]]) -> Iterable[tuple[int, int]]:
    return ((start, end) for start, end in words if end - start > _LONGEST_WORD)


def _ellipsis(length: int) -> str:
    return f"…[{length:,} characters]…"
