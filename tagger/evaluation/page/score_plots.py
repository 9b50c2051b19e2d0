"""Draw the plots of scores and errors, each with a table of its figures."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from tagger.evaluation.counting import PARTNER_RULE
from tagger.evaluation.estimates import Estimate
from tagger.evaluation.page.figures import KINDS, count, name, points, span
from tagger.evaluation.page.plots import FAINT, SERIES, Plot
from tagger.evaluation.page.shapes import Bars, Row, Tone, dots, heat, stacks
from tagger.evaluation.report import Report
from tagger.printable import visible_on_page

_MOST_ROWS = 30
_MOST_CONFUSED = 14
_MOST_CONFUSIONS = 200  # rows of the table
_NONE = "no entity"
_CRITERIA = {
    "entities": "bounds and type",
    "strict": "the same, strict tags",
    "partial": "partial overlap",
    "type_only": "type only",
    "boundary_only": "boundary only",
}
_MENTIONS = {"same_type": "seen, same type", "other_type": "seen, other type", "new": "not seen"}
_WORDS = {
    "in_vocabulary": "known words",
    "out_of_training": "new, with vector",
    "out_of_vectors": "without vector",
    "out_of_both": "new, without vector",
}
_WORDS_WITHOUT_VECTORS = {"in_vocabulary": "known words", "out_of_training": "new words"}
_ESTIMATE_HEADER = ("precision", "recall", "F1", "95% interval of F1", "gold", "predicted")
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
            dots([_row(label, one) for label, one in drawn.items()]),
            f"A dot is the F1 of a {kind}, its bar the 95% interval. The number in the gold data is in brackets. Long "
            f"bars come from few examples.{rest}",
            (kind, *_ESTIMATE_HEADER),
            _table(types),
        )
    read = {title: getattr(report, key).micro for key, title in _CRITERIA.items() if getattr(report, key) is not None}
    if report.surface is not None:
        read["distinct forms"] = report.surface
    if read:
        yield Plot(
            "readings",
            "The same predictions under other criteria",
            dots([(title, one.f1, one.interval) for title, one in read.items()]),
            "Partial overlap and type only forgive wrong boundaries. Boundary only forgives wrong types. Strict "
            "requires tags that follow their scheme. Distinct forms is WNUT's surface F1. "
            f"{PARTNER_RULE}",
            ("criterion", *_ESTIMATE_HEADER),
            _table(read),
        )


def errors(report: Report) -> Iterator[Plot]:
    """Plot kinds of errors by type, confusions, and F1 by length."""
    if report.errors.types:
        if report.entities:
            yield _outcomes(report)
        yield _confusions(report)
    for key, kind in (("entities", "entity length"), ("sentences", "sentence length")):
        if lengths := report.lengths[key]:
            caption = f"By {kind} in tokens. The number in the gold data is in brackets."
            yield _by_group(f"{key}-length", f"F1 by {kind}", lengths, "tokens", caption)


def seen(report: Report) -> Iterator[Plot]:
    """Plot scores by occurrence in training."""
    found = report.seen
    if found is None:
        return
    source = f"{visible_on_page(found.source)}.{'' if found.vectors else ' Nothing is known of pretrained vectors.'}"
    words = _WORDS if found.vectors else _WORDS_WITHOUT_VECTORS
    mentions = {title: found.mentions[key] for key, title in _MENTIONS.items() if key in found.mentions}
    if any(one.support for one in mentions.values()):
        caption = f"A mention is seen if it occurs as an entity in {source}"
        yield _by_group("mentions", "F1 by occurrence of the mention in training", mentions, "class", caption)
    by_words = {title: found.words[key] for key, title in words.items() if key in found.words}
    if any(one.support for one in by_words.values()):
        caption = f"All words of an entity count. Source: {source}"
        yield _by_group("words", "F1 by class of the words", by_words, "class", caption)
    shares = {words[label]: one for label, one in found.tokens.items() if one.count}
    if shares:
        yield Plot(
            "tokens",
            "Accuracy of tokens by class",
            dots([(f"{label} ({one.count:,})", one.accuracy or 0.0, None) for label, one in shares.items()]),
            f"The share of tokens with the right tag. Source: {source}",
            ("class", "accuracy", "right", "tokens"),
            [[label, points(one.accuracy), count(one.correct), count(one.count)] for label, one in shares.items()],
        )


def _by_group(id_: str, title: str, groups: Mapping[str, Estimate], first: str, caption: str) -> Plot:
    """Plot the F1 of the groups that occur in the gold data. `first` is the heading of the table's first column."""
    rows = [_row(label, one) for label, one in groups.items() if one.support]
    return Plot(id_, title, dots(rows), caption, (first, *_ESTIMATE_HEADER), _table(groups, _cells_of_group))


