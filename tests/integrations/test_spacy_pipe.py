"""The component of spaCy pipelines: entities on spaCy's tokens, as the tagger finds them, alone and in batches."""

from __future__ import annotations

from pathlib import Path

import pytest
import spacy
from spacy.language import Language
from spacy.tokens import Span

from tagger.corpus.schemes import Scheme, spans_from_tags
from tagger.corpus.sentence import Sentence
from tagger.integrations import spacy_pipe
from tagger.predict import load
from tests.helpers.random_models import random_folder

TEXTS = ["Anna Smith lives  in New York.\n\nΟ Γιώργος μένει στην Αθήνα.", "", " \n ", "Anna lives."]


@pytest.fixture
def model(tmp_path: Path) -> Path:
    random_folder().save(tmp_path / "ner", "")
    return tmp_path / "ner"


def pipeline(model: Path, **config: object) -> Language:
    assert spacy_pipe.SpacyTagger
    nlp = spacy.blank("en")
    nlp.add_pipe("sentencizer")
    nlp.add_pipe("gru_tagger", config={"model": str(model), **config})
    return nlp


def test_entities_are_those_of_the_tagger_with_their_scores(model: Path) -> None:
    nlp, tagger = pipeline(model), load(model)
    for doc in nlp.pipe(TEXTS):
        expected = []
        for sent in doc.sents:
            tokens = [token for token in sent if not token.is_space]
            (one,) = tagger.tag_sentences([Sentence([token.text for token in tokens])], scores=True)
            for start, end, label in spans_from_tags(one.tags or []):
                span = doc[tokens[start].i : tokens[end - 1].i + 1]
                expected.append((span.text, label, pytest.approx((one.scores or [])[start], abs=1e-5)))
        assert [(one.text, one.label_, one._.score) for one in doc.ents] == expected
    assert len(nlp(TEXTS[0]).ents) > 0


def test_one_document_gives_the_same_as_many(model: Path) -> None:
    nlp = pipeline(model)
    many = [[(one.start, one.end, one.label_) for one in doc.ents] for doc in nlp.pipe(TEXTS, batch_size=2)]
    assert many == [[(one.start, one.end, one.label_) for one in nlp(text).ents] for text in TEXTS]


@pytest.mark.parametrize("keep", [True, False])
def test_entities_of_other_components_are_kept_if_wanted(model: Path, keep: bool) -> None:
    nlp = pipeline(model, keep=keep)
    nlp.add_pipe("entity_ruler", before="gru_tagger").add_patterns([{"label": "MINE", "pattern": "Anna"}])  # type: ignore[attr-defined]
    assert ("Anna", "MINE") in {(one.text, one.label_) for one in nlp(TEXTS[3]).ents} or not keep
    assert any(one.label_ == "MINE" for one in nlp(TEXTS[3]).ents) is keep


def test_plain_tags_are_set_on_tokens(tmp_path: Path) -> None:
    random_folder(scheme=Scheme.PLAIN).save(tmp_path / "pos", "")
    doc = pipeline(tmp_path / "pos")("Anna lives .")
    (one,) = load(tmp_path / "pos").tag_sentences([Sentence(["Anna", "lives", "."])])
    assert [token.tag_ for token in doc] == one.tags
    assert len(doc.ents) == 0


def test_a_saved_pipeline_loads_its_model_again(model: Path, tmp_path: Path) -> None:
    nlp = pipeline(model)
    nlp.to_disk(tmp_path / "pipeline")
    again = spacy.load(tmp_path / "pipeline")
    assert [one.label_ for one in again(TEXTS[0]).ents] == [one.label_ for one in nlp(TEXTS[0]).ents]
    assert Span.has_extension("score")
