"""Systems beside each other: how far their scores differ, whether chance may be why, and where they differ."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import fmean, stdev
from typing import Any, NamedTuple

import numpy as np

from tagger.corpus.schemes import Scheme
from tagger.corpus.sentence import Sentence
from tagger.errors import UserError
from tagger.evaluation.entity_alignment import Compared, compare_tags, held_to
from tagger.evaluation.pairing import Kind
from tagger.evaluation.resampling import SWAPS, Floats, paired_test

FORMAT = 1  # of compare.json (docs/compare-schema.json); raised when a key changes its meaning or goes away
SEED = 1


@dataclass(frozen=True)
class Entrant:
    """A run's predictions.

    Attributes:
        name: of the run.
        system: what it is a run of; runs of one system differ in their seed alone.
        sentences: gold sentences, with tags.
        predicted: tags of each.
        scheme: of the gold tags.
        found_scheme: of the predicted ones.
    """

    name: str
    system: str
    sentences: Sequence[Sentence]
    predicted: Sequence[Sequence[str]]
    scheme: Scheme
    found_scheme: Scheme


@dataclass(frozen=True)
class System:
    """A system's runs: their scores, the mean, and the sample standard deviation, None of a single one."""

    name: str
    runs: Sequence[str]
    scores: Sequence[float]
    mean: float
    sd: float | None


@dataclass(frozen=True)
class Difference:
    """How a system differs from the first one.

    Attributes:
        first, second: the systems.
        difference: of the means, the second less the first.
        p: how probable at least such a difference is where the two are alike (approximate randomisation).
        better, worse: sentences with fewer and with more errors in the second, by each system's first run.
        changed: sentences with as many errors there, but others.
    """

    first: str
    second: str
    difference: float
    p: float
    better: int
    worse: int
    changed: int


@dataclass(frozen=True)
class Comparison:
    """What compare.json holds. Scores are fractions of 1.

    Attributes:
        score: micro F1 or accuracy.
        sentences: how many all were scored on.
        swaps, seed: of the paired test.
        systems: in the order in which they were given.
        differences: of each but the first system from it.
    """

    score: str
    sentences: int
    swaps: int
    seed: int
    systems: Sequence[System]
    differences: Sequence[Difference]

    def as_dict(self) -> dict[str, Any]:
        """The content of compare.json."""
        return {"format": FORMAT, **asdict(self)}


class Shown(NamedTuple):
    """A system's sentences, for showing: those of its first run, and how many errors each has."""

    texts: Sequence[Compared]
    errors: Sequence[int]


@dataclass(frozen=True)
class Contest:
    """A comparison, and each system's sentences."""

    comparison: Comparison
    shown: Sequence[Shown]


def compare(entrants: Sequence[Entrant]) -> Contest:
    """Compare runs on the same gold data, those of one system taken together.

    Raises:
        UserError: there are fewer than two, or the gold data differ.
    """
    if len(entrants) < 2:
        raise UserError("compare: give two runs or more, as in compare=[RUN_A,RUN_B]")
    for other in entrants[1:]:
        _require_same_gold(entrants[0], other)
    texts = [_texts(one) for one in entrants]
    counts = [np.array([_counts(text) for text in of], dtype=np.float64) for of in texts]
    of_system: dict[str, list[int]] = {}
    for number, one in enumerate(entrants):
        of_system.setdefault(one.system, []).append(number)
    systems, pooled, shown = [], [], []
    for name, numbers in of_system.items():
        scores = [_f1(counts[number]) for number in numbers]
        sd = stdev(scores) if len(scores) > 1 else None
        systems.append(System(name, [entrants[number].name for number in numbers], scores, fmean(scores), sd))
        pooled.append(np.mean([counts[number] for number in numbers], axis=0))
        shown.append(Shown(texts[numbers[0]], (counts[numbers[0]] @ [-2, 1, 1]).astype(int).tolist()))
    differences = []
    for second in range(1, len(systems)):
        p = paired_test(pooled[0], pooled[second], swaps=SWAPS, seed=SEED)
        found = Counter(changes(shown[0], shown[second]))
        difference = systems[second].mean - systems[0].mean
        names = systems[0].name, systems[second].name
        differences.append(Difference(*names, difference, p, found["better"], found["worse"], found["changed"]))
    score = "accuracy" if _plain(entrants[0]) else "micro F1"
    return Contest(Comparison(score, len(texts[0]), SWAPS, SEED, systems, differences), shown)


def changes(first: Shown, second: Shown) -> list[str]:
    """Of each sentence whether the second system is `better` or `worse` there, `changed`, or the `same`."""
    found = []
    for one, other, before, after in zip(first.texts, second.texts, first.errors, second.errors, strict=True):
        if before != after:
            found.append("better" if after < before else "worse")
        else:
            found.append("same" if one.predicted.spans == other.predicted.spans else "changed")
    return found


def _require_same_gold(first: Entrant, other: Entrant) -> None:
    if len(first.sentences) != len(other.sentences):
        raise UserError(
            f"{other.name}: {len(other.sentences):,} sentences, but {first.name} has {len(first.sentences):,}; "
            "compare runs on the same data"
        )
    for one, two in zip(first.sentences, other.sentences, strict=True):
        if one.tokens != two.tokens or one.tags != two.tags:
            raise UserError(
                f"{two.place}: another sentence or other gold tags than {one.place} has; compare runs on the same data"
            )


def _plain(one: Entrant) -> bool:
    return one.scheme is Scheme.PLAIN


def _texts(one: Entrant) -> list[Compared]:
    """Sentences with both sides; of plain tags, all tags as spans of one token."""
    if not _plain(one):
        found = held_to(one.found_scheme, one.scheme)
        return list(compare_tags(one.sentences, one.predicted, one.scheme, found))
    marked = [Sentence(s.tokens, _as_spans(s.tags or []), place=s.place) for s in one.sentences]
    return list(compare_tags(marked, [_as_spans(tags) for tags in one.predicted], Scheme.BIOES, Scheme.BIOES))


def _as_spans(tags: Sequence[str]) -> list[str]:
    return [f"S-{tag}" for tag in tags]


def _counts(text: Compared) -> tuple[int, int, int]:
    """Correct, predicted and gold ones of a sentence."""
    correct = sum(pair.kind is Kind.CORRECT for pair in text.pairs)
    return correct, len(text.predicted.spans), len(text.gold.spans)


def _f1(counts: Floats) -> float:
    correct, predicted, gold = counts.sum(axis=0).tolist()
    return 2 * correct / (predicted + gold) if predicted + gold else 0.0
