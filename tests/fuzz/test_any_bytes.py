"""Each target of the fuzzer on what the fuzzer starts from, and on some inputs put together at random."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tagger.errors import UserError
from tests.fuzz.pages import Page
from tests.fuzz.seeds import seeds, words
from tests.fuzz.targets import NAMES, target
from tests.fuzz.told import check_line

pytestmark = pytest.mark.extended

QUICK = [name for name in NAMES if name != "report_pictures"]
PIECES = st.one_of(st.sampled_from(words()), st.binary(max_size=4), st.text(max_size=4).map(str.encode))
INPUTS = st.tuples(st.binary(min_size=4, max_size=4), st.lists(PIECES, max_size=12)).map(
    lambda parts: parts[0] + b"".join(parts[1])
)


@pytest.mark.parametrize("name", QUICK)
def test_inputs_of_the_tests_themselves(name: str) -> None:
    given = seeds(name)
    assert len(given) > 50
    for content in given[:50]:
        target(name)(content)


@pytest.mark.parametrize("name", QUICK)
@settings(max_examples=30)
@given(content=INPUTS)
def test_any_bytes(name: str, content: bytes) -> None:
    target(name)(content)


def test_one_with_everything() -> None:
    target("report_pictures")(seeds("report_pictures")[0])


@pytest.mark.parametrize(
    "page",
    [
        "<p>a",
        "<p><b>a</p></b>",
        "a</p>",
        "<p onclick='x()'>a</p>",
        "<a href='javascript:x'>a</a>",
        "<!-- a -->",
        "<p/>",
    ],
)
def test_a_page_that_is_not_well_formed_is_found(page: str) -> None:
    with pytest.raises(AssertionError):
        Page(page)


def test_a_page_is_taken_apart() -> None:
    page = Page('<p class="a">x &lt; y<br></p><script id="s">if (a < b) {}</script><svg><path d="M0"/></svg>')
    assert page.elements == {("p", ("class",)), ("br", ()), ("script", ("id",)), ("svg", ()), ("path", ("d",))}
    assert (page.text, page.scripts) == ("x < y", {"s": "if (a < b) {}"})


@pytest.mark.parametrize("message", ["", "a\nb", "\x1b[2J", "a" * 3000, "\u2028"])
def test_a_line_that_is_none_is_found(message: str) -> None:
    with pytest.raises(AssertionError):
        check_line(message)


def test_a_line_is_let_through() -> None:
    check_line(str(UserError("file:1: no tag in column 3; set data.tag_column\n")))