def _row(label: str, estimate: Estimate) -> Row:
    return f"{name(label)} ({estimate.support:,})", estimate.f1, estimate.interval


def _cells(estimate: Estimate) -> list[str]:
    scores = [points(value) for value in (estimate.precision, estimate.recall, estimate.f1)]
    return [*scores, span(estimate.interval), count(estimate.support), count(estimate.predicted)]


def _cells_of_group(estimate: Estimate) -> list[str]:
    """Format the estimate of a group. Without gold members it has no recall and no F1."""
    shown = _cells(estimate)
    if estimate.support:
        return shown
    return [shown[0] if estimate.predicted else points(None), *[points(None)] * 3, *shown[4:]]


def _table(rows: Mapping[str, Estimate], cells: Callable[[Estimate], Sequence[str]] = _cells) -> list[list[str]]:
    return [[visible_on_page(label), *cells(one)] for label, one in rows.items()]


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
    tones = {"correct": _GOLD_OUTCOMES["correct"], "wrong type or boundary": (SERIES[1], 0.65), "spurious": _SPURIOUS}
    sides = [
        Bars("of gold entities", {KINDS[kind]: tone for kind, tone in _GOLD_OUTCOMES.items()}, gold),
        Bars("of predicted ones", tones, predicted),
    ]
    return Plot(
        "outcomes",
        "Outcomes",
        stacks([name(label) for label in labels], sides),
        "Shares of 100. Left: the gold entities of each type, found, found with an error, or missed. Right: the "
        "predicted ones, correct, overlapping another gold entity, or spurious.",
        ("type", "gold", "predicted", *KINDS.values()),
        [
            [visible_on_page(label), *(count(getattr(one, key)) for key in ("gold", "predicted", *KINDS))]
            for label, one in (*types.items(), ("all", report.errors.all))
        ],
    )


def _confusions(report: Report) -> Plot:
    labels = list(_most(report.main.types, _MOST_CONFUSED))
    rest = ["others"] if len(labels) < len(report.main.types) else []
    names = [*labels, *rest, *([_NONE] if report.entities else [])]
    places = {label: number for number, label in enumerate(labels)}
    counts = [[0] * len(names) for _ in names]

    def place(label: str | None) -> int:
        return len(names) - 1 if label is None else places.get(label, len(labels))

    for one in report.errors.confusions:
        counts[place(one.gold)][place(one.predicted)] += one.count
    mistaken = [one for one in report.errors.confusions if one.gold != one.predicted]
    return Plot(
        "confusions",
        "Confusions",
        heat([name(label) for label in names], counts, len(names) - 1 if report.entities else -1),
        "Rows are gold labels, columns predicted ones. The darker a cell, the larger its share of the row."
        + (" Entities are paired where they overlap." if report.entities else ""),
        ("gold", "predicted", "times"),
        [
            [*(_NONE if it is None else visible_on_page(it) for it in (one.gold, one.predicted)), count(one.count)]
            for one in mistaken[:_MOST_CONFUSIONS]
        ],
    )
