"""Compare what decisions depend on with explicit sums and with the enumeration of all taggings."""

from __future__ import annotations

import itertools
import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tagger.config import EncoderConfig
from tagger.corpus.schemes import Scheme, count_illegal, spans_from_tags
from tagger.engines.numpy_engine import NumpyEngine
from tagger.errors import UserError
from tagger.inspection.decisions import UNKNOWN_WORD
from tagger.inspection.explainer import MOST_TOKENS, Explainer, Explanation
from tagger.model_folder.folder import ModelFolder
from tests.helpers.random_models import emissions_by_sentence, random_folder

WORDS = ["Anna", "Maria", "lives", "in", "York"]


@pytest.fixture(scope="module")
def explainer(tmp_path_factory: pytest.TempPathFactory) -> Explainer:
    return loaded(random_folder(), tmp_path_factory.mktemp("model"))


def loaded(folder: ModelFolder, path: Path) -> Explainer:
    folder.save(path / "model", "")
    return Explainer.load(path / "model")


def path_score(folder: ModelFolder, emissions: NDArray[np.float32], tags: list[str]) -> float:
    """Compute s(y) as docs/probabilities.md defines it."""
    numbers = [folder.vocabularies.tags.index(tag) for tag in tags]
    score = sum(float(row[number]) for row, number in zip(emissions, numbers, strict=True))
    if folder.config.decoder.kind == "crf":
        score += float(folder.tensors["crf.start"][numbers[0]] + folder.tensors["crf.end"][numbers[-1]])
        score += sum(float(folder.tensors["crf.transitions"][pair]) for pair in itertools.pairwise(numbers))
    return score


def legal(folder: ModelFolder, length: int) -> list[list[str]]:
    tags = folder.vocabularies.tags
    paths = map(list, itertools.product(tags, repeat=length))
    return [path for path in paths if folder.scheme is Scheme.PLAIN or not count_illegal(path, folder.scheme)]


def probability(folder: ModelFolder, words: list[str], holds: object) -> float:
    """Compute the share in the weight of all legal taggings of those for which `holds` is true."""
    emissions = emissions_by_sentence(NumpyEngine(folder), [words])[0]
    weights = {
        tuple(p): math.exp(path_score(folder, emissions, p) / folder.temperature) for p in legal(folder, len(words))
    }
    return sum(weight for path, weight in weights.items() if holds(path)) / sum(weights.values())  # type: ignore[operator]


@pytest.mark.parametrize("decoder", ["crf", "softmax"])
def test_the_parts_of_the_path_sum_to_its_score(decoder: str, tmp_path: Path) -> None:
    folder = random_folder(decoder=decoder)
    path = loaded(folder, tmp_path).explain(WORDS).path
    emissions = emissions_by_sentence(NumpyEngine(folder), [WORDS])[0]
    tags = [step.tag for step in path.steps]
    assert path.score == pytest.approx(path_score(folder, emissions, tags), rel=1e-5)
    assert path.crf is (decoder == "crf")
    if decoder == "softmax":
        assert {step.transition for step in path.steps} == {0.0}
        assert path.end == 0


def test_the_path_is_the_best_and_as_probable_as_it_is(tmp_path: Path) -> None:
    folder = replace(random_folder(), temperature=1.7)
    words = WORDS[:3]
    path = loaded(folder, tmp_path).explain(words).path
    emissions = emissions_by_sentence(NumpyEngine(folder), [words])[0]
    best = max(legal(folder, 3), key=lambda tags: path_score(folder, emissions, tags))
    assert [step.tag for step in path.steps] == best
    assert path.probability == pytest.approx(probability(folder, words, lambda tags: list(tags) == best), rel=1e-5)


def test_each_token_has_the_tag_of_its_highest_emission(explainer: Explainer) -> None:
    found = explainer.explain(WORDS)
    tags = explainer.folder.vocabularies.tags
    for step, row in zip(found.path.steps, found.trace.emissions, strict=True):
        assert step.alone == tags[int(row.argmax())]
        assert (step.lead < 0) is (step.alone != step.tag)
        assert step.lead == pytest.approx(
            row[tags.index(step.tag)] - max(np.delete(row, tags.index(step.tag))), abs=1e-4
        )
    emissions = found.trace.emissions
    best = max(
        legal(explainer.folder, 5), key=lambda path: sum(emissions[t, tags.index(tag)] for t, tag in enumerate(path))
    )
    assert list(found.path.legal) == best


