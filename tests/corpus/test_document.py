"""A document as JSON, and as a notebook shows it."""

from __future__ import annotations

import json

import pytest

from tagger.corpus.document import Document
from tagger.corpus.sentence import Sentence, Tagging

TEXT = "<b>Ada</b> & Bo"


def document(**more: object) -> Document:
    offsets = [(3, 6), (11, 12), (13, 15)]
    tokens = [TEXT[start:end] for start, end in offsets]
    return Document(TEXT, [Sentence(tokens, ["B-PER", "O", "B-<x>"], TEXT, offsets, **more)])  # type: ignore[arg-type]


def test_json_has_what_is_known() -> None:
    found = document().to_dict()
    assert found["entities"][0] == {"start": 3, "end": 6, "label": "PER", "text": "Ada"}
    assert found["sentences"] == [
        {
            "start": 3,
            "end": 15,
            "tokens": ["Ada", "&", "Bo"],
            "offsets": [[3, 6], [11, 12], [13, 15]],
            "tags": ["B-PER", "O", "B-<x>"],
        }
    ]
    assert json.loads(json.dumps(found)) == found


def test_json_has_scores_and_alternatives_if_there_are_any() -> None:
    found = document(scores=[0.5, None, 0.25], alternatives=[Tagging(["O", "O", "O"], 0.125)]).to_dict()
    assert [one["score"] for one in found["entities"]] == [0.5, 0.25]
    assert found["sentences"][0]["scores"] == [0.5, None, 0.25]
    assert found["sentences"][0]["alternatives"] == [{"tags": ["O", "O", "O"], "score": 0.125}]


def test_a_notebook_shows_marks_and_text_is_never_html() -> None:
    page = document(scores=[0.5, None, 0.25])._repr_html_()
    assert page.count("<mark ") == 2
    assert 'title="0.5000"' in page
    assert "&lt;b&gt;" in page
    assert "<b>" not in page
    assert "<x>" not in page


def test_a_label_has_one_colour_in_all_documents() -> None:
    def colour(tags: list[str]) -> str:
        page = Document("a b", [Sentence(["a", "b"], tags, "a b", [(0, 1), (2, 3)])])._repr_html_()
        return page.rpartition("hsl(")[2].partition(",")[0]

    assert colour(["O", "B-PER"]) == colour(["B-LOC", "B-PER"]) != colour(["O", "B-LOC"])


def test_plain_tags_mark_every_token() -> None:
    page = Document("a b", [Sentence(["a", "b"], ["DET", "NOUN"], "a b", [(0, 1), (2, 3)])], plain=True)._repr_html_()
    assert page.count("<mark ") == 2
    assert "DET" in page


@pytest.mark.parametrize(("text", "expected"), [("ab", "Document('ab', 0 entities)"), ("x" * 99, "…', 0 entities)")])
def test_repr_is_short(text: str, expected: str) -> None:
    assert repr(Document(text, [])).endswith(expected)
    assert len(repr(Document(text, []))) < 100
