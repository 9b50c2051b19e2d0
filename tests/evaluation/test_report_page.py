"""Test report.html in a real browser."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from playwright.sync_api import Browser, Page

from tagger.corpus.dataset import Split
from tagger.corpus.schemes import Scheme
from tagger.corpus.sentence import Sentence
from tagger.evaluation.assessment import Assessment, Background, assess
from tagger.evaluation.calibration import calibration
from tagger.evaluation.datacard import data_card
from tagger.evaluation.learning_curve import learning_curve
from tagger.evaluation.page.report_html import report_html
from tagger.evaluation.page.sentences import report_browser
from tagger.evaluation.training_overlap import TrainingKnowledge, training_mentions, training_words
from tests.helpers.browser import opened, started

pytestmark = pytest.mark.extended

SCRIPT = "<script>alert(1)</script>"
GOLD = ["B-PER I-PER O", "B-LOC O O", "B-PER O O", "B-PER I-PER O", "O O O", "B-LOC O O", "O O O"]
PREDICTED = ["B-PER I-PER O", "B-PER O O", "O O O", "B-PER O O", "O O B-LOC", "B-PER I-PER O", "O O O"]
CHOICES = {  # how many of the seven sentences each shows
    "with errors": 5, "wrong type": 1, "wrong boundary": 1, "both wrong": 1, "missing": 1, "spurious": 1,
    "all right": 2, "everything": 7,
}  # fmt: skip


def sentences(tags: list[str]) -> list[Sentence]:
    """Build sentences of three words. One word is markup; one has characters that must be replaced."""
    found = [
        Sentence([f"Ada{number}", "said\x00\u202e", "é😀"], line.split(), place=f"data.conll:{number}")
        for number, line in enumerate(tags)
    ]
    found[1].tokens[0] = SCRIPT
    return found


def everything() -> Background:
    """Build a small example of everything a report can contain."""
    train = sentences(GOLD[:3])
    right = np.array([1.0, 0, 1, 1, 0])
    rows = [{"epoch": str(n), "epoch_loss": f"{3 - n}", "dev_f1": f"0.{n + 3}", "lr-AdamW": "0.01"} for n in range(3)]
    splits = [Split(name, train, Scheme.IOB2, []) for name in ("train", "dev", "test")]
    return Background(
        training=TrainingKnowledge(training_words(train), True, training_mentions(train), "the train split"),
        calibration=calibration(right, right * 0.8 + 0.1, right * 0.6 + 0.2, 1.3, 6),
        learning=learning_curve(rows),
        data=data_card(f"data {SCRIPT}", splits),
        warnings=[f"a warning {SCRIPT}"],
    )


@pytest.fixture(scope="module")
def found() -> Assessment:
    scored = {"model": f"a model {SCRIPT}", "data": "d"}
    return assess(sentences(GOLD), [line.split() for line in PREDICTED], Scheme.IOB2, scored, everything())


@pytest.fixture(scope="module")
def path(found: Assessment, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(report_html(found), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with started() as chromium:
        yield chromium


@pytest.fixture
def page(chromium: Browser, path: Path) -> Iterator[Page]:
    with opened(chromium, path) as page:
        yield page


def shown(page: Page) -> int:
    return page.locator("#list > li").count()


def test_opens_with_the_score_and_every_section(page: Page) -> None:
    assert page.title() == "Micro F1 20.0 · d"
    assert page.locator("h1").inner_text().split() == ["Micro", "F1", "20.0"]
    sections = page.locator("main > section").evaluate_all("all => all.map(one => one.id)")
    assert sections == ["scores", "errors", "sentences", "seen", "calibration", "learning", "data", "about"]
    links = page.locator("nav.sections a").evaluate_all("all => all.map(one => one.hash.slice(1))")
    assert links == sections


def test_every_picture_has_a_name_and_a_table(page: Page) -> None:
    figures = page.locator("figure")
    assert figures.count() >= 14
    for figure in figures.all():
        assert figure.locator("svg[role=img][aria-label]").count() == 1
        figure.locator("summary").click()
        assert figure.locator("table").is_visible()
        assert figure.locator("thead th[scope=col]").count() > 1
        assert figure.locator("tbody th[scope=row]").count() == figure.locator("tbody tr").count() > 0


def test_ids_are_unique_and_labels_lead_somewhere(page: Page) -> None:
    ids = page.locator("[id]").evaluate_all("all => all.map(one => one.id)")
    assert len(ids) == len(set(ids))
    named = page.locator("[aria-labelledby]").evaluate_all("all => all.map(one => one.getAttribute('aria-labelledby'))")
    assert set(named) <= set(ids)
    inner = page.locator("svg use").evaluate_all("all => all.map(one => one.getAttribute('xlink:href').slice(1))")
    assert set(inner) <= set(ids)


@pytest.mark.parametrize("choice", CHOICES)
def test_a_choice_shows_the_sentences_of_its_kind(page: Page, choice: str) -> None:
    page.get_by_role("radio", name=re.compile(f"^{choice}")).check()
    assert shown(page) == CHOICES[choice]
    assert page.locator("#found").inner_text() == f"{CHOICES[choice]} of 7"


def test_a_legend_says_what_marks_mean(page: Page) -> None:
    legend = page.get_by_role("list", name="What the marks mean").locator("mark")
    assert legend.all_inner_texts() == ["correct", "wrong type", "wrong boundary", "both wrong", "missing", "spurious"]
    colour = "one => getComputedStyle(one).backgroundColor"
    for mark in page.locator("#list mark").all():
        kind = legend.and_(page.locator(f"mark.{mark.get_attribute('class')}"))
        assert kind.evaluate(colour) == mark.evaluate(colour)
        assert kind.inner_text() == mark.get_attribute("title")


@pytest.mark.parametrize("width", [360, 800, 1280])
def test_the_table_of_splits_is_seen_whole(page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    hidden = page.locator("#data .card > .scroll").evaluate("one => one.scrollWidth - one.clientWidth")
    assert hidden <= 0


def test_a_label_and_a_text_narrow_the_choice(page: Page) -> None:
    page.get_by_role("radio", name=re.compile("^missing")).check()
    page.locator("#label").select_option(label="LOC")
    assert shown(page) == 0
    page.locator("#label").select_option(label="PER")
    assert shown(page) == 1
    page.locator("#label").select_option(label="any")
    page.get_by_role("radio", name=re.compile("^everything")).check()
    page.locator("#text").fill("ADA3")
    assert shown(page) == 1
    assert page.locator("#list .line b").all_inner_texts() == ["Gold", "Predicted"]
    assert [one.split("\n")[0] for one in page.locator("#list mark").all_inner_texts()] == ["Ada3 said␀�PER", "Ada3PER"]


def test_markup_in_the_data_stays_text(page: Page) -> None:
    page.locator("#text").fill("<script>")
    assert page.locator("#list mark").first.inner_text().startswith(SCRIPT)
    assert f"a warning {SCRIPT}" in page.locator(".warnings").inner_text()
    assert f"a model {SCRIPT}" in page.locator(".scored").inner_text()
    assert page.locator("script").count() == 2


def test_filters_are_reached_by_the_keyboard(page: Page) -> None:
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.get_by_role("radio", name=re.compile("^with errors")).focus()
    page.keyboard.press("ArrowRight")
    assert page.locator("#found").inner_text() == "1 of 7"
    assert page.evaluate("getComputedStyle(document.activeElement.nextSibling).outlineStyle") == "solid"


@pytest.mark.parametrize("width", [360, 1200])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_wider_than_the_screen_and_text_has_contrast(
    chromium: Browser, path: Path, width: int, scheme: Literal["light", "dark"]
) -> None:
    with opened(chromium, path, width=width, scheme=scheme) as page:
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        colours = page.evaluate(
            "['--ink', '--faint', '--series-1', '--back', '--card']"
            ".map(name => getComputedStyle(document.documentElement).getPropertyValue(name).trim())"
        )
        for ink in colours[:3]:
            assert min(contrast(ink, back) for back in colours[3:]) >= 4.5, (ink, scheme)


@pytest.mark.parametrize("width", [390, 1200])
def test_a_label_of_150_characters_widens_neither_the_page_nor_its_tables(
    chromium: Browser, tmp_path: Path, width: int
) -> None:
    path = tmp_path / "report.html"
    gold, predicted = ([line.replace("PER", "PER" * 50) for line in lines] for lines in (GOLD, PREDICTED))
    found = assess(sentences(gold), [line.split() for line in predicted], Scheme.IOB2, {}, everything())
    path.write_text(report_html(found), encoding="utf-8")
    with opened(chromium, path, width=width) as page:
        page.locator("details").evaluate_all("all => all.forEach(one => one.open = true)")
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        cells = page.locator("table :is(td, th)").evaluate_all("all => all.map(one => one.offsetWidth)")
        assert max(cells) <= width


def test_printing_unfolds_the_tables_and_leaves_out_what_cannot_be_clicked(page: Page) -> None:
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator("figure table").first.is_visible()
    assert not page.locator("#filters").is_visible()
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.locator("details[open]").count() == 0


def test_ten_thousand_sentences_stay_usable(chromium: Browser, tmp_path: Path) -> None:
    chance = random.Random(1)
    many = [Sentence([f"word{chance.randrange(999)}" for _ in range(20)], ["B-X", *["O"] * 19]) for _ in range(10_000)]
    predicted = [["B-X" if number % 2 else "O", *["O"] * 19] for number in range(10_000)]
    path = tmp_path / "report.html"
    path.write_text(report_html(assess(many, predicted, Scheme.IOB2, {})), encoding="utf-8")
    assert path.stat().st_size < 5_000_000
    with opened(chromium, path) as page:
        assert page.locator("#found").inner_text() == "5,000 of 10,000"
        assert shown(page) == 20
        page.get_by_role("button", name="Next").click()
        assert page.locator("#page").inner_text() == "2 of 250"
        page.locator("#text").fill("word77 ")
        wanted = sum("word77 " in " ".join(one.tokens) and number % 2 == 0 for number, one in enumerate(many))
        assert page.locator("#found").inner_text() == f"{wanted} of 10,000"


def test_where_there_is_no_room_sentences_without_errors_are_left_out_first(found: Assessment) -> None:
    whole = report_browser(found.texts, entities=True)
    small = report_browser(found.texts, entities=True, budget=len(whole.json) // 3)
    assert (whole.count, whole.left_out) == (7, 0)
    assert 0 < small.left_out < 7
    assert "Ada6" not in small.json


def test_a_word_of_a_million_characters_is_cut_and_marks_stay_in_place(chromium: Browser, tmp_path: Path) -> None:
    long = "x" * 1_000_000
    sentence = Sentence(["a", long, "Bo", "b"], ["O", "B-X", "B-PER", "O"])
    path = tmp_path / "report.html"
    path.write_text(report_html(assess([sentence], [["O", "B-X", "I-X", "O"]], Scheme.IOB2, {})), encoding="utf-8")
    assert path.stat().st_size < 300_000
    with opened(chromium, path) as page:
        marks = page.locator("#list mark").all_inner_texts()
        cut = f"{'x' * 80}…[999,880 characters]…{'x' * 40}"
        assert [one.split("\n")[0] for one in marks] == [f"{cut}X", "BoPER", f"{cut} BoX"]


def test_plain_tags_have_a_page_too(chromium: Browser, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    gold, predicted = ["DT", "NN", "VB"], ["DT", "VB", "VB"]
    path.write_text(
        report_html(assess([Sentence(["a", "b", "c"], gold)], [predicted], Scheme.PLAIN, {})), encoding="utf-8"
    )
    with opened(chromium, path) as page:
        assert page.title() == "Accuracy 66.7"
        assert page.locator("#list mark").all_inner_texts()[0].startswith("bNN")
        assert page.get_by_role("radio").count() == 4


def contrast(one: str, other: str) -> float:
    """Compute WCAG 2's contrast ratio of two colours written as #rrggbb."""

    def luminance(colour: str) -> float:
        channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)
