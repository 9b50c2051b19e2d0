"""Draw the plots of calibration, training and data, each with a table of its figures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tagger.evaluation.calibration import Bin, Reliability
from tagger.evaluation.escaping import visible_on_page
from tagger.evaluation.page.figures import count, name, points
from tagger.evaluation.page.plots import SERIES, Plot, Table
from tagger.evaluation.page.shapes import Bars, Curve, Tone, curves, stacks
from tagger.evaluation.report import Report

_LARGEST_DOT = 90.0
_MOST_LABELS = 6
_SCORES = {"dev_f1": "dev F1", "dev_accuracy": "dev accuracy"}


def calibration(report: Report) -> Iterator[Plot]:
    """Plot reliability before and after temperature scaling, and scores by threshold."""
    found = report.calibration
    if found is None:
        return
    what = "entities" if report.entities else "tags"
    sides = {"at temperature 1": found.before, f"at {found.after.temperature:.2f}, the model's": found.after}
    drawn = [
        _reliability(title, side, SERIES[number], dashed=number == 1)
        for number, (title, side) in zip((1, 0), sides.items(), strict=True)
    ]
    sizes = [[_LARGEST_DOT * (one.count / found.count) ** 0.5 for one in _filled_bins(side)] for side in sides.values()]
    table = [
        [f"{100 * before.low:.0f} to {100 * before.high:.0f}", *_bin(before), *_bin(after)]
        for before, after in zip(found.before.bins, found.after.bins, strict=True)
    ]
    yield Plot(
        "reliability",
        "Reliability of probabilities",
        curves(
            "reliability",
            "Reliability diagram",
            drawn,
            x=f"probability of predicted {what}",
            y="share that is right",
            square=True,
            diagonal=True,
            sizes=sizes,
        ),
        "On the grey diagonal, 70 in 100 of the predictions with a probability of 70 are right. Below it the model is "
        "too sure. Larger dots mean more predictions. The expected calibration error is "
        f"{points(found.before.ece)} at temperature 1 and {points(found.after.ece)} at the model's own.",
        Table(
            ("probability", "at 1: number", "mean", "right", "at the model's: number", "mean", "right"),
            table,
        ),
    )
    kept = [one for one in found.thresholds if one.kept]
    at = [100 * one.threshold for one in kept]
    named = {"precision": SERIES[0], "recall": SERIES[1], "f1": SERIES[2]}
    yield Plot(
        "thresholds",
        "Scores by threshold",
        curves(
            "thresholds",
            "Precision, recall and F1 against a threshold",
            [
                Curve("F1" if key == "f1" else key, at, [100 * getattr(one, key) for one in kept], tone)
                for key, tone in named.items()
            ],
            x="minimum probability",
            square=True,
        ),
        "If predictions less probable than the threshold are left out (tag.py --min-score), precision rises and recall "
        "falls.",
        Table(
            ("threshold", "kept", "precision", "recall", "F1"),
            [
                [points(one.threshold), count(one.kept), points(one.precision), points(one.recall), points(one.f1)]
                for one in found.thresholds
            ],
        ),
    )


def learning(report: Report) -> Iterator[Plot]:
    """Plot loss, dev score, learning rate and speed by epoch."""
    found = report.learning
    if found is None:
        return
    title = _SCORES[found.score_name]
    kinds = (
        ("loss", "Training loss", 1.0, SERIES[1], "The mean loss of an epoch's batches."),
        (
            "score",
            title[0].upper() + title[1:],
            100.0,
            SERIES[0],
            "After each epoch. The model of the best epoch is kept.",
        ),
        ("learning_rate", "Learning rate", 1.0, SERIES[2], "At the end of each epoch."),
        ("tokens_per_second", "Tokens a second", 1.0, SERIES[3], "How fast training went."),
    )
    for key, heading, factor, tone, caption in kinds:
        logged = [(one.epoch, getattr(one, key)) for one in found.epochs if getattr(one, key) is not None]
        if logged:
            curve = Curve(
                heading, [epoch for epoch, _ in logged], [factor * value for _, value in logged], tone, marked=True
            )
            yield Plot(
                f"learning-{key.replace('_', '-')}",
                heading,
                curves(f"learning-{key.replace('_', '-')}", f"{heading} by epoch", [curve], x="epoch", whole=True),
                caption,
                Table(("epoch", heading.lower()), [[str(epoch), f"{factor * value:,.6g}"] for epoch, value in logged]),
            )


def data(report: Report) -> Iterator[Plot]:
    """Plot the share of each label in each split."""
    card = report.data
    if card is None:
        return
    totals: dict[str, int] = {}
    for split in card.splits.values():
        for label, number in split.labels.items():
            totals[label] = totals.get(label, 0) + number
    ranked = sorted(totals, key=lambda label: -totals[label])
    if not ranked:
        return
    shown = ranked[:_MOST_LABELS]
    tones: list[Tone] = [(tone, 0.85) for tone in SERIES]
    parts = dict(zip(_distinct(shown), tones, strict=False))
    rows = [[split.labels.get(label, 0) for label in shown] for split in card.splits.values()]
    if len(ranked) > len(shown):
        parts["others"] = ("faint", 0.35)
        for row, split in zip(rows, card.splits.values(), strict=True):
            row.append(sum(split.labels.values()) - sum(row))
    what = "entities" if report.entities else "tags"
    yield Plot(
        "labels",
        "Labels in the splits",
        stacks("labels", "Share of labels by split", list(card.splits), [Bars(f"of all {what}", parts, rows)]),
        f"Shares of the labels among the {what} of each split, in shares of 100.",
        Table(
            ("label", *card.splits),
            [
                [visible_on_page(label), *(count(split.labels.get(label, 0)) for split in card.splits.values())]
                for label in ranked
            ],
        ),
    )


def _distinct(labels: Sequence[str]) -> list[str]:
    """Shorten names and keep them distinct."""
    short = [name(label) for label in labels]
    return [one if short.count(one) == 1 else f"{number}. {one}" for number, one in enumerate(short, start=1)]


def _filled_bins(side: Reliability) -> Sequence[Bin]:
    return [one for one in side.bins if one.count]


def _reliability(title: str, side: Reliability, tone: str, *, dashed: bool) -> Curve:
    bins = _filled_bins(side)
    x = [100 * (one.probability or 0.0) for one in bins]
    return Curve(title, x, [100 * (one.right or 0.0) for one in bins], tone, dashed=dashed, marked=True)


def _bin(one: Bin) -> list[str]:
    return [count(one.count), points(one.probability), points(one.right)]
