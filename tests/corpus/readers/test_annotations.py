"""Labelled stretches of text made into tags over tokens."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagger.corpus.entities import entities
from tagger.corpus.readers.account import MalformedError
from tagger.corpus.readers.annotations import Annotation, Overlap, tag_text, without_overlap
from tagger.corpus.sentence import Sentence, Span
from tagger.corpus.tokenizers import get_tokenizer, whitespace


def tagged(text: str, *annotations: tuple[int, int, str], tokenizer: str = "whitespace") -> list[Sentence]:
    spans = [Annotation(*annotation) for annotation in annotations]
    return [read.sentence for read in tag_text(text, spans, get_tokenizer(tokenizer), place="p", document="d")]


def test_annotations_in_any_order_become_iob2_tags() -> None:
    (sentence,) = tagged("Bo in New York now", (6, 14, "LOC"), (0, 2, "PER"))
    assert sentence.tags == ["B-PER", "O", "B-LOC", "I-LOC", "O"]
    assert (sentence.place, sentence.document) == ("p", "d")


def test_each_sentence_gets_its_own_annotations() -> None:
    first, second = tagged("Bo sat.\nAl ran.", (0, 2, "PER"), (8, 10, "PER"))
    assert first.tags == second.tags == ["B-PER", "O"]


def test_sentences_are_joined_where_an_annotation_reaches_across() -> None:
    first, second = tagged("by U.S.\nSteel Corp.\nNew line", (3, 19, "ORG"))
    assert first.tags == ["O", "B-ORG", "I-ORG", "I-ORG"]
    assert second.tokens == ["New", "line"]


@pytest.mark.parametrize(
    ("annotation", "tags"),
    [((4, 7, "X"), ["O", "B-X", "O"]), ((2, 7, "X"), ["B-X", "I-X", "O"]), ((3, 8, "X"), ["O", "B-X", "O"])],
)
def test_an_annotation_is_fitted_to_whole_tokens_as_a_repair(annotation: tuple[int, int, str], tags: list[str]) -> None:
    (read,) = tag_text("one three, go", [Annotation(*annotation)], whitespace, place="p", document=None)
    assert read.sentence.tags == tags
    assert len(read.repairs) == 1
    assert "fitted to the tokens it touches" in read.repairs[0]


@pytest.mark.parametrize(
    ("annotations", "problem"),
    [
        ([(0, 3, "X"), (2, 5, "Y")], "'X' at 0-3 and 'Y' at 2-5 overlap"),
        ([(0, 3, "X"), (0, 3, "X")], "overlap"),
        ([(0, 2, "X"), (2, 3, "Y")], "'X' and 'Y' share token 'one'"),
        ([(0, 99, "X")], "at 0-99: expected 0 <= start < end <= 8"),
        ([(-1, 2, "X")], "expected 0 <= start"),
        ([(2, 2, "X")], "expected 0 <= start"),
        ([(3, 5, "X")], "covers no token"),
    ],
)
def test_impossible_annotations_are_malformed(annotations: list[tuple[int, int, str]], problem: str) -> None:
    with pytest.raises(MalformedError, match=problem):
        tagged("one  two", *annotations)


def test_without_annotations_there_are_no_tags() -> None:
    (read,) = tag_text("one two", None, whitespace, place="p", document=None)
    assert read.sentence.tags is None


@st.composite
def annotated_texts(draw: st.DrawFn) -> tuple[str, list[Annotation]]:
    """Words with blanks and line ends between them, and annotations of whole words that do not overlap."""
    words = draw(st.lists(st.sampled_from(["Bo", "it's", "U.S.", "a-b", "중국", "😀"]), min_size=1, max_size=8))
    gaps = draw(st.lists(st.sampled_from([" ", "  ", "\n"]), min_size=len(words), max_size=len(words)))
    starts, text = [], ""
    for word, gap in zip(words, gaps, strict=True):
        starts.append(len(text))
        text += word + gap
    bounds = sorted(draw(st.sets(st.integers(0, len(words)), max_size=4)))
    spans = [
        Annotation(starts[first], starts[behind - 1] + len(words[behind - 1]), draw(st.sampled_from(["A", "B"])))
        for first, behind in pairwise(bounds)
    ]
    return text, spans


@pytest.mark.parametrize("tokenizer", ["syntok", "whitespace", "characters"])
@given(text_and_spans=annotated_texts())
def test_the_entities_of_the_tags_are_the_annotations(
    tokenizer: str, text_and_spans: tuple[str, list[Annotation]]
) -> None:
    text, spans = text_and_spans
    found = [entity[:3] for sentence in tagged(text, *spans, tokenizer=tokenizer) for entity in entities(sentence)]
    assert found == [tuple(span) for span in spans]


NESTED = [(0, 3, "A"), (1, 2, "B"), (2, 5, "C"), (4, 5, "D"), (7, 8, "E"), (7, 8, "F")]


@pytest.mark.parametrize(
    ("overlap", "kept"),
    [("longest", "ADE"), ("first", "ADE"), ("outermost", "AE"), ("innermost", "BDE")],
)
def test_of_spans_that_overlap_the_asked_for_are_kept(overlap: Overlap, kept: str) -> None:
    spans = [Span(*span) for span in NESTED]
    assert "".join(spans[number].label for number in without_overlap(spans, overlap)) == kept


@pytest.mark.parametrize("overlap", ["longest", "first", "outermost", "innermost"])
@given(st.lists(st.tuples(st.integers(0, 8), st.integers(1, 4)).map(lambda one: Span(one[0], sum(one), "X"))))
def test_what_is_kept_is_disjoint_and_nothing_could_be_added(overlap: Overlap, spans: list[Span]) -> None:
    kept = [spans[number] for number in without_overlap(spans, overlap)]
    assert all(before.end <= after.start for before, after in pairwise(kept))

    def beside(span: Span) -> bool:
        return all(span.end <= one.start or one.end <= span.start for one in kept)

    def inside(inner: Span, outer: Span) -> bool:
        return inner[:2] != outer[:2] and outer.start <= inner.start and inner.end <= outer.end

    for span in spans:
        if overlap == "outermost":
            assert not beside(span) or any(inside(span, other) for other in spans)
        elif overlap == "innermost":
            assert not beside(span) or any(inside(other, span) for other in spans)
        else:
            assert not beside(span)


def test_spans_left_out_are_counted_with_their_sentence() -> None:
    spans = [Annotation(0, 6, "X"), Annotation(0, 2, "Y"), Annotation(3, 6, "Z")]
    first, second = tag_text("Bo met\nAl", spans, whitespace, place="p", document=None, overlap="longest")
    assert (first.sentence.tags, first.overlapping, second.overlapping) == (["B-X", "I-X"], 2, 0)
