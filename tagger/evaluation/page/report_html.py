"""report.html: the whole of a report on one page that needs nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tagger.evaluation.assessment import Assessment
from tagger.evaluation.page import model_plots, score_plots
from tagger.evaluation.page.page_templates import filled
from tagger.evaluation.page.plots import Plot
from tagger.evaluation.page.sentences import of_report
from tagger.evaluation.page.shapes import gauge
from tagger.evaluation.report import Report


@dataclass(frozen=True)
class Section:
    """A part of the page: its id, its heading, what there is to say first, and its pictures."""

    name: str
    title: str
    told: str
    plots: Sequence[Plot]


@dataclass(frozen=True)
class Inside:
    """Sentences of a report taken apart by someone who knows the model.

    Attributes:
        style: CSS for what stands in an element of the class `gates`.
        sections: of each sentence its beginning, and a piece of HTML.
        data: all the figures of it, for JSON.
    """

    style: str
    sections: Sequence[tuple[str, str]]
    data: Mapping[str, Any]


def report_html(found: Assessment, inside: Inside | None = None) -> str:
    """The page of a report.

    Args:
        found: what was scored.
        inside: sentences of it taken apart.

    Raises:
        UserError: what it is made with is not installed.
    """
    report = found.report
    headline = report.headline
    sections = [
        Section("scores", "Scores", "", list(score_plots.scores(report))),
        Section("errors", "Where it errs", _errors(report), list(score_plots.errors(report))),
        Section("seen", "What it had met in training", "", list(score_plots.seen(report))),
        Section("calibration", "How sure it is", "", list(model_plots.calibration(report))),
        Section("learning", "How it learned", "", list(model_plots.learning(report))),
        Section("data", "The data", "", list(model_plots.data(report))),
    ]
    return filled(
        "report.html.j2",
        report=report,
        gauge=gauge("headline", headline.name, headline.value, headline.interval),
        sections=[section for section in sections if section.plots],
        browser=of_report(found.texts, entities=report.entities is not None),
        inside=inside,
    )


def _errors(report: Report) -> str:
    all_ = report.errors.all
    if not report.entities:
        return f"{all_.wrong_type:,} of {all_.gold:,} tokens have a wrong tag."
    wrong = all_.wrong_type + all_.wrong_boundary + all_.wrong_both
    return (
        f"Of {all_.gold:,} gold entities {all_.correct:,} were found as they are, {wrong:,} with an error, "
        f"{all_.missing:,} not at all. Of {all_.predicted:,} predicted ones {all_.spurious:,} have none beside them."
    )
