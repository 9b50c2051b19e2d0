"""Check every figure of a report against seqeval, plain counts, the schema and the other figures."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from jsonschema import Draft202012Validator
from seqeval.metrics import f1_score, precision_score, recall_score
from seqeval.scheme import IOB2, IOBES

from tagger.corpus.schemes import Scheme, spans_from_tags
from tagger.corpus.sentence import Sentence
from tagger.evaluation.assessment import Assessment, Background, assess
from tagger.evaluation.report import Report
from tagger.evaluation.training_overlap import TrainingKnowledge, training_mentions, training_words
from tests.helpers.repository import REPOSITORY
from tests.helpers.two_sides import Side, tags_of, two_sides

SCHEMA = Draft202012Validator(json.loads((REPOSITORY / "docs" / "report-schema.json").read_text(encoding="utf-8")))
KINDS = ("correct", "wrong_type", "wrong_boundary", "wrong_both")


def of(gold: Side, predicted: Side, scheme: Scheme = Scheme.IOB2, **background: Any) -> Report:
    return assessed(gold, predicted, scheme, **background).report


def assessed(gold: Side, predicted: Side, scheme: Scheme = Scheme.IOB2, **background: Any) -> Assessment:
    sentences = [Sentence([f"w{(7 * n + s) % 5}" for n in range(len(tags))], tags) for s, tags in enumerate(gold)]
    return assess(sentences, predicted, scheme, {"model": "m"}, Background(**background))


def as_json(report: Report) -> dict[str, Any]:
    return json.loads(json.dumps(report.as_dict()))


@pytest.mark.parametrize(
    ("scheme", "gold", "predicted", "warned"),
    [
        (Scheme.BIOES, "S-X O", "B-X O", "gold tags are written in BIOES, predicted ones in IOB2: "),
        (Scheme.IOB2, "B-X O", "S-X O", "gold tags are written in IOB2, predicted ones in BIOES: "),
        (Scheme.BIOES, "S-X O", "O S-X", ""),
        (Scheme.IOB2, "B-X I-X", "O I-X", ""),
        (Scheme.BIOES, "S-X O", "O O", ""),
        (Scheme.PLAIN, "NOUN VERB", "VERB VERB", ""),
    ],
)
def test_an_accuracy_of_tokens_by_spelling_is_warned_of(scheme: Scheme, gold: str, predicted: str, warned: str) -> None:
    report = of([gold.split()], [predicted.split()], scheme, warnings=["of the background"])
    warning = f"{warned}both are compared by meaning"
    assert report.warnings == ["of the background", *([warning] if warned else [])]


def test_a_label_of_one_letter_is_no_bare_prefix_where_labels_have_no_prefix() -> None:
    report = of([["S", "S", "PER", "O", "O", "O", "O"]], [["S", "S", "O", "O", "O", "O", "O"]], Scheme.IO)
    assert report.entities is not None
    assert {name: figures.correct for name, figures in report.entities.types.items()} == {"S": 1, "PER": 0}


@given(two_sides(tags_of("BI")))
@settings(deadline=None, max_examples=60)
def test_scores_are_seqevals_default_and_strict(sides: tuple[Side, Side]) -> None:
    report = of(*sides)
    assert report.entities is not None
    assert report.strict is not None
    for reading, how in ((report.entities, {}), (report.strict, {"mode": "strict", "scheme": IOB2})):
        if how and all(tag == "O" for side in sides for tags in side for tag in tags):
            continue  # seqeval's strict mode fails there
        for measure, name in ((precision_score, "precision"), (recall_score, "recall"), (f1_score, "f1")):
            expected = measure(*sides, zero_division=0, **how)
            assert getattr(reading.micro, name) == pytest.approx(expected), (name, how)
            if reading.types:
                macro = measure(*sides, average="macro", zero_division=0, **how)
                assert getattr(reading.macro, name) == pytest.approx(macro), (name, how)
    assert report.headline.value == pytest.approx(report.entities.micro.f1)


@given(two_sides(tags_of("BIES")))
@settings(deadline=None, max_examples=40)
def test_bioes_is_read_strictly_as_seqeval_does(sides: tuple[Side, Side]) -> None:
    gold, predicted = ([*side, ["S-PER"]] for side in sides)  # both sides are seen to be BIOES
    strict = of(gold, predicted, Scheme.BIOES).strict
    assert strict is not None
    assert strict.micro.f1 == pytest.approx(f1_score(gold, predicted, mode="strict", scheme=IOBES, zero_division=0))


@given(two_sides(tags_of("BI")))
@settings(deadline=None, max_examples=60)
def test_every_count_of_entities_adds_up(sides: tuple[Side, Side]) -> None:
    gold, predicted = sides
    train = [Sentence(["w0", "w1", "w2"], ["B-PER", "O", "B-LOC"])]
    known = TrainingKnowledge(training_words(train), False, training_mentions(train), "train")
    report = of(gold, predicted, training=known)
    found = as_json(report)
    there = [sum(len(spans_from_tags(tags)) for tags in side) for side in sides]
    total = found["errors"]["all"]
    beside = sum(total[kind] for kind in KINDS)
    assert total["gold"] == there[0] == beside + total["missing"]
    assert total["predicted"] == there[1] == beside + total["spurious"]
    for counts in (*found["errors"]["types"].values(),):
        assert counts["gold"] == sum(counts[kind] for kind in KINDS) + counts["missing"]
    for key in total:
        assert total[key] == sum(counts[key] for counts in found["errors"]["types"].values())
    confused = Counter[tuple[str | None, str | None]]()
    for one in found["errors"]["confusions"]:
        confused[one["gold"], one["predicted"]] += one["count"]
    for label, counts in found["errors"]["types"].items():
        assert counts["gold"] == sum(count for (one, _), count in confused.items() if one == label)
        assert counts["predicted"] == sum(count for (_, other), count in confused.items() if other == label)
    whole = found["entities"]["micro"]
    assert [whole[key] for key in ("support", "predicted", "correct")] == [*there, total["correct"]]
    parts = [found["entities"]["types"], *found["lengths"].values(), found["seen"]["mentions"], found["seen"]["words"]]
    for part in parts:
        for key in ("support", "predicted", "correct"):
            assert sum(one[key] for one in part.values()) == whole[key]
    tokens = found["seen"]["tokens"].values()
    assert sum(one["count"] for one in tokens) == found["tokens"]["count"]
    if found["tokens"]["count"]:
        share = sum(one["correct"] for one in tokens) / found["tokens"]["count"]
        assert found["tokens"]["accuracy"] == pytest.approx(share)
    partial = total["correct"] + total["wrong_type"] + (total["wrong_boundary"] + total["wrong_both"]) / 2
    assert found["partial"]["micro"]["correct"] == partial
    assert found["type_only"]["micro"]["correct"] == total["correct"] + total["wrong_boundary"]
    assert found["boundary_only"]["micro"]["correct"] == total["correct"] + total["wrong_type"]
    assert found["sentences"]["right"] == sum(
        spans_from_tags(one) == spans_from_tags(other) for one, other in zip(gold, predicted, strict=True)
    )
    SCHEMA.validate(found)


@given(two_sides(["NOUN", "VERB", "X", "O"], shortest=1))
@settings(deadline=None, max_examples=40)
def test_every_count_of_plain_tags_adds_up(sides: tuple[Side, Side]) -> None:
    found = as_json(of(*sides, scheme=Scheme.PLAIN))
    pairs = Counter(pair for one, other in zip(*sides, strict=True) for pair in zip(one, other, strict=True))
    assert {(one["gold"], one["predicted"]): one["count"] for one in found["errors"]["confusions"]} == pairs
    total = found["errors"]["all"]
    assert total["gold"] == total["predicted"] == pairs.total() == total["correct"] + total["wrong_type"]
    assert found["headline"]["value"] == pytest.approx(total["correct"] / pairs.total())
    assert sum(one["support"] for one in found["lengths"]["sentences"].values()) == pairs.total()
    SCHEMA.validate(found)


@given(two_sides(tags_of("BI", ("X", "Y")), shortest=1))
@settings(deadline=None, max_examples=40)
def test_surface_f1_counts_distinct_forms(sides: tuple[Side, Side]) -> None:
    found = assessed(*sides)
    surface = found.report.surface
    assert surface is not None
    forms: list[set[tuple[str, str]]] = [set(), set(), set()]
    for sentence, tags in zip(found.sentences, found.predicted, strict=True):
        gold, predicted = set(spans_from_tags(sentence.tags or [])), set(spans_from_tags(tags))
        for side, spans in zip(forms, (gold & predicted, predicted, gold), strict=True):
            side.update((" ".join(sentence.tokens[span.start : span.end]), span.label) for span in spans)
    assert (surface.correct, surface.predicted, surface.support) == tuple(map(len, forms))


def test_intervals_hold_their_score_and_narrow_as_sentences_repeat() -> None:
    gold, predicted = [["B-X", "O"], ["B-X", "B-Y"], ["O", "B-Y"]], [["B-X", "O"], ["O", "B-Y"], ["B-X", "O"]]
    few, many = (of(gold * times, predicted * times).headline for times in (10, 200))
    assert few.value == pytest.approx(many.value)
    for one in (few, many):
        assert one.interval.low < one.value < one.interval.high
    assert many.interval.high - many.interval.low < (few.interval.high - few.interval.low) / 3


@pytest.mark.parametrize(("documents", "unit", "units"), [(3, "sentences", 40), (20, "documents", 20)])
def test_documents_are_drawn_whole_where_enough_are_marked(documents: int, unit: str, units: int) -> None:
    sentences = [Sentence(["a"], ["B-X"], document=str(number % documents)) for number in range(40)]
    draw = assess(sentences, [["B-X"]] * 40, Scheme.IOB2, {}).report.bootstrap
    assert (draw.unit, draw.units) == (unit, units)


@pytest.mark.parametrize(
    ("gold", "predicted"),
    [
        ([["O", "O"]], [["O", "O"]]),
        ([["O", "O"]], [["B-X", "O"]]),
        ([["B-X", "O"]], [["O", "O"]]),
        ([["B-X"]], [["B-Y"]]),
        ([["B-X"], []], [["B-X"], []]),
        ([["B-<script>"]], [["I-\x00\x1b"]]),
    ],
    ids=["nothing", "gold empty", "nothing predicted", "labels on one side only", "an empty sentence", "markup"],
)
def test_what_is_odd_gives_a_correct_report(gold: Side, predicted: Side) -> None:
    SCHEMA.validate(as_json(of(gold, predicted)))


def test_illegal_sequences_are_counted_as_read() -> None:
    illegal = of([["B-X", "I-X"], ["I-X", "O"]], [["B-X", "I-Y"], ["O", "I-X"]]).illegal
    assert illegal is not None
    assert (illegal["gold"].sentences, illegal["predicted"].sentences, illegal["predicted"].places) == (1, 2, 2)


def test_a_schema_without_a_key_of_the_report_would_be_noticed(tmp_path: Path) -> None:
    found = as_json(of([["B-X"]], [["B-X"]]))
    assert not SCHEMA.is_valid({**found, "new": 1})
    assert not SCHEMA.is_valid({key: value for key, value in found.items() if key != "surface"})
