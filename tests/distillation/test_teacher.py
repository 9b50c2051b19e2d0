"""Teachers: their tags become the student's, or they are refused by name."""

from __future__ import annotations

import numpy as np
import pytest

import tagger
from tagger.corpus.schemes import Scheme
from tagger.corpus.sentence import Sentence
from tagger.distillation.teacher import Teacher
from tagger.errors import UserError
from tagger.predict import Tagger
from tests.helpers.random_models import random_folder

SENTENCES = [
    Sentence(["Anna", "Smith", "lives", "in", "Bonn"]),
    Sentence(["x"]),
    Sentence(["the", "cat", "of", "Acme"]),
]
BIOES = [f"{prefix}-{{}}" for prefix in "BIES"]


def tags_of(*labels: str) -> list[str]:
    return ["O", *(prefix.format(label) for label in labels for prefix in BIOES)]


@pytest.fixture(scope="module")
def taggers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Tagger]:
    """Two models of the labels LOC, ORG and PER."""
    place = tmp_path_factory.mktemp("teachers")
    for seed in (1, 2):
        random_folder(seed=seed).save(place / f"model{seed}", "")
    return {name: tagger.load(place / name) for name in ("model1", "model2")}


def teacher_of(
    taggers: dict[str, Tagger], tags: list[str], labels: dict[str, str], *, best_path_alone: bool = False
) -> Teacher:
    return Teacher(taggers, tags, Scheme.BIOES, labels, temperature=None, best_path_alone=best_path_alone)


def test_tags_in_another_order_are_found(taggers: dict[str, Tagger]) -> None:
    one = {"model1": taggers["model1"]}
    own = taggers["model1"].folder.vocabularies.tags
    order = [0, *range(len(own) - 1, 0, -1)]
    found = teacher_of(one, [own[place] for place in order], {}).distributions(SENTENCES)
    for mapped, original in zip(found, taggers["model1"].distributions(SENTENCES), strict=True):
        np.testing.assert_allclose(mapped.marginals, original.marginals[:, order], rtol=1e-6)
        np.testing.assert_allclose(mapped.transitions, original.transitions[order][:, order], rtol=1e-6)


def test_labels_are_renamed_merged_and_forgotten(taggers: dict[str, Tagger]) -> None:
    one = {"model1": taggers["model1"]}
    own = taggers["model1"].folder.vocabularies.tags
    teacher = teacher_of(one, tags_of("NAME"), {"LOC": "NAME", "PER": "NAME", "ORG": "O"})
    for mapped, original in zip(
        teacher.distributions(SENTENCES), taggers["model1"].distributions(SENTENCES), strict=True
    ):
        probability = dict(zip(own, original.marginals.T, strict=True))
        expected = probability["B-LOC"] + probability["B-PER"]
        np.testing.assert_allclose(mapped.marginals[:, 1], expected, atol=1e-6)
        outside = probability["O"] + sum(probability[f"{prefix}-ORG"] for prefix in "BIES")
        np.testing.assert_allclose(mapped.marginals[:, 0], outside, atol=1e-6)
        assert mapped.transitions.sum() == pytest.approx(original.transitions.sum(), rel=1e-5)


def test_an_ensemble_is_the_mean_of_its_members(taggers: dict[str, Tagger]) -> None:
    tags = tags_of("LOC", "ORG", "PER")
    together = teacher_of(taggers, tags, {}).distributions(SENTENCES)
    alone = [teacher_of({name: one}, tags, {}).distributions(SENTENCES) for name, one in taggers.items()]
    for mixture, first, second in zip(together, *alone, strict=True):
        np.testing.assert_allclose(mixture.marginals, (first.marginals + second.marginals) / 2, atol=1e-6)
        np.testing.assert_allclose(mixture.transitions, (first.transitions + second.transitions) / 2, atol=1e-6)
        assert mixture.confidence == pytest.approx((first.confidence + second.confidence) / 2)


def test_the_best_path_alone_is_what_tagging_gives(taggers: dict[str, Tagger]) -> None:
    model = taggers["model1"]
    tagged = model.tag_sentences(SENTENCES)
    for sentence, found in zip(tagged, model.distributions(SENTENCES, best_path_alone=True), strict=True):
        tags = [model.folder.vocabularies.tags[number] for number in found.marginals.argmax(axis=1)]
        assert set(np.unique(found.marginals)) <= {0.0, 1.0}
        assert [tag.replace("S-", "B-").replace("E-", "I-") for tag in tags] == sentence.tags
        assert found.transitions.sum() == len(sentence) - 1
        assert found.has_entity is any(tag != "O" for tag in tags)


@pytest.mark.parametrize(
    ("tags", "labels", "message"),
    [
        (tags_of("LOC", "PER"), {}, "model1 has the label ORG, which the data lack; map it"),
        (tags_of("LOC", "MISC", "ORG", "PER"), {}, "model1 does not know the label MISC of the data"),
        (tags_of("LOC", "ORG", "PER"), {"GPE": "LOC"}, "model1 has no label GPE; it has LOC, ORG, PER"),
    ],
)
def test_labels_that_do_not_fit_are_named(
    taggers: dict[str, Tagger], tags: list[str], labels: dict[str, str], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        teacher_of({"model1": taggers["model1"]}, tags, labels)


def test_another_scheme_is_refused(taggers: dict[str, Tagger]) -> None:
    with pytest.raises(UserError, match=r"model1 has bioes tags, the student iob2; set decoder\.scheme"):
        Teacher(taggers, ["O", "B-X", "I-X"], Scheme.IOB2, {}, temperature=None, best_path_alone=False)
