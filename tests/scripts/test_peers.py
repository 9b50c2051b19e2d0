"""The parts of the peers' own scripts that turn data into what the peers take, and back."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagger.corpus.schemes import Scheme, spans_from_tags, tags_from_spans
from tagger.corpus.sentence import Span
from tagger.evaluation.scores import score
from tests.helpers.scripts import load_script

pytestmark = pytest.mark.extended

IOB2_TAGS = st.lists(st.sampled_from(["O", "B-A", "I-A", "B-B", "I-B"]), min_size=1, max_size=8)


def legal(tags: list[str]) -> list[str]:
    return tags_from_spans(spans_from_tags(tags), len(tags), Scheme.IOB2)


@pytest.fixture(scope="module")
def spacy_peer() -> ModuleType:
    pytest.importorskip("spacy")
    return load_script("peers/spacy_peer.py")


@pytest.fixture(scope="module")
def crfsuite_peer() -> Iterator[ModuleType]:
    """The script, whose package is only in the peers' environment: nothing here trains."""
    with pytest.MonkeyPatch.context() as patch:
        stub = ModuleType("pycrfsuite")
        stub.Trainer = object  # type: ignore[attr-defined]
        patch.setitem(sys.modules, "pycrfsuite", stub)
        yield load_script("peers/crfsuite_peer.py")


@given(tags=IOB2_TAGS)
def test_entities_go_through_spacys_documents_unchanged(spacy_peer: ModuleType, tags: list[str]) -> None:
    doc = spacy_peer.labelled_doc(spacy_peer.Vocab(), ["w"] * len(tags), legal(tags), "entities")
    assert [Span(span.start, span.end, span.label_) for span in doc.ents] == spans_from_tags(tags)
    assert spacy_peer.tags_of(doc, "entities") == legal(tags)


def test_plain_tags_go_through_spacys_documents_unchanged(spacy_peer: ModuleType) -> None:
    doc = spacy_peer.labelled_doc(spacy_peer.Vocab(), ["a", "b"], ["NOUN", "O"], "tags")
    assert spacy_peer.tags_of(doc, "tags") == ["NOUN", "O"]


@pytest.mark.parametrize("tokens", [["", "a"], [" ", "a"], ["a b", "c"], ["\u00a0", "x"], ["don't", "U.S."]])
def test_spacy_keeps_as_many_tokens_whatever_they_hold(spacy_peer: ModuleType, tokens: list[str]) -> None:
    doc = spacy_peer.labelled_doc(spacy_peer.Vocab(), tokens, ["B-A", "I-A"], "entities")
    assert len(doc) == len(tokens)
    assert doc.has_unknown_spaces  # or training would tokenise the text anew
    assert all(token.text.strip() for token in doc)
    assert spacy_peer.tags_of(doc, "entities") == ["B-A", "I-A"]


@pytest.mark.parametrize(("code", "expected"), [("en", "en"), ("zh", "zh"), ("ug", "xx"), ("xx", "xx")])
def test_a_language_spacy_has_not_becomes_its_language_for_all(
    spacy_peer: ModuleType, code: str, expected: str
) -> None:
    assert spacy_peer.known_language(code) == expected


@given(pairs=st.lists(st.tuples(IOB2_TAGS, IOB2_TAGS), min_size=1, max_size=4))
def test_crfsuites_settings_are_chosen_by_what_the_scorer_gives(
    crfsuite_peer: ModuleType, pairs: list[tuple[list[str], list[str]]]
) -> None:
    cut = [(legal(one[: len(other)]), other[: len(one)]) for one, other in pairs]
    gold, predicted = [one for one, _ in cut], [other for _, other in cut]
    expected = score(gold, predicted, Scheme.IOB2).micro.f1
    assert crfsuite_peer.right(gold, predicted, "entities") == pytest.approx(expected)


def test_accuracy_chooses_for_plain_tags(crfsuite_peer: ModuleType) -> None:
    assert crfsuite_peer.right([["A", "B"], ["A"]], [["A", "A"], ["A"]], "tags") == pytest.approx(2 / 3)


@pytest.mark.parametrize(
    ("word", "expected"), [("McDonald's", "XxXxxxxx'x"), ("B-52", "X-00"), ("北京", "aa"), ("", "")]
)
def test_shapes_of_words(crfsuite_peer: ModuleType, word: str, expected: str) -> None:
    assert crfsuite_peer.shape(word) == expected


def test_the_template_looks_two_words_to_either_side(crfsuite_peer: ModuleType) -> None:
    rows = crfsuite_peer.features(["We", "met", "Ada", "in", "Oslo", "."])
    ada = set(rows[2])
    assert {"word=Ada", "lower=ada", "prefix=ad", "suffix=da", "title", "shape=Xxx", "short=Xx"} <= ada
    assert {"-2:lower=we", "-1:lower=met", "1:lower=in", "2:lower=oslo", "pair=met|ada", "pair+=ada|in"} <= ada
    assert not any(feature.startswith("3:") for feature in ada)
    assert {"-1:outside", "-2:outside"} <= set(rows[0])
    assert {"1:outside", "2:outside"} <= set(rows[-1])


@pytest.mark.parametrize("tokens", [[], [""], ["a"]])
def test_the_template_takes_sentences_of_any_length(crfsuite_peer: ModuleType, tokens: list[str]) -> None:
    assert len(crfsuite_peer.features(tokens)) == len(tokens)
