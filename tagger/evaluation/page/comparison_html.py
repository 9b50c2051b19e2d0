"""Write compare.html: a comparison of systems on one page that fetches nothing."""

from __future__ import annotations

from collections.abc import Iterator

from tagger.evaluation.comparison import Comparison, SystemComparison, changes
from tagger.evaluation.entity_alignment import Kind
from tagger.evaluation.page.figures import KINDS, count, name, points
from tagger.evaluation.page.page_templates import render_page
from tagger.evaluation.page.plots import Plot, Table
from tagger.evaluation.page.sentences import ALL_LINES, Browser, Choice, Entry, Mark, browser
from tagger.evaluation.page.shapes import runs

_CHOICES = {"better": "better in the second", "worse": "worse in the second", "changed": "other errors, as many"}
_GOLD = "gold"


def comparison_html(contest: SystemComparison) -> str:
    """Write the page of a comparison.

    Raises:
        UserError: Jinja or matplotlib is not installed.
    """
    found = contest.comparison
    return render_page("compare.html.j2", found=found, plots=list(_plots(found)), browser=_browser(contest))


def _plots(found: Comparison) -> Iterator[Plot]:
    rows = [(f"{name(system.name)} ({len(system.runs)})", list(system.scores)) for system in found.systems]
    table = []
    for system in found.systems:
        scores = ", ".join(map(points, system.scores))
        table.append([system.name, points(system.mean), points(system.sd), count(len(system.runs)), scores])
    yield Plot(
        "systems",
        f"{found.score[0].upper()}{found.score[1:]} by system",
        runs("systems", f"{found.score} by system", rows),
        "Each small dot is a run. The large one is their mean. The number of runs is in brackets. Points of 100.",
        Table(("system", "mean", "sd", "runs", "scores"), table),
    )


def _browser(contest: SystemComparison) -> Browser:
    """Collect the sentences of the first two systems."""
    if len(contest.shown) < 2:
        return browser([], lines=(), kinds=(), choices=(), first=bool)
    first, second = contest.shown[:2]
    kinds = list(Kind)
    names = [*(KINDS[kind] for kind in kinds), _GOLD]
    choices = list(_CHOICES)
    entries = []
    for change, one, other in zip(changes(first, second), first.texts, second.texts, strict=True):
        marks = [Mark(0, len(kinds), *span) for span in one.gold.spans]
        for line, text in enumerate((one, other), start=1):
            marks += [Mark(line, kinds.index(pair.kind), *pair.predicted) for pair in text.pairs if pair.predicted]
        same = one.predicted.spans == other.predicted.spans == one.gold.spans
        shown = [mark._replace(line=ALL_LINES) for mark in marks if mark.line == 1] if same else marks
        entries.append(Entry(one, [choices.index(change)] if change in choices else [], shown))
    return browser(
        entries,
        lines=("Gold", *(name(system.name) for system in contest.comparison.systems[:2])),
        kinds=names,
        choices=[Choice(title) for title in _CHOICES.values()],
        first=lambda entry: bool(entry.choices),
    )
