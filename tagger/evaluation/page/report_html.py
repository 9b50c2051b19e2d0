"""Write report.html and compare.html: a whole report or comparison on one page that fetches nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tagger.evaluation.assessment import Assessment
from tagger.evaluation.comparison import Comparison, SystemComparison, changes
from tagger.evaluation.page import figures, model_plots, score_plots
from tagger.evaluation.page.plots import Plot
from tagger.evaluation.page.sentences import ALL_LINES, Browser, Entry, Mark, browser, report_browser
from tagger.evaluation.page.shapes import gauge, runs
from tagger.html.palette import STYLE
from tagger.html.rendering import render
from tagger.printable import visible_on_page

_TEMPLATES = Path(__file__).parent / "templates"
_SECTIONS = {  # id: heading and plots
    "scores": ("Scores", score_plots.scores),
    "errors": ("Errors", score_plots.errors),
    "seen": ("Overlap with training", score_plots.seen),
    "calibration": ("Calibration", model_plots.calibration),
    "learning": ("Learning curve", model_plots.learning),
    "data": ("Data", model_plots.data),
}
_CHANGES = {"better": "better in the second", "worse": "worse in the second", "changed": "other errors, as many"}


@dataclass(frozen=True)
class GateExplanations:
    """Sentences of a report with explanations of the model's gates, made by the caller.

    `style` is CSS for the contents of elements of class `gates`. `sections` has the beginning of each sentence and its
    HTML. `data` has all figures, for JSON.
    """

    style: str
    sections: Sequence[tuple[str, str]]
    data: Mapping[str, Any]


def report_html(found: Assessment, inside: GateExplanations | None = None) -> str:
    """Write the page of a report, with explained sentences if given.

    Raises:
        UserError: Jinja or matplotlib is not installed.
    """
    report = found.report
    headline = report.headline
    drawn = [(id_, title, list(plots(report))) for id_, (title, plots) in _SECTIONS.items()]
    return _render_page(
        "report.html.j2",
        report=report,
        gauge=gauge(headline.value, headline.interval).svg("headline", headline.name),
        sections=[{"name": id_, "title": title, "plots": plots} for id_, title, plots in drawn if plots],
        browser=report_browser(found.texts, entities=report.entities is not None),
        inside=inside,
    )


def comparison_html(contest: SystemComparison) -> str:
    """Write the page of a comparison.

    Raises:
        UserError: Jinja or matplotlib is not installed.
    """
    found = contest.comparison
    sentences = _sentence_by_sentence(contest) if found.differences else None
    return _render_page("compare.html.j2", found=found, plots=[_systems(found)], browser=sentences)


def _render_page(template: str, **values: Any) -> str:
    """Render a template of this package. All values are escaped, except where the template marks them safe."""
    style, script = ((_TEMPLATES / name).read_text(encoding="utf-8") for name in ("style.css", "page.js"))
    helpers = {"points": figures.points, "count": figures.count, "visible": visible_on_page}
    return render(f"evaluation/page/templates/{template}", style=STYLE + style, script=script, **helpers, **values)


def _systems(found: Comparison) -> Plot:
    points, count, name = figures.points, figures.count, figures.name
    return Plot(
        "systems",
        f"{found.score[0].upper()}{found.score[1:]} by system",
        runs([(f"{name(system.name)} ({len(system.runs)})", system.scores) for system in found.systems]),
        "Each small dot is a run. The large one is their mean. The number of runs is in brackets. Points of 100.",
        ("system", "mean", "sd", "runs", "scores"),
        [
            [one.name, points(one.mean), points(one.sd), count(len(one.runs)), ", ".join(map(points, one.scores))]
            for one in found.systems
        ],
    )


def _sentence_by_sentence(contest: SystemComparison) -> Browser:
    """Collect the sentences of the first two systems."""
    first, second = contest.shown[:2]
    kinds, names = list(figures.KINDS), list(_CHANGES)
    entries = []
    for change, one, other in zip(changes(first, second), first.texts, second.texts, strict=True):
        marks = [
            Mark(line, kinds.index(pair.kind), *pair.predicted)
            for line, text in enumerate((one, other), start=1)
            for pair in text.pairs
            if pair.predicted
        ]
        if one.predicted.spans == other.predicted.spans == one.gold.spans:
            marks = [mark._replace(line=ALL_LINES) for mark in marks if mark.line == 1]
        else:
            marks = [Mark(0, len(kinds), *span) for span in one.gold.spans] + marks
        choices = [names.index(change)] if change in names else []
        entries.append(Entry(one, choices, marks, first=bool(choices)))
    return browser(
        entries,
        lines=("Gold", *(figures.name(system.name) for system in contest.comparison.systems[:2])),
        kinds=(*figures.KINDS.values(), "gold"),
        choices=dict.fromkeys(_CHANGES.values()),
    )
