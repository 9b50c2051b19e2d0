"""Targets: the report of gold and predicted tags, in all of its forms."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any
from unittest.mock import patch

from tagger.corpus.sentence import Sentence
from tagger.evaluation.assessment import Assessment, Background, assess
from tagger.evaluation.estimates import Bootstrap
from tagger.evaluation.markdown import as_markdown, as_table
from tagger.evaluation.page import shapes
from tagger.evaluation.page.report_html import report_html
from tagger.evaluation.prediction_files import common_scheme
from tagger.evaluation.report_files import write_predictions, write_report
from tests.fuzz.pages import Page
from tests.fuzz.places import folder
from tests.fuzz.splitting import as_text
from tests.fuzz.told import check_no_control, told_in_a_line

_FEW = 5  # resamples, in place of a thousand
_WRONG = ("wrong_type", "wrong_boundary", "wrong_both")
_PIPE = re.compile(r"(?<!\\)\|")
_HARMLESS = (
    (["a", "b", "c"], ["B-PER", "I-PER", "O"], ["B-PER", "O", "B-LOC"]),
    (["a", "b"], ["B-LOC", "O"], ["B-PER", "O"]),
    (["a"], ["O"], ["O"]),
)


def report(data: bytes) -> None:
    """Everything but the pictures, which are drawn by `report_pictures`."""
    with patch.object(shapes, "Canvas", _Blank), told_in_a_line():
        found = _assessed(data)
        if found is not None:
            check(found, report_html(found), _allowed(False))


def report_pictures(data: bytes) -> None:
    """The files as they are written, pictures and all."""
    with told_in_a_line():
        found = _assessed(data)
        if found is not None:
            place = folder("report")
            write_report(place, found)
            check(found, (place / "report.html").read_text(encoding="utf-8"), _allowed(True))
            json.loads((place / "report.json").read_text(encoding="utf-8"))


def _assessed(data: bytes) -> Assessment | None:
    sentences = list(_sentences(as_text(data)))
    if not sentences:
        return None
    gold, predicted = ([row[side] for row in sentences] for side in (1, 2))
    scheme = common_scheme(gold, predicted, "gold", "predicted")
    read = [
        Sentence(tokens, tags, document=tokens[0][:1], place=f"{tokens[-1]}:{number}")
        for number, (tokens, tags, _) in enumerate(sentences)
    ]
    with patch.dict(Bootstrap.__init__.__kwdefaults__, resamples=_FEW):
        first = sentences[0][0][0]
        return assess(read, predicted, scheme, {"model": first, "data": first}, Background(warnings=[first]))


def _sentences(text: str) -> Iterator[tuple[list[str], list[str], list[str]]]:
    """Tokens, gold and predicted tags from lines of columns; ␊ and ␉ stand for what would end a line or a column."""
    for block in text.split("\n\n"):
        rows = [line.split("\t") for line in block.split("\n") if line]
        if rows:
            tokens = [row[0].replace("␊", "\n").replace("␉", "\t") for row in rows]
            gold, predicted = ([_tag(row[place : place + 1]) for row in rows] for place in (1, 2))
            yield tokens, gold, predicted


def _tag(column: Sequence[str]) -> str:
    """As readers give it: not empty, no white space around, nothing that UTF-8 cannot write."""
    tag = "".join(column).strip().replace("\0", "")
    return tag.encode("utf-8", "replace").decode().strip() or "O"


def check(found: Assessment, page: str, allowed: frozenset[str]) -> None:
    """Each form is what it should be, and the figures add up."""
    figures = json.loads(json.dumps(found.report.as_dict()))
    _check_figures(figures, found)
    _check_markdown(as_markdown(found.report))
    for line in as_table(found.report.scores).split("\n"):
        check_no_control(line)
    stream = io.StringIO()
    write_predictions(stream, found.sentences, found.predicted)
    rows = [line.split("\t") for line in stream.getvalue().split("\n") if line]
    assert len(rows) == sum(map(len, found.sentences))
    assert all(len(row) == 3 for row in rows)
    page.encode("utf-8")
    taken = Page(page)
    assert {tag for tag, _ in taken.elements} <= allowed, {tag for tag, _ in taken.elements} - allowed
    _check_browser(taken, found)


def _check_figures(figures: dict[str, Any], found: Assessment) -> None:
    tokens = sum(map(len, found.sentences))
    assert figures["tokens"]["count"] == tokens
    assert figures["sentences"]["count"] == len(found.sentences)
    errors = figures["errors"]["all"]
    wrong = sum(errors[kind] for kind in _WRONG)
    assert errors["gold"] == errors["correct"] + wrong + errors["missing"]
    assert errors["predicted"] == errors["correct"] + wrong + errors["spurious"]
    types = figures["errors"]["types"].values()
    assert errors["gold"] == sum(one["gold"] for one in types)
    assert errors["predicted"] == sum(one["predicted"] for one in types)
    reading = figures["entities"] or figures["tags"]
    assert reading["micro"]["support"] == sum(one["support"] for one in reading["types"].values()) == errors["gold"]
    if figures["entities"] is None:
        assert errors["gold"] == errors["predicted"] == tokens
    for estimate in (reading["micro"], *reading["types"].values()):
        assert all(0 <= estimate[name] <= 1 for name in ("precision", "recall", "f1"))


def _check_markdown(text: str) -> None:
    """Tables of as many cells in each row, and no markup but its own."""
    assert "<" not in text
    cells = 0
    for line in text.split("\n"):
        check_no_control(line)
        here = len(_PIPE.findall(line)) if line.startswith("|") else 0
        assert not (here and cells) or here == cells, line
        cells = here


def _check_browser(page: Page, found: Assessment) -> None:
    """The sentences to browse: all of them, marks within their texts."""
    (content,) = [text for name, text in page.scripts.items() if name is not None]
    browsed = json.loads(content)
    assert len(browsed["rows"]) == len(found.texts)
    for text, _, _, marks in browsed["rows"]:
        for _, kind, start, end, label in marks:
            assert 0 <= start < end <= len(text)
            assert kind < len(browsed["kinds"])
            assert label < len(browsed["labels"])


@cache
def _allowed(pictures: bool) -> frozenset[str]:
    """The elements that the page of a harmless report has."""
    rows = "\n\n".join("\n".join(map("\t".join, zip(*one, strict=True))) for one in _HARMLESS)
    plain = rows.replace("B-", "").replace("I-", "").replace("O", "X")
    elements: set[str] = set()
    for text in (rows, plain):
        found = _assessed(text.encode())
        assert found is not None
        elements |= {tag for tag, _ in Page(report_html(found)).elements}
    assert pictures == ("path" in elements)
    return frozenset(elements)


class _Blank:
    """In place of a picture: takes whatever is drawn."""

    def __init__(self, height: float = 0, *, columns: int = 1) -> None:
        self.axes = [_Anything()] * columns

    def legend_below(self, handles: object) -> None:
        pass

    def svg(self, name: str, title: str) -> str:
        return "<svg></svg>"


class _Anything:
    """Has every attribute, can be called and gone through."""

    def __getattr__(self, name: str) -> _Anything:
        return self

    def __call__(self, *_: object, **__: object) -> _Anything:
        return self

    def __getitem__(self, _: object) -> _Anything:
        return self

    def __iter__(self) -> Iterator[_Anything]:
        return iter(())
