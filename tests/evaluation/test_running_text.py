"""Test that entities are compared by characters and tokens do not matter."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tagger.corpus.entities import entities
from tagger.corpus.schemes import Scheme, convert_tags
from tagger.corpus.sentence import Entity, Sentence
from tagger.errors import UserError
from tagger.evaluation.assessment import Background, assess_texts
from tagger.evaluation.page.report_html import report_html
from tagger.evaluation.running_text import raw_texts, score_raw
from tagger.evaluation.scores import score

TEXT = "Ann Lee left New York. Bob stayed."


def sentence(text: str, tags: str, start: int = 0, pattern: str = r"\w+|\S") -> Sentence:
    """Build a sentence of the tokens of `text` from `start` on, one per tag."""
    found = list(re.compile(pattern).finditer(text, start))[: len(tags.split())]
    return Sentence([match[0] for match in found], tags.split(), text, [match.span() for match in found])


GOLD = [sentence(TEXT, "B-PER I-PER O B-LOC I-LOC O"), sentence(TEXT, "B-PER O O", start=23)]


def test_entities_are_stretches_of_the_text() -> None:
    assert entities(GOLD[0]) == [Entity(0, 7, "PER", "Ann Lee"), Entity(13, 21, "LOC", "New York")]
    assert entities(GOLD[1]) == [Entity(23, 26, "PER", "Bob")]
    assert entities(Sentence(["New", "York"], ["B-LOC", "I-LOC"])) == [Entity(0, 8, "LOC", "New York")]
    assert entities(Sentence(["no", "tags"])) == []


def test_sentences_are_grouped_by_their_texts() -> None:
    twice = [sentence("Thanks !", "O O"), sentence("Thanks !", "O O")]
    texts = raw_texts([*GOLD, *twice])
    assert [(text.text, len(text.sentences)) for text in texts] == [(TEXT, 2), ("Thanks !", 1), ("Thanks !", 1)]


def test_another_tokenisation_is_scored_by_characters_by_hand() -> None:
    predicted = sentence(TEXT, "B-PER I-PER O B-LOC I-LOC B-LOC O", pattern=r"\S+")  # "York." and "Bob"
    result = score_raw(raw_texts(GOLD), [[predicted]], Scheme.IOB2)
    assert (result.scores.types["PER"].precision, result.scores.types["PER"].recall) == (1, 1 / 2)
    assert (result.scores.types["LOC"].precision, result.scores.types["LOC"].recall) == (0, 0)
    assert result.scores.micro.support == 3
    assert (result.scores.accuracy, result.scores.sentences, result.scores.tokens) == (None, 2, 9)
    assert result.predicted == [["B-PER", "I-PER", "O", "B-LOC", "I-LOC", "I-LOC"], ["B-LOC", "O", "O"]]
    assert result.warnings == []


def test_an_entity_that_ends_inside_a_gold_token_is_wrong_and_shown_on_the_token() -> None:
    predicted = Sentence(["Ann L", "ee"], ["B-PER", "O"], TEXT, [(0, 5), (5, 7)])
    result = score_raw(raw_texts(GOLD), [[predicted]], Scheme.IOB2)
    assert result.scores.micro.f1 == 0
    assert result.predicted[0] == ["B-PER", "I-PER", "O", "O", "O", "O"]
    assert [warning.split(";")[0] for warning in result.warnings] == [
        "predicted entities that do not begin and end with gold tokens: 1"
    ]


@st.composite
def tagged_texts(draw: st.DrawFn) -> list[tuple[Sentence, list[str]]]:
    tags = st.sampled_from(["O", "B-PER", "I-PER", "B-LOC", "I-LOC"])
    pairs = []
    for length in draw(st.lists(st.integers(1, 6), min_size=1, max_size=4)):
        text = "".join(
            draw(st.sampled_from(["ab", "c", "def"])) + draw(st.sampled_from([" ", "  "])) for _ in range(length)
        )
        gold, predicted = (draw(st.lists(tags, min_size=length, max_size=length)) for _ in range(2))
        pairs.append((sentence(text, " ".join(gold)), predicted))
    return pairs


@given(tagged_texts())
@settings(deadline=None)
def test_with_the_gold_tokens_characters_score_as_tokens(pairs: list[tuple[Sentence, list[str]]]) -> None:
    gold = [one for one, _ in pairs]
    predicted = [[Sentence(one.tokens, tags, one.text, one.offsets)] for one, tags in pairs]
    result = score_raw(raw_texts(gold), predicted, Scheme.IOB2)
    expected = score([one.tags or [] for one in gold], [tags for _, tags in pairs], Scheme.IOB2)
    assert result.scores.micro.f1 == pytest.approx(expected.micro.f1)
    assert result.scores.macro.f1 == pytest.approx(expected.macro.f1)
    assert result.predicted == [convert_tags(tags, Scheme.IOB2) for _, tags in pairs]
    assert result.warnings == []


@given(tagged_texts())
def test_the_right_entities_on_single_characters_score_one(pairs: list[tuple[Sentence, list[str]]]) -> None:
    gold = [one for one, _ in pairs]
    predicted = []
    for one in gold:
        assert one.text is not None
        tags = ["O"] * len(one.text)
        for start, end, label, *_ in entities(one):
            tags[start:end] = [f"B-{label}"] + [f"I-{label}"] * (end - start - 1)
        predicted.append([Sentence(list(one.text), tags, one.text, [(i, i + 1) for i in range(len(tags))])])
    result = score_raw(raw_texts(gold), predicted, Scheme.IOB2)
    assert result.scores.micro.f1 == (1.0 if any(entities(one) for one in gold) else 0.0)
    assert result.predicted == [convert_tags(one.tags or [], Scheme.IOB2) for one in gold]


def test_entities_outside_all_gold_sentences_are_left_out_and_counted() -> None:
    everything = sentence(TEXT, "B-PER I-PER O O O O B-PER O O")
    result = score_raw(raw_texts(GOLD[:1]), [[everything]], Scheme.IOB2)
    assert (result.scores.micro.precision, result.scores.micro.recall) == (1, 1 / 2)
    assert result.warnings == ["predicted entities outside all gold sentences: 1; they are not scored"]


def test_an_entity_across_two_gold_sentences_is_shown_in_both_and_counted_once() -> None:
    tags = "O O O O O B-X I-X O O"
    result = score_raw(raw_texts(GOLD), [[sentence(TEXT, tags)]], Scheme.IOB2)
    assert result.scores.types["X"].support == 0
    assert result.scores.micro.precision == 0
    assert [line[-1] for line in result.predicted] == ["B-X", "O"]
    assert result.predicted[1][0] == "B-X"


def test_what_cannot_be_scored_by_characters_is_refused() -> None:
    with pytest.raises(UserError, match=r"a\.conll:3: no running text"):
        raw_texts([Sentence(["a"], ["O"], place="a.conll:3")])
    with pytest.raises(UserError, match="no gold tags"):
        raw_texts([Sentence(["a"], None, "a", [(0, 1)])])
    with pytest.raises(UserError, match="plain"):
        score_raw([], [], Scheme.PLAIN)
    with pytest.raises(ValueError, match="not of the text"):
        score_raw(raw_texts(GOLD), [[sentence("another", "O")]], Scheme.IOB2)


def test_running_texts_have_a_whole_report() -> None:
    predicted = sentence(TEXT, "B-PER I-PER O B-LOC I-LOC B-LOC O", pattern=r"\S+")  # "York." and "Bob"
    texts = raw_texts(GOLD)
    raw = score_raw(texts, [[predicted]], Scheme.IOB2)
    found = assess_texts(raw.compared, raw.scores, GOLD, raw.predicted, {}, Background())
    report = found.report
    assert report.entities is not None
    assert report.entities.micro.f1 == pytest.approx(raw.scores.micro.f1)
    total = report.errors.all
    assert (total.gold, total.predicted, total.correct, total.wrong_boundary, total.wrong_type) == (3, 3, 1, 1, 1)
    assert (report.bootstrap.unit, report.sentences.count, report.sentences.compared) == ("texts", 2, 1)
    assert (report.tokens.accuracy, report.illegal) == (None, None)
    assert "texts right" in report_html(found)
