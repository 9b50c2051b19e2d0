"""Test the page of gates in a real browser: no errors, phones, keyboards, both colour schemes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser

from tagger.inspection.explainer import Explainer
from tagger.inspection.gates_page import gates_page
from tests.helpers.browser import opened, started
from tests.helpers.random_models import random_folder

pytestmark = pytest.mark.extended

WORDS = ["Anna", "<script>alert(1)</script>", "\u202elives", "in", "New", "York", "a" * 300, "."] * 3
CONTRASTS = """() => {
  const canvas = document.createElement('canvas').getContext('2d', {willReadFrequently: true})
  const luminance = colour => {
    canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1)
    const [r, g, b] = [...canvas.getImageData(0, 0, 1, 1).data].map(
      value => (value /= 255) <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4)
    return 0.2126 * r + 0.7152 * g + 0.0722 * b
  }
  return [...document.querySelectorAll('td[data-heat], mark')].map(cell => {
    const style = getComputedStyle(cell)
    const both = [luminance(style.color), luminance(style.backgroundColor)].sort((a, b) => a - b)
    return (both[1] + 0.05) / (both[0] + 0.05)
  })
}"""


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with started() as browser:
        yield browser


@pytest.fixture(scope="module")
def page_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("gates")
    random_folder(layers=2, hidden=12).save(folder / "model", "")
    explained = Explainer.load(folder / "model").explain(WORDS)
    path = folder / "gates.html"
    path.write_text(gates_page([explained] * 2, model="m", layers=[0, 1], units=[]), encoding="utf-8")
    return path


@pytest.mark.parametrize("width", [360, 1200])
def test_the_page_is_as_wide_as_its_window(chromium: Browser, page_file: Path, width: int) -> None:
    with opened(chromium, page_file, width=width) as page:
        page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
        assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_numbers_can_be_read_on_their_colours(
    chromium: Browser, page_file: Path, scheme: Literal["light", "dark"]
) -> None:
    with opened(chromium, page_file, scheme=scheme) as page:
        contrasts = page.evaluate(CONTRASTS)
        assert len(contrasts) > 500
        assert min(contrasts) >= 4.5  # WCAG 2.2, level AA
        brightness = page.evaluate("getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)[0]")
        assert (brightness < 60) is (scheme == "dark")


def test_a_keyboard_opens_what_is_folded(chromium: Browser, page_file: Path) -> None:
    with opened(chromium, page_file) as page:
        equations = page.locator("details").first
        assert not equations.evaluate("one => one.open")
        for _ in range(20):
            page.keyboard.press("Tab")
            if page.evaluate("document.activeElement === document.querySelector('summary')"):
                break
        page.keyboard.press("Enter")
        assert equations.evaluate("one => one.open")


def test_what_is_in_words_stays_text(chromium: Browser, page_file: Path) -> None:
    with opened(chromium, page_file) as page:
        assert page.locator("script").count() == 0
        assert page.get_by_role("rowheader", name="<script>alert(1)</script>").count() > 0


def test_every_table_has_its_name_and_headings(chromium: Browser, page_file: Path) -> None:
    with opened(chromium, page_file) as page:
        for table in page.locator("table").all():
            assert table.locator("caption").count() == 1
            assert table.locator("thead th[scope=col]").count() > 0
            assert table.locator("tbody tr").count() == table.locator("tbody th[scope=row]").count()
        assert page.locator(".scroll:not([tabindex='0'][role=region][aria-label])").count() == 0
