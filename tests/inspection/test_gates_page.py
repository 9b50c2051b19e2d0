"""Test the page of gates: it shows what was computed, and nothing in a sentence becomes markup."""

from __future__ import annotations

import re
import sys
import typing
from collections import Counter
from collections.abc import Sequence
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from tagger.config import Cell, EncoderConfig
from tagger.corpus.schemes import Scheme
from tagger.errors import UserError
from tagger.html import rendering
from tagger.inspection.explainer import Explainer, Explanation
from tagger.inspection.gates_page import MOST_COLUMNS, gates_page, gates_section, gates_style, most_varying_units
from tagger.model_folder.folder import ModelFolder
from tests.helpers.random_models import random_folder

CELLS = typing.get_args(Cell)
WORDS = ["Anna", "Maria", "lives", "in", "York"]
_VOID = {"meta", "br"}


class Reader(HTMLParser):
    """A parser that collects a page's tables by caption, ids, links and text. Fails if tags are not closed in order."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tables: dict[str, list[list[str]]] = {}
        self.ids: Counter[str] = Counter()
        self.links: list[str] = []
        self.tags: Counter[str] = Counter()
        self.text = ""
        self.heats: list[tuple[float, str]] = []
        self._rows: list[list[str]] = []
        self._caption = ""
        self._heat: str | None = None
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.tags[tag] += 1
        if tag not in _VOID:
            self.open.append(tag)
        if given.get("id"):
            self.ids[str(given["id"])] += 1
        if tag == "a":
            self.links.append(str(given["href"]))
        if tag == "table":
            self._rows, self._caption = [], ""
        if tag == "tr":
            self._rows.append([])
        if tag in ("td", "th"):
            self._rows[-1].append("")
            self._heat = given.get("style") if given.get("data-heat") else None

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag
        if tag == "table":
            self.tables.setdefault(self._caption, self._rows)
        if tag == "td" and self._heat:
            self.heats.append((float(self._heat.removeprefix("--v:")), self._rows[-1][-1]))
            self._heat = None

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.text += data
        if "caption" in self.open:
            self._caption += data
        elif self._rows and self._rows[-1] and ("td" in self.open or "th" in self.open):
            self._rows[-1][-1] += data.strip()


def explained(folder: ModelFolder, tmp_path: Path, words: Sequence[str] = WORDS) -> Explanation:
    folder.save(tmp_path / "model", "")
    return Explainer.load(tmp_path / "model").explain(words)


def page_of(found: Explanation, units: Sequence[int] = ()) -> str:
    return gates_page([found], model="m", layers=range(len(found.trace.layers)), units=units)


@pytest.mark.parametrize("decoder", ["crf", "softmax"])
@pytest.mark.parametrize("scheme", [Scheme.BIOES, Scheme.PLAIN])
@pytest.mark.parametrize("cell", CELLS)
def test_every_kind_of_model_has_its_page(cell: Cell, scheme: Scheme, decoder: str, tmp_path: Path) -> None:
    folder = random_folder(scheme=scheme, decoder=decoder, encoder=EncoderConfig(cell=cell, layers=2, hidden_size=4))
    page = Reader(page_of(explained(folder, tmp_path)))
    assert max(page.ids.values()) == 1
    assert {link.removeprefix("#") for link in page.links} <= page.ids.keys()
    assert ("remembers" in page.text) is (cell != "rnn")
    assert ("transition" in page.text) is (decoder == "crf")


def test_the_table_of_gates_holds_their_means(tmp_path: Path) -> None:
    found = explained(random_folder(encoder=EncoderConfig(hidden_size=5)), tmp_path)
    page = Reader(page_of(found))
    (rows,) = [rows for caption, rows in page.tables.items() if caption.startswith("Mean of each gate")]
    (layer,) = found.trace.layers
    for place, row in enumerate(rows[2:]):
        shown = [cell for cell in row if cell]
        wanted = [layer.directions[way][gate][place].mean() for way in layer.directions for gate in ("update", "reset")]
        assert shown[0] == WORDS[place]
        assert [float(number) for number in shown[1:]] == pytest.approx(wanted, abs=0.0051)


def test_a_cell_is_as_coloured_as_its_number_is_large(tmp_path: Path) -> None:
    heats = Reader(page_of(explained(random_folder(), tmp_path))).heats
    states = [
        (value, float(text.replace("−", "-"))) for value, text in heats if re.fullmatch(r"[+−]?\.\d\d|[01]", text)
    ]
    assert len(states) > 50
    for value, number in states:
        assert value == pytest.approx(min(1, abs(number)), abs=0.0051)


def test_the_units_asked_for_are_shown(tmp_path: Path) -> None:
    found = explained(random_folder(), tmp_path)
    rows = Reader(page_of(found, units=[4, 1])).tables["Update gate z"]
    assert rows[0] == ["word", "4", "1"]
    values = found.trace.layers[0].forward["update"][:, [4, 1]]
    assert [[float(cell) for cell in row[1:]] for row in rows[1:]] == pytest.approx(values, abs=0.0051)


def test_units_that_move_most_come_first() -> None:
    values = np.array([[0.5, 0.0, 0.2], [0.5, 1.0, 0.4], [0.5, 0.0, 0.2]])
    assert most_varying_units(values, 2) == [1, 2]


@pytest.mark.parametrize(
    "word", ["<script>alert(1)</script>", "</table>", "&amp;", '"><img src=x onerror=alert(1)>', "\x00\x1b", "\ud800"]
)
def test_nothing_in_a_sentence_becomes_markup(word: str, tmp_path: Path) -> None:
    folder = random_folder()
    usual = Reader(page_of(explained(folder, tmp_path, ["Anna", "x"])))
    page = page_of(explained(folder, tmp_path, ["Anna", word]))
    read = Reader(page)
    assert read.tags["script"] == read.tags["img"] == 0
    assert read.tags["th"] == usual.tags["th"]
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f]", page)
    page.encode()
    if word.isprintable():
        assert word in read.text


def test_the_page_needs_nothing_else(tmp_path: Path) -> None:
    page = page_of(explained(random_folder(), tmp_path))
    assert not re.search(r"https?:|src=|@import|url\(", page)


def test_sections_of_several_sentences_share_a_page(tmp_path: Path) -> None:
    found = explained(random_folder(), tmp_path)
    sections = [gates_section(found, number=number, several=True) for number in (1, 2)]
    page = Reader(f"<style>{gates_style()}</style><main class='gates'>{''.join(sections)}</main>")
    assert max(page.ids.values()) == 1
    assert "Sentence 2: what the model says" in page.text


def test_a_long_sentence_has_no_table_with_a_column_for_each_word(tmp_path: Path) -> None:
    folder = random_folder()
    short, long = (Reader(page_of(explained(folder, tmp_path, ["x"] * (MOST_COLUMNS + more)))) for more in (0, 1))
    assert "What each state is made of" in short.text
    assert "What each state is made of" not in long.text


def test_without_jinja_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = explained(random_folder(), tmp_path)
    rendering._environment.cache_clear()
    monkeypatch.setitem(sys.modules, "jinja2", None)
    with pytest.raises(UserError, match=r"pip install 'gru-tagger\[report\]'"):
        page_of(found)
