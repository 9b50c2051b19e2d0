"""Compare strict reading with seqeval's strict mode, and count places that break a scheme."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from seqeval.scheme import BILOU, IOB1, IOB2, IOBES, Entities

from tagger.corpus.schemes import Scheme, count_illegal
from tagger.corpus.sentence import Span
from tagger.evaluation.scores import readable_tags
from tagger.evaluation.strict import illegal_places, strict_spans
from tests.helpers.two_sides import tags_of

SEQEVAL = {Scheme.IOB1: IOB1, Scheme.IOB2: IOB2, Scheme.BIOES: IOBES, Scheme.BILOU: BILOU}
LETTERS = {Scheme.IOB1: "BI", Scheme.IOB2: "BI", Scheme.BIOES: "BIES", Scheme.BILOU: "BILU"}


@pytest.mark.parametrize("scheme", SEQEVAL)
@given(data=st.data())
def test_strict_spans_are_those_of_seqeval_for_legal_and_illegal_tags(scheme: Scheme, data: st.DataObject) -> None:
    tags = data.draw(st.lists(st.sampled_from(tags_of(LETTERS[scheme])), max_size=10))
    (expected,) = Entities([tags], SEQEVAL[scheme]).entities
    found = strict_spans(readable_tags(tags, scheme), scheme)
    assert found == [Span(one.start, one.end, one.tag) for one in expected]


@pytest.mark.parametrize(
    ("scheme", "tags", "places"),
    [
        (Scheme.IOB2, "B-X I-X O", 0),
        (Scheme.IOB2, "I-X I-X B-X I-Y", 2),
        (Scheme.IOB2, "I-X I-X I-X", 1),
        (Scheme.BIOES, "B-X E-X S-Y", 0),
        (Scheme.BIOES, "B-X O", 1),
        (Scheme.BIOES, "B-X", 1),
        (Scheme.BILOU, "B-X L-X U-Y", 0),
        (Scheme.BILOU, "B-X I-Y L-X", 2),
        (Scheme.IOB1, "I-X I-Y B-Y", 0),
        (Scheme.IOB1, "B-X I-X O B-X", 2),
        (Scheme.IO, "X X O", 0),
        (Scheme.PLAIN, "NOUN B-X", 0),
    ],
)
def test_places_that_break_the_scheme_are_counted(scheme: Scheme, tags: str, places: int) -> None:
    assert illegal_places(readable_tags(tags.split(), scheme), scheme) == places


@pytest.mark.parametrize("scheme", [Scheme.IOB2, Scheme.BIOES])
@given(data=st.data())
def test_illegal_places_are_those_that_decoding_forbids(scheme: Scheme, data: st.DataObject) -> None:
    tags = data.draw(st.lists(st.sampled_from(tags_of(LETTERS[scheme])), max_size=10))
    assert illegal_places(tags, scheme) == count_illegal(tags, scheme)
