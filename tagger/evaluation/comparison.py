"""Compare systems: the difference of their scores, its significance, and the sentences where they differ."""

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
from tagger.evaluation.entity_alignment import AlignedText, Kind, align_tags, scheme_to_enforce
from tagger.evaluation.estimates import SWAPS, Floats, paired_test

FORMAT = 1  # of compare.json (docs/compare-schema.json); raised when a key changes its meaning or goes away
SEED = 1


@dataclass(frozen=True)
class RunPredictions:
    """Predictions of a run on gold sentences, and the schemes of both. Runs of one system differ only in their seed."""

    name: str
    system: str
    sentences: Sequence[Sentence]
    predicted: Sequence[Sequence[str]]
    scheme: Scheme
    found_scheme: Scheme


@dataclass(frozen=True)
class System:
    """Runs of a system with scores, mean and sample standard deviation, which is None for a single run."""

    name: str
    runs: Sequence[str]
    scores: Sequence[float]
    mean: float
    sd: float | None


@dataclass(frozen=True)
class Difference:
    """Difference of a system from the first one.

    Attributes:
        difference: mean score of the second minus that of the first.
        p: probability of at least such a difference if the systems are alike (approximate randomisation).
        better, worse: numbers of sentences with fewer and with more errors in the second, by each system's first run.
        changed: number of sentences with as many errors, but other ones.
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
    """Content of compare.json: systems, and the differences of the others from the first. Scores are fractions of 1.

    `score` is micro F1 or accuracy. `swaps` and `seed` are settings of the paired test.
    """

    score: str
    sentences: int
    swaps: int
    seed: int
    systems: Sequence[System]
    differences: Sequence[Difference]

    def as_dict(self) -> dict[str, Any]:
        """Return the content of compare.json."""
        return {"format": FORMAT, **asdict(self)}


class SystemTexts(NamedTuple):
    """Sentences of a system's first run, for display, with the number of errors of each."""

    texts: Sequence[AlignedText]
    errors: Sequence[int]


@dataclass(frozen=True)
class SystemComparison:
    """A comparison with the sentences of each system."""

    comparison: Comparison
    shown: Sequence[SystemTexts]


def compare(entrants: Sequence[RunPredictions]) -> SystemComparison:
    """Compare runs on the same gold data. Runs of one system are taken together.

    Raises:
        UserError: there are fewer than two runs, or their gold data differ.
    """
    if len(entrants) < 2:
        raise UserError("compare: expected two runs or more; give them as compare=[RUN_A,RUN_B]")
    first = entrants[0]
    for other in entrants[1:]:
        if len(first.sentences) != len(other.sentences):
            raise UserError(
                f"{other.name}: {len(other.sentences):,} sentences, but {first.name} has {len(first.sentences):,}; "
                "compare runs on the same data"
            )
        for one, two in zip(first.sentences, other.sentences, strict=True):
            if one.tokens != two.tokens or one.tags != two.tags:
                raise UserError(
                    f"{two.place}: the sentence or its gold tags differ from {one.place}; compare runs on the same data"
                )
    texts = [_texts(one) for one in entrants]
    counts = [np.array([_counts(text) for text in of], dtype=np.float64) for of in texts]
    of_system: dict[str, list[int]] = {}
    for number, entrant in enumerate(entrants):
        of_system.setdefault(entrant.system, []).append(number)
    systems, pooled, shown = [], [], []
    for name, numbers in of_system.items():
        scores = [_f1(counts[number]) for number in numbers]
        sd = stdev(scores) if len(scores) > 1 else None
        systems.append(System(name, [entrants[number].name for number in numbers], scores, fmean(scores), sd))
        pooled.append(np.mean([counts[number] for number in numbers], axis=0))
        shown.append(SystemTexts(texts[numbers[0]], (counts[numbers[0]] @ [-2, 1, 1]).astype(int).tolist()))
    differences = []
    for system, counted, compared in zip(systems[1:], pooled[1:], shown[1:], strict=True):
        p = paired_test(pooled[0], counted, swaps=SWAPS, seed=SEED)
        found = Counter(changes(shown[0], compared))
        gain, sentences = system.mean - systems[0].mean, (found["better"], found["worse"], found["changed"])
        differences.append(Difference(systems[0].name, system.name, gain, p, *sentences))
    score = "accuracy" if entrants[0].scheme is Scheme.PLAIN else "micro F1"
    return SystemComparison(Comparison(score, len(texts[0]), SWAPS, SEED, systems, differences), shown)


def changes(first: SystemTexts, second: SystemTexts) -> list[str]:
    """Return for each sentence whether the second system is `better`, `worse`, `changed` or the `same`."""
    found = []
    for one, other, before, after in zip(first.texts, second.texts, first.errors, second.errors, strict=True):
        if before != after:
            found.append("better" if after < before else "worse")
        else:
            found.append("same" if one.predicted.spans == other.predicted.spans else "changed")
    return found


def _texts(one: RunPredictions) -> list[AlignedText]:
    """Align the sentences of a run. Plain tags become spans of one token."""
    if one.scheme is not Scheme.PLAIN:
        found = scheme_to_enforce(one.found_scheme, one.scheme)
        return list(align_tags(one.sentences, one.predicted, one.scheme, found))
    marked = [Sentence(s.tokens, [f"S-{tag}" for tag in s.tags or []], place=s.place) for s in one.sentences]
    predicted = [[f"S-{tag}" for tag in tags] for tags in one.predicted]
    return list(align_tags(marked, predicted, Scheme.BIOES, Scheme.BIOES))


def _counts(text: AlignedText) -> tuple[int, int, int]:
    """Count the correct, predicted and gold entities of a sentence."""
    correct = sum(pair.kind is Kind.CORRECT for pair in text.pairs)
    return correct, len(text.predicted.spans), len(text.gold.spans)


def _f1(counts: Floats) -> float:
    correct, predicted, gold = counts.sum(axis=0).tolist()
    return 2 * correct / (predicted + gold) if predicted + gold else 0.0
