"""Draw the plots of calibration, training and data, each with a table of its figures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from tagger.evaluation.calibration import Bin
from tagger.evaluation.page.figures import count, name, points
from tagger.evaluation.page.plots import SERIES, Plot
from tagger.evaluation.page.shapes import Bars, Curve, Tone, curves, stacks
from tagger.evaluation.report import Report
from tagger.printable import visible_on_page

_LARGEST_DOT = 90.0
_SMALL_DOT = 16.0
_MOST_LABELS = 6
_SCORES = {"dev_f1": "dev F1", "dev_accuracy": "dev accuracy"}


def calibration(report: Report) -> Iterator[Plot]:
    """Plot reliability before and after temperature scaling, and scores by threshold."""
    found = report.calibration
    if found is None:
        return
    drawn = []
    for title, side, tone in (
        ("at temperature 1", found.before, SERIES[1]),
        (f"at {found.after.temperature:.2f}, the model's", found.after, SERIES[0]),
    ):
        bins = [one for one in side.bins if one.count]
        x, y = [100 * (one.probability or 0.0) for one in bins], [100 * (one.right or 0.0) for one in bins]
        sizes = [_LARGEST_DOT * (one.count / found.count) ** 0.5 for one in bins]
        drawn.append(Curve(title, x, y, tone, dashed=side is found.before, dots=sizes))
    what = "entities" if report.entities else "tags"
    yield Plot(
        "reliability",
        "Reliability of probabilities",
        curves(drawn, x=f"probability of predicted {what}", y="share that is right", square=True, diagonal=True),
        "On the grey diagonal, 70 in 100 of the predictions with a probability of 70 are right. Below it the model is "
        "too sure. Larger dots mean more predictions. The expected calibration error is "
        f"{points(found.before.ece)} at temperature 1 and {points(found.after.ece)} at the model's own.",
        ("probability", "at 1: number", "mean", "right", "at the model's: number", "mean", "right"),
        [
            [f"{100 * before.low:.0f} to {100 * before.high:.0f}", *_bin(before), *_bin(after)]
            for before, after in zip(found.before.bins, found.after.bins, strict=True)
        ],
    )
    kept = [one for one in found.thresholds if one.kept]
    x = [100 * one.threshold for one in kept]
    scores = {"precision": "precision", "recall": "recall", "f1": "F1"}
    drawn = [
        Curve(title, x, [100 * getattr(one, score) for one in kept], tone)
        for (score, title), tone in zip(scores.items(), SERIES, strict=False)
    ]
    yield Plot(
        "thresholds",
        "Scores by threshold",
        curves(drawn, x="minimum probability", square=True),
        "If predictions less probable than the threshold are left out (tag.py --min-score), precision rises and recall "
        "falls.",
        ("threshold", "kept", *scores.values()),
        [
            [points(one.threshold), count(one.kept), *(points(getattr(one, score)) for score in scores)]
            for one in found.thresholds
        ],
    )


def learning(report: Report) -> Iterator[Plot]:
    """Plot loss, dev score, learning rate and speed by epoch."""
    found = report.learning
    if found is None:
        return
    score = _SCORES[found.score_name]
    kinds = (
        ("loss", "Training loss", 1, SERIES[1], "The mean loss of an epoch's batches."),
        (
            "score",
            score[0].upper() + score[1:],
            100,
            SERIES[0],
            "After each epoch. The model of the best epoch is kept.",
        ),
        ("learning_rate", "Learning rate", 1, SERIES[2], "At the end of each epoch."),
        ("tokens_per_second", "Tokens a second", 1, SERIES[3], "How fast training went."),
    )
    for key, title, factor, tone, caption in kinds:
        logged = {one.epoch: factor * getattr(one, key) for one in found.epochs if getattr(one, key) is not None}
        if logged:
            curve = Curve(title, list(logged), list(logged.values()), tone, dots=_SMALL_DOT)
            yield Plot(
                f"learning-{key.replace('_', '-')}",
                title,
                curves([curve], x="epoch"),
                caption,
                ("epoch", title.lower()),
                [[str(epoch), f"{value:,.6g}"] for epoch, value in logged.items()],
            )


def data(report: Report) -> Iterator[Plot]:
    """Plot the share of each label in each split."""
    card = report.data
    if card is None:
        return
    splits = card.splits
    totals: Counter[str] = Counter()
    for split in splits.values():
        totals.update(split.labels)
    ranked = [label for label, _ in totals.most_common()]
    if not ranked:
        return
    shown = ranked[:_MOST_LABELS]
    tones: list[Tone] = [(tone, 0.85) for tone in SERIES]
    parts = dict(zip(_distinct(shown), tones, strict=False))
    rows = [[split.labels.get(label, 0) for label in shown] for split in splits.values()]
    if len(ranked) > len(shown):
        parts["others"] = ("faint", 0.35)
        for row, split in zip(rows, splits.values(), strict=True):
            row.append(sum(split.labels.values()) - sum(row))
    what = "entities" if report.entities else "tags"
    yield Plot(
        "labels",
        "Labels in the splits",
        stacks(list(splits), [Bars(f"of all {what}", parts, rows)]),
        f"Shares of the labels among the {what} of each split, in shares of 100.",
        ("label", *splits),
        [
            [visible_on_page(label), *(count(split.labels.get(label, 0)) for split in splits.values())]
            for label in ranked
        ],
    )


def _distinct(labels: Sequence[str]) -> list[str]:
    """Shorten names and keep them distinct."""
    short = [name(label) for label in labels]
    return [one if short.count(one) == 1 else f"{number}. {one}" for number, one in enumerate(short, start=1)]


def _bin(one: Bin) -> list[str]:
    return [count(one.count), points(one.probability), points(one.right)]
