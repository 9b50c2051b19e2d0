"""Tag schemes: detection, tags to spans and back, legality; spans against seqeval."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from seqeval.metrics.sequence_labeling import get_entities

from tagger.corpus.schemes import (
    Scheme,
    bare_note,
    convert_tags,
    count_illegal,
    detect_scheme,
    has_prefix,
    may_follow,
    prefixed,
    spans_from_tags,
    split_tag,
    tags_from_spans,
)
from tagger.corpus.sentence import Span
from tagger.errors import UserError

LABELS = ["PER", "LOC", "creative-work"]
TAGS = ["O", *(f"{prefix}-{label}" for prefix in "BIES" for label in LABELS)]
SPAN_SCHEMES = [Scheme.IOB2, Scheme.BIOES]


@st.composite
def span_lists(draw: st.DrawFn) -> tuple[list[Span], int]:
    """Spans that do not overlap, and a length that holds them."""
    spans, position = [], 0
    for gap, width, label in draw(
        st.lists(st.tuples(st.integers(0, 2), st.integers(1, 3), st.sampled_from(LABELS)), max_size=6)
    ):
        spans.append(Span(position + gap, position + gap + width, label))
        position += gap + width
    return spans, position + draw(st.integers(0, 2))


@given(st.lists(st.sampled_from(TAGS)))
def test_spans_are_those_of_seqeval_whatever_the_tags(tags: list[str]) -> None:
    found = [(label, start, end - 1) for start, end, label in spans_from_tags(tags)]
    assert found == get_entities(list(tags))


@given(st.lists(st.sampled_from("BIESO")))
def test_spans_of_bare_tags_are_those_of_seqeval(tags: list[str]) -> None:
    assert [(label, start, end - 1) for start, end, label in spans_from_tags(tags)] == get_entities(list(tags))


@given(span_lists(), st.sampled_from(SPAN_SCHEMES))
def test_spans_to_tags_to_spans_round_trips_legally(spans_and_length: tuple[list[Span], int], scheme: Scheme) -> None:
    spans, length = spans_and_length
    tags = tags_from_spans(spans, length, scheme)
    assert spans_from_tags(tags) == spans
    assert count_illegal(tags, scheme) == 0


@given(st.lists(st.sampled_from(TAGS)), st.sampled_from(SPAN_SCHEMES))
def test_conversion_keeps_spans_and_mends_illegal_tags(tags: list[str], scheme: Scheme) -> None:
    converted = convert_tags(tags, scheme)
    assert spans_from_tags(converted) == spans_from_tags(tags)
    assert count_illegal(converted, scheme) == 0
    assert convert_tags(converted, scheme) == converted


@pytest.mark.parametrize(
    ("tags", "spans"),
    [
        ("I-A I-A O I-A", [(0, 2, "A"), (3, 4, "A")]),
        ("I-A B-A I-B", [(0, 1, "A"), (1, 2, "A"), (2, 3, "B")]),
        ("B-A L-A U-A U-A", [(0, 2, "A"), (2, 3, "A"), (3, 4, "A")]),
        ("E-A I-A S-A", [(0, 1, "A"), (1, 2, "A"), (2, 3, "A")]),
        ("B I O", [(0, 2, "_")]),
        ("B I E S O E S", [(0, 3, "_"), (3, 4, "_"), (5, 6, "_"), (6, 7, "_")]),
        ("B L U U O", [(0, 2, "_"), (2, 3, "_"), (3, 4, "_")]),
    ],
)
def test_spans_of_each_scheme(tags: str, spans: list[tuple[int, int, str]]) -> None:
    assert spans_from_tags(tags.split()) == spans


@pytest.mark.parametrize(
    ("tags", "scheme"),
    [
        (["B-A I-A O B-A"], Scheme.IOB2),
        (["I-A I-A O"], Scheme.IO),
        (["I-A B-A O I-A"], Scheme.IOB1),
        (["I-A O", "B-A I-A"], Scheme.IOB2),
        (["B-A E-A S-B O"], Scheme.BIOES),
        (["B-A L-A U-B O"], Scheme.BILOU),
        (["NOUN VERB O"], Scheme.PLAIN),
        (["person O O O"], Scheme.IO),
        (["person O"], Scheme.PLAIN),
        (["NOUN VERB ADJ O O"], Scheme.PLAIN),
        (["NOUN VERB ADJ", "O", "O O"], Scheme.PLAIN),
        (["B I"], Scheme.PLAIN),
        (["I-A B-B"], Scheme.IOB2),
        (["O O"], Scheme.IOB2),
        ([], Scheme.IOB2),
        (["B I O"], Scheme.IOB2),
        (["B E O", "S O"], Scheme.BIOES),
        (["B I I E O"], Scheme.BIOES),
        (["S O O"], Scheme.BIOES),
        (["B I L O U"], Scheme.BILOU),
        (["B I E S"], Scheme.PLAIN),
        (["B E O O O PER O"], Scheme.IO),
    ],
)
def test_detection(tags: list[str], scheme: Scheme) -> None:
    assert detect_scheme([line.split() for line in tags]) is scheme


@pytest.mark.parametrize("tags", ["NOUN B-A", "B-A E-A L-B", "B O B-A", "B E O B L"])
def test_mixed_schemes_are_told_with_their_source(tags: str) -> None:
    with pytest.raises(UserError, match=r"train\.conll: tags of mixed schemes"):
        detect_scheme([tags.split()], "train.conll")


@pytest.mark.parametrize(
    ("tags", "problem"),
    [
        (["O B-A", "O", "B-A NN"], "'NN' .* (in the sentence at x:3), .* B- (in the sentence at x:1);"),
        (["O B-A", "S-A", "O L-A"], "S- (in the sentence at x:2), and L- (in the sentence at x:3);"),
        (["B-A I-A", "NN"], "'NN' .* (in the sentence at x:2), .* B-, I- (in the sentence at x:1);"),
        (["O O", "b-per O"], "'b-per' (in the sentence at x:2), where O and prefixes, as in 'B-PER', are capitals;"),
    ],
)
def test_what_is_of_no_one_scheme_is_told_with_its_place(tags: list[str], problem: str) -> None:
    with pytest.raises(UserError, match=problem.replace("(", r"\(").replace(")", r"\)")):
        detect_scheme([line.split() for line in tags], "x", ["x:1", "x:2", "x:3"])


def test_mixed_schemes_of_no_named_source_are_those_of_the_data() -> None:
    with pytest.raises(UserError, match=r"^data: tags of mixed schemes") as error:
        detect_scheme([["NOUN", "B-A"]])
    assert "in the sentence at" not in str(error.value)


def test_mixed_bare_tags_are_told_without_hyphens() -> None:
    with pytest.raises(
        UserError, match=r"prefixes: E, S \(in the sentence at x:1\), and U \(in the sentence at x:2\);"
    ):
        detect_scheme([["B", "E", "S", "O"], ["U", "O"]], "x", ["x:1", "x:2"])


@pytest.mark.parametrize("tags", ["S L NN", "S L NN O", "S L"])
def test_letters_of_two_schemes_are_plain_tags_beside_others_or_without_o(tags: str) -> None:
    assert detect_scheme([tags.split()]) is Scheme.PLAIN


@pytest.mark.parametrize(
    ("tag", "scheme", "expected"),
    [
        ("PER", Scheme.IO, "I-PER"),
        ("B", Scheme.IO, "I-B"),  # a label
        ("B-PER", Scheme.IO, "B-PER"),
        ("O", Scheme.IO, "O"),
        ("B", Scheme.IOB2, "B-_"),
        ("U", Scheme.BILOU, "U-_"),
        ("PER", Scheme.IOB2, "PER"),
        ("E-PER", Scheme.BIOES, "E-PER"),
        ("O", Scheme.BIOES, "O"),
        ("B", Scheme.PLAIN, "B"),
        ("NN", Scheme.PLAIN, "NN"),
        ("B-PER", Scheme.PLAIN, "B-PER"),
    ],
)
def test_a_tag_is_written_with_prefix_and_label(tag: str, scheme: Scheme, expected: str) -> None:
    assert prefixed(tag, scheme) == expected


def test_a_note_lists_the_bare_tags_in_order() -> None:
    assert bare_note({"I", "B", "E"}, "x") == "x: bare tags B, E, I read as spans of one type without a name (_)"


@pytest.mark.parametrize("tags", ["b-per i-per o", "b-per O O O O", "i-per o o o", "B-PER I-PER o", "b-per B-LOC"])
def test_small_letters_are_not_taken_for_plain_tags(tags: str) -> None:
    with pytest.raises(UserError, match=r"train\.conll: tags in small letters: .*set data\.scheme=plain"):
        detect_scheme([tags.split()], "train.conll")


@pytest.mark.parametrize("tags", ["o v n", "b-per verb", "b i o", "-b b-"])
def test_other_tags_in_small_letters_are_plain(tags: str) -> None:
    assert detect_scheme([tags.split()]) is Scheme.PLAIN


def test_plain_tags_are_not_converted() -> None:
    assert convert_tags(["NOUN", "O", "X"], Scheme.PLAIN) == ["NOUN", "O", "X"]


@pytest.mark.parametrize(
    ("tag", "parts", "prefixed"),
    [
        ("B-PER", ("B", "PER"), True),
        ("I-a-b", ("I", "a-b"), True),
        ("O", ("O", ""), False),
        ("B", ("B", "_"), False),
        ("B-", ("B", "_"), False),
        ("LOC", ("I", "LOC"), False),
        ("X-A", ("I", "X-A"), False),
    ],
)
def test_a_tag_splits_into_prefix_and_label(tag: str, parts: tuple[str, str], prefixed: bool) -> None:
    assert split_tag(tag) == parts
    assert has_prefix(tag) is prefixed


@pytest.mark.parametrize(
    ("scheme", "before", "after", "legal"),
    [
        (Scheme.IOB2, None, "I-A", False),
        (Scheme.IOB2, "B-A", "I-A", True),
        (Scheme.IOB2, "B-A", "I-B", False),
        (Scheme.IOB2, "I-A", None, True),
        (Scheme.BIOES, "B-A", "O", False),
        (Scheme.BIOES, "B-A", None, False),
        (Scheme.BIOES, "B-A", "B-A", False),
        (Scheme.BIOES, "B-A", "E-B", False),
        (Scheme.BIOES, "I-A", "E-A", True),
        (Scheme.BIOES, "S-A", "E-A", False),
        (Scheme.PLAIN, "NOUN", None, True),
    ],
)
def test_what_may_follow_what(scheme: Scheme, before: str | None, after: str | None, legal: bool) -> None:
    assert may_follow(scheme, before, after) is legal
