"""Write report.html: a whole report on one page that fetches nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tagger.evaluation.assessment import Assessment
from tagger.evaluation.page import model_plots, score_plots
from tagger.evaluation.page.page_templates import render_page
from tagger.evaluation.page.plots import Plot
from tagger.evaluation.page.sentences import report_browser
from tagger.evaluation.page.shapes import gauge
from tagger.evaluation.report import Report


@dataclass(frozen=True)
class Section:
    """A section of the page: its id, heading, introduction and plots."""

    name: str
    title: str
    introduction: str
    plots: Sequence[Plot]


@dataclass(frozen=True)
class GateExplanations:
    """Sentences of a report with explanations of the model's gates, made by the caller.

    Attributes:
        style: CSS for the contents of elements of class `gates`.
        sections: the beginning of each sentence, and its HTML.
        data: all figures, for JSON.
    """

    style: str
    sections: Sequence[tuple[str, str]]
    data: Mapping[str, Any]


def report_html(found: Assessment, inside: GateExplanations | None = None) -> str:
    """Write the page of a report.

    Args:
        found: the evaluation.
        inside: explained sentences.

    Raises:
        UserError: Jinja or matplotlib is not installed.
    """
    report = found.report
    headline = report.headline
    sections = [
        Section("scores", "Scores", "", list(score_plots.scores(report))),
        Section("errors", "Errors", _errors(report), list(score_plots.errors(report))),
        Section("seen", "Overlap with training", "", list(score_plots.seen(report))),
        Section("calibration", "Calibration", "", list(model_plots.calibration(report))),
        Section("learning", "Learning curve", "", list(model_plots.learning(report))),
        Section("data", "Data", "", list(model_plots.data(report))),
    ]
    return render_page(
        "report.html.j2",
        report=report,
        gauge=gauge("headline", headline.name, headline.value, headline.interval),
        sections=[section for section in sections if section.plots],
        browser=report_browser(found.texts, entities=report.entities is not None),
        inside=inside,
    )


def _errors(report: Report) -> str:
    all_ = report.errors.all
    if not report.entities:
        return f"{all_.wrong_type:,} of {all_.gold:,} tokens have a wrong tag."
    wrong = all_.wrong_type + all_.wrong_boundary + all_.wrong_both
    return (
        f"Of {all_.gold:,} gold entities {all_.correct:,} were found exactly, {wrong:,} with an error, "
        f"{all_.missing:,} not at all. Of {all_.predicted:,} predicted ones {all_.spurious:,} overlap no gold entity."
    )
