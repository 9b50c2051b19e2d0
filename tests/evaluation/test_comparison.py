"""Test the comparison of systems."""

from __future__ import annotations

from pathlib import Path

import pytest

from tagger.corpus.schemes import Scheme
from tagger.corpus.sentence import Sentence
from tagger.errors import UserError
from tagger.evaluation.comparison import RunPredictions, SystemComparison, changes, compare
from tagger.evaluation.page.report_html import comparison_html
from tests.helpers.browser import opened, started

GOLD = [["B-X", "O"], ["B-X", "B-Y"], ["O", "O"], ["B-Y", "O"]]
NONE = [["O", "O"]] * 4
SOME = [["B-X", "O"], ["O", "B-Y"], ["B-X", "O"], ["B-X", "O"]]


def entrant(name: str, predicted: list[list[str]], system: str = "", gold: list[list[str]] = GOLD) -> RunPredictions:
    sentences = [Sentence(["a", f"b{n}"], tags, place=f"{name}:{n}") for n, tags in enumerate(gold)]
    return RunPredictions(name, system or name, sentences, predicted, Scheme.IOB2, Scheme.IOB2)


def test_systems_differ_by_their_f1_and_where_they_do_is_counted() -> None:
    contest = compare([entrant("none", NONE), entrant("some", SOME), entrant("gold", GOLD)])
    found = contest.comparison
    assert [one.mean for one in found.systems] == [0, 0.5, 1]
    first, second = found.differences
    assert (first.first, first.second, first.difference) == ("none", "some", 0.5)
    assert (first.better, first.worse, first.changed) == (2, 2, 0)
    assert changes(*contest.shown[:2]) == ["better", "better", "worse", "worse"]
    assert (second.better, second.worse) == (3, 0)
    assert 0 < second.p <= 1


def test_runs_of_one_system_are_taken_together() -> None:
    found = compare([entrant("a1", NONE, "a"), entrant("b", GOLD), entrant("a2", GOLD, "a")]).comparison
    (a, b), (difference,) = found.systems, found.differences
    assert (a.name, a.runs, a.scores, a.mean) == ("a", ["a1", "a2"], [0, 1], 0.5)
    assert a.sd == pytest.approx(0.5**0.5)
    assert (b.sd, difference.difference) == (None, 0.5)


def test_other_errors_of_the_same_number_are_a_change() -> None:
    one, other = (entrant(name, [[tag, "O"], *GOLD[1:]]) for name, tag in (("one", "O"), ("other", "B-Y")))
    contest = compare([one, entrant("two", [["O", "B-X"], *GOLD[1:]])])
    assert changes(*contest.shown) == ["worse", "same", "same", "same"]
    moved = compare([entrant("left", [["O", "B-X"], *GOLD[1:]]), other])
    assert changes(*moved.shown)[0] == "changed"


def test_plain_tags_are_compared_by_accuracy() -> None:
    sentences = [Sentence(["a", "b"], ["DT", "NN"])]
    runs = [
        RunPredictions(name, name, sentences, [tags], Scheme.PLAIN, Scheme.PLAIN)
        for name, tags in (("a", ["DT", "VB"]), ("b", ["DT", "NN"]))
    ]
    found = compare(runs).comparison
    assert (found.score, [one.mean for one in found.systems]) == ("accuracy", [0.5, 1])
    assert found.differences[0].better == 1


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (entrant("b", NONE[:3], gold=GOLD[:3]), "b: 3 sentences, but a has 4"),
        (entrant("b", NONE, gold=[*GOLD[:3], ["O", "O"]]), "b:3: the sentence or its gold tags differ from a:3"),
    ],
)
def test_runs_on_other_data_are_refused(other: RunPredictions, message: str) -> None:
    with pytest.raises(UserError, match=message):
        compare([entrant("a", NONE), other])


def test_one_run_is_no_comparison() -> None:
    with pytest.raises(UserError, match="expected two runs or more"):
        compare([entrant("a", NONE)])


def opened_page(contest: SystemComparison, folder: Path, title: str, choices: int) -> None:
    path = folder / "compare.html"
    path.write_text(comparison_html(contest), encoding="utf-8")
    with started() as chromium, opened(chromium, path) as page:
        assert page.title() == title
        assert page.get_by_role("radio").count() == choices
        if choices:
            page.locator("input[name=choice]").nth(1).check()
            assert page.locator("#found").inner_text() == "2 of 4"
            assert page.locator("#list li").first.locator("b").all_inner_texts() == ["Gold", "none<b>", "some"]


def test_the_page_shows_what_became_worse(tmp_path: Path) -> None:
    contest = compare([entrant("none<b>", NONE), entrant("some", SOME)])
    opened_page(contest, tmp_path, "none<b> and some", choices=4)


def test_seeds_of_one_system_have_a_page_without_sentences(tmp_path: Path) -> None:
    contest = compare([entrant("a1", NONE, "a"), entrant("a2", SOME, "a")])
    opened_page(contest, tmp_path, "a", choices=0)