def test_an_entity_s_probability_without_each_word_is_that_of_the_sentence_with_it_replaced(tmp_path: Path) -> None:
    folder = random_folder(seed=1)
    words = WORDS[:3]
    found = loaded(folder, tmp_path).explain(words)
    assert found.decisions
    for decision in found.decisions:
        holds = lambda tags, span=decision.span: span in spans_from_tags(list(tags))  # noqa: E731
        assert decision.probability == pytest.approx(probability(folder, words, holds), rel=1e-4)
        for place in range(3):
            replaced = [*words[:place], UNKNOWN_WORD, *words[place + 1 :]]
            expected = probability(folder, replaced, holds)
            assert decision.without[place] == pytest.approx(expected, rel=1e-4)
            assert decision.contributions[place] == pytest.approx(decision.probability - expected, abs=1e-5)


def test_plain_tags_are_decisions_of_a_token_each(tmp_path: Path) -> None:
    folder = random_folder(scheme=Scheme.PLAIN)
    words = WORDS[:3]
    found = loaded(folder, tmp_path).explain(words)
    assert found.plain
    assert [decision.span.label for decision in found.decisions] == list(found.tags)
    for place, decision in enumerate(found.decisions):
        expected = probability(folder, words, lambda tags, p=place, d=decision: tags[p] == d.span.label)
        assert decision.probability == pytest.approx(expected, rel=1e-4)


def biased(folder: ModelFolder, bias: float) -> ModelFolder:
    """Raise the emission of O in a model."""
    tensors = {name: tensor * (0.01 if name == "emissions.weight" else 1) for name, tensor in folder.tensors.items()}
    tensors["emissions.bias"] = np.where(np.array(folder.vocabularies.tags) == "O", bias, 0).astype(np.float32)
    return replace(folder, tensors=tensors)


def test_without_an_entity_the_most_probable_other_one_is_looked_at(tmp_path: Path) -> None:
    found = loaded(biased(random_folder(decoder="softmax"), 5), tmp_path).explain(WORDS)
    assert set(found.tags) == {"O"}
    assert found.decisions
    assert not any(decision.chosen for decision in found.decisions)
    assert all(0 < decision.probability < 0.5 for decision in found.decisions)


def test_what_is_chosen_is_the_output(explainer: Explainer) -> None:
    found = explainer.explain(WORDS)
    assert [decision.span for decision in found.decisions] == spans_from_tags(list(found.tags))
    assert all(decision.chosen for decision in found.decisions)


@pytest.mark.parametrize(
    "words", [["x"], [""], ["<script>", "\x00", "\ud800"], ["a" * 5000], ["البيت", "的"], ["x"] * MOST_TOKENS]
)
def test_any_words_are_explained(explainer: Explainer, words: list[str]) -> None:
    found = explainer.explain(words)
    assert len(found.tags) == len(words)
    assert found.difference < 1e-4


def test_the_batches_of_a_long_sentence_change_nothing(explainer: Explainer, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = explainer.explain(WORDS * 3)
    monkeypatch.setattr("tagger.inspection.decisions._TOKENS_AT_ONCE", 40)
    for one, other in zip(explainer.explain(WORDS * 3).decisions, whole.decisions, strict=True):
        np.testing.assert_allclose(one.without, other.without, atol=1e-6)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "there is no word to explain; give a sentence"),
        (["x"] * (MOST_TOKENS + 1), "a sentence of 301 tokens; give one of at"),
    ],
)
def test_what_cannot_be_explained_is_refused(explainer: Explainer, words: list[str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        explainer.explain(words)


def record(found: Explanation, **asked: object) -> dict:
    return json.loads(json.dumps(found.to_mapping(**asked), allow_nan=False))  # type: ignore[arg-type]


def test_the_record_holds_what_was_computed(tmp_path: Path) -> None:
    folder = random_folder(encoder=EncoderConfig(layers=2, cell="lstm", hidden_size=4))
    found = loaded(folder, tmp_path).explain(WORDS)
    given = record(found, layers=[0, 1])
    assert [layer["layer"] for layer in given["layers"]] == [1, 2]
    for layer, traced in zip(given["layers"], found.trace.layers, strict=True):
        for way, gates in traced.directions.items():
            for name, values in gates.items():
                np.testing.assert_allclose(layer[way][name], values, rtol=1e-6)
    assert given["path"]["score"] == pytest.approx(found.path.score)
    chosen = record(found, layers=[1], units=[3, 0])
    assert [layer["layer"] for layer in chosen["layers"]] == [2]
    np.testing.assert_allclose(
        chosen["layers"][0]["backward"]["forget"], found.trace.layers[1].backward["forget"][:, [3, 0]], rtol=1e-6
    )
