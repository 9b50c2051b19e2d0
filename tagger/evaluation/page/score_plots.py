"""Draw the plots of scores and errors, each with a table of its figures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tagger.evaluation.counting import PARTNER_RULE
from tagger.evaluation.escaping import visible_on_page
from tagger.evaluation.estimates import Estimate
from tagger.evaluation.page.figures import (
    KINDS,
    MENTIONS,
    READINGS,
    cells_of_group,
    count,
    name,
    points,
    table_of,
    words_named,
)
from tagger.evaluation.page.plots import FAINT, SERIES, Plot, Table
from tagger.evaluation.page.shapes import Bars, Row, Tone, dots, heat, stacks
from tagger.evaluation.report import Report
from tagger.evaluation.training_overlap import TokenShare, TrainingOverlap

_MOST_ROWS = 30
_MOST_CONFUSED = 14
_NONE = "no entity"
_OTHERS = "others"
_GOLD_OUTCOMES: dict[str, Tone] = {
    "correct": (SERIES[0], 0.95),
    "wrong_boundary": (SERIES[0], 0.45),
    "wrong_type": (SERIES[1], 0.9),
    "wrong_both": (SERIES[1], 0.45),
    "missing": (FAINT, 0.35),
}
_SPURIOUS: Tone = (SERIES[2], 0.85)


def scores(report: Report) -> Iterator[Plot]:
    """Plot scores by type, and under the other matching criteria."""
    kind = "type" if report.entities else "tag"
    types = report.main.types
    if types:
        drawn = _most(types)
        rest = f" The {len(drawn)} most frequent of {len(types)}." if len(drawn) < len(types) else ""
        yield Plot(
            "types",
            f"F1 by {kind}",
            dots("types", f"F1 by {kind}", [_row(label, one) for label, one in drawn.items()]),
            f"A dot is the F1 of a {kind}, its bar the 95% interval. The number in the gold data is in brackets. Long "
            f"bars come from few examples.{rest}",
            table_of(kind, dict(types)),
        )
    read = {title: getattr(report, key).micro for key, title in READINGS.items() if getattr(report, key) is not None}
    if report.surface is not None:
        read["distinct forms"] = report.surface
    if read:
        yield Plot(
            "readings",
            "The same predictions under other criteria",
            dots("readings", "F1 by criterion", [(title, one.f1, one.interval) for title, one in read.items()]),
            "Partial overlap and type only forgive wrong boundaries. Boundary only forgives wrong types. Strict "
            "requires tags that follow their scheme. Distinct forms is WNUT's surface F1. "
            f"{PARTNER_RULE}",
            table_of("criterion", read),
        )


def errors(report: Report) -> Iterator[Plot]:
    """Plot kinds of errors by type, confusions, and F1 by length."""
    if report.errors.types:
        if report.entities:
            yield _outcomes(report)
        yield _confusions(report)
    for key, title in (("entities", "entity length"), ("sentences", "sentence length")):
        lengths: Mapping[str, Estimate] = getattr(report.lengths, key)
        if lengths:
            yield Plot(
                f"{key}-length",
                f"F1 by {title}",
                dots(f"{key}-length", f"F1 by {title}", _rows(lengths)),
                f"By {title} in tokens. The number in the gold data is in brackets.",
                table_of("tokens", lengths, cells_of_group),
            )


def seen(report: Report) -> Iterator[Plot]:
    """Plot scores by occurrence in training."""
    found = report.seen
    if found is None:
        return
    words = words_named(found)
    for key, titles, title, caption in (
        (
            "mentions",
            MENTIONS,
            "F1 by occurrence of the mention in training",
            "A mention is seen if it occurs as an entity in",
        ),
        (
            "words",
            words,
            "F1 by class of the words",
            "All words of an entity count. Source:",
        ),
    ):
        rows = {titles[label]: one for label, one in getattr(found, key).items() if label in titles}
        if drawn := _rows(rows):
            yield Plot(
                key,
                title,
                dots(key, title, drawn),
                f"{caption} {_source(found)}",
                table_of("class", rows, cells_of_group),
            )
    shares = {words[label]: one for label, one in found.tokens.items() if one.count}
    if shares:
        yield _token_shares(found, shares)


def _source(found: TrainingOverlap) -> str:
    return f"{visible_on_page(found.source)}.{'' if found.vectors else ' Nothing is known of pretrained vectors.'}"


def _token_shares(found: TrainingOverlap, shares: Mapping[str, TokenShare]) -> Plot:
    rows: list[Row] = [(f"{label} ({one.count:,})", one.accuracy or 0.0, None) for label, one in shares.items()]
    table = [[label, points(one.accuracy), count(one.correct), count(one.count)] for label, one in shares.items()]
    return Plot(
        "tokens",
        "Accuracy of tokens by class",
        dots("tokens", "Accuracy of tokens", rows),
        f"The share of tokens with the right tag. Source: {_source(found)}",
        Table(("class", "accuracy", "right", "tokens"), table),
    )


def _rows(estimates: Mapping[str, Estimate]) -> list[Row]:
    """Make rows of the groups that occur in the gold data."""
    return [_row(label, one) for label, one in estimates.items() if one.support]


def _row(label: str, estimate: Estimate) -> Row:
    return f"{name(label)} ({estimate.support:,})", estimate.f1, estimate.interval


def _most(types: Mapping[str, Estimate], most: int = _MOST_ROWS) -> dict[str, Estimate]:
    """Select the most frequent types and keep their order."""
    ranked = set(sorted(types, key=lambda label: -types[label].support)[:most])
    return {label: one for label, one in types.items() if label in ranked}


def _outcomes(report: Report) -> Plot:
    types, labels = report.errors.types, list(_most(report.main.types))
    spurious = {one.predicted: one.count for one in report.errors.confusions if one.gold is None}
    gold = [[getattr(types[label], kind) for kind in _GOLD_OUTCOMES] for label in labels]
    predicted = []
    for label in labels:
        right, wrong = types[label].correct, spurious.get(label, 0)
        predicted.append([right, types[label].predicted - right - wrong, wrong])
    sides = [
        Bars("of gold entities", {KINDS[kind]: tone for kind, tone in _GOLD_OUTCOMES.items()}, gold),
        Bars(
            "of predicted ones",
            {"correct": _GOLD_OUTCOMES["correct"], "wrong type or boundary": (SERIES[1], 0.65), "spurious": _SPURIOUS},
            predicted,
        ),
    ]
    table = [
        [visible_on_page(label), *(count(getattr(one, key)) for key in ("gold", "predicted", *KINDS))]
        for label, one in (*types.items(), ("all", report.errors.all))
    ]
    return Plot(
        "outcomes",
        "Outcomes",
        stacks("outcomes", "Shares of kinds of errors by type", [name(label) for label in labels], sides),
        "Shares of 100. Left: the gold entities of each type, found, found with an error, or missed. Right: the "
        "predicted ones, correct, overlapping another gold entity, or spurious.",
        Table(("type", "gold", "predicted", *KINDS.values()), table),
    )


def _confusions(report: Report) -> Plot:
    labels = list(_most(report.main.types, _MOST_CONFUSED))
    rest = [_OTHERS] if len(labels) < len(report.main.types) else []
    none = [_NONE] if report.entities else []
    names = [*labels, *rest, *none]
    row = {label: number for number, label in enumerate(labels)}
    counts = [[0] * len(names) for _ in names]

    def place(label: str | None) -> int:
        return len(names) - 1 if label is None else row.get(label, len(labels))

    for one in report.errors.confusions:
        counts[place(one.gold)][place(one.predicted)] += one.count
    shown = [name(label) for label in names]
    nothing = len(names) - 1 if none else -1
    mistaken = [one for one in report.errors.confusions if one.gold != one.predicted]
    table = [
        [*(_NONE if label is None else visible_on_page(label) for label in (one.gold, one.predicted)), count(one.count)]
        for one in mistaken[:200]
    ]
    return Plot(
        "confusions",
        "Confusions",
        heat("confusions", "Confusion matrix", shown, counts, nothing),
        "Rows are gold labels, columns predicted ones. The darker a cell, the larger its share of the row."
        + (" Entities are paired where they overlap." if report.entities else ""),
        Table(("gold", "predicted", "times"), table),
    )
