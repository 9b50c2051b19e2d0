"""A teacher's reading of raw text: chosen sentences, done once, continued where it was interrupted."""

from __future__ import annotations

from pathlib import Path

import pytest

from tagger.corpus.schemes import Scheme
from tagger.distillation import reading
from tagger.distillation.config import DistillConfig
from tagger.distillation.reading import UNSURE, WITHOUT_ENTITY, distilled_text
from tagger.distillation.teacher import Teacher
from tagger.errors import UserError
from tagger.features.distilled_text import DistilledText
from tests.helpers.random_models import random_folder

TAGS = ["O", *(f"{prefix}-{label}" for label in ("LOC", "ORG", "PER") for prefix in "BIES")]


@pytest.fixture(autouse=True)
def small_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts of seven sentences, in a cache of the test's own."""
    monkeypatch.setattr(reading, "SENTENCES_PER_PART", 7)
    monkeypatch.setattr(reading, "_AT_ONCE", 4)
    monkeypatch.setenv("TAGGER_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def model(tmp_path: Path) -> str:
    random_folder().save(tmp_path / "model", "")
    return str(tmp_path / "model")


@pytest.fixture
def raw(tmp_path: Path) -> str:
    """Forty sentences, a line each."""
    names = ["Anna", "Bonn", "Acme", "x"]
    lines = [f"{names[number % 4]} number {number} saw {names[number % 3]} ." for number in range(40)]
    (tmp_path / "raw.txt").write_text("\n".join(lines))
    return str(tmp_path / "raw.txt")


def read(model: str, raw: str, labelled: list[list[str]] | None = None, **settings: object) -> DistilledText:
    config = DistillConfig.from_mapping({"teacher": model, "text": raw, "tokenizer": "whitespace", **settings})
    return distilled_text(config, labelled or [], tags=TAGS, scheme=Scheme.BIOES, tokenizer="syntok")


def words_of(text: DistilledText) -> list[list[str]]:
    return sorted(one.tokens for one in text.share(0, 10**6, seed=1, weight=1.0, tags=TAGS)[0])


def test_every_sentence_is_read_once_and_the_second_time_from_the_cache(
    model: str, raw: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = read(model, raw)
    assert words_of(text) == sorted(line.split() for line in Path(raw).read_text().split("\n"))
    assert (text.about.sentences, text.about.tokens) == (40, 240)
    assert text.about.tokens_of_parts == (42,) * 5 + (30,)
    assert text.frequent_words(2) == {"number": 40, "saw": 40}
    monkeypatch.setattr(reading, "load", lambda path: pytest.fail("loaded again"))
    assert read(model, raw).folder == text.folder


@pytest.mark.parametrize("after", [0, 3, 5, 9])
def test_an_interrupted_reading_continues_with_the_same_result(
    model: str, raw: str, after: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    whole = read(model, raw, entity_share=0.9)
    monkeypatch.setenv("TAGGER_CACHE", str(tmp_path / "other"))
    original, asked = Teacher.distributions, []

    def stop(self: Teacher, sentences: list[object]) -> object:
        asked.append(len(sentences))
        if len(asked) > after:
            raise KeyboardInterrupt
        return original(self, sentences)  # type: ignore[arg-type]

    monkeypatch.setattr(Teacher, "distributions", stop)
    with pytest.raises(KeyboardInterrupt):
        read(model, raw, entity_share=0.9)
    asked.clear()
    monkeypatch.setattr(Teacher, "distributions", lambda *a: (asked.append(len(a[1])), original(*a))[1])
    continued = read(model, raw, entity_share=0.9)
    assert sum(asked) <= 40 - (after * 4) // 40 * 7
    assert words_of(continued) == words_of(whole)
    assert continued.about == whole.about


def test_labelled_sentences_are_not_read(model: str, raw: str) -> None:
    labelled = Path(raw).read_text().split("\n")[3].split()
    text = read(model, raw, [labelled])
    assert labelled not in words_of(text)
    assert text.about.sentences == 39
    assert "1 of the labelled data" in str(text.about)


@pytest.mark.parametrize("most", [1, 7, 20])
def test_no_more_sentences_are_kept_than_asked_for(model: str, raw: str, most: int) -> None:
    assert read(model, raw, sentences=most).about.sentences == most


def test_unsure_sentences_are_left_out(model: str, raw: str) -> None:
    sure = {one: read(model, raw, min_confidence=one, temperature=0.2).about for one in (0.0, 0.3, 0.5)}
    assert 0 < sure[0.5].sentences < sure[0.3].sentences < sure[0.0].sentences == 40
    assert all(about.sentences + about.left_out[UNSURE] == 40 for about in sure.values())


def test_sentences_without_entities_give_way(model: str, raw: str) -> None:
    all_of_them, chosen = (read(model, raw, entity_share=share) for share in (None, 1.0))
    assert chosen.about.sentences + chosen.about.left_out[WITHOUT_ENTITY] == 40
    targets = chosen.share(0, 10**6, seed=1, weight=1.0, tags=TAGS)[1]
    for first, last in zip(targets.starts[:-1], targets.starts[1:], strict=True):
        assert (targets.marginals[first:last, 0] < 1).any()
    assert all_of_them.about.sentences == 40


def test_each_setting_that_matters_is_read_anew(model: str, raw: str) -> None:
    folders = [read(model, raw, **settings).folder for settings in ({}, {"targets": "tags"}, {"temperature": 2.0})]
    assert len(set(folders)) == 3
    assert read(model, raw, weight=0.5, epoch_tokens=50).folder == folders[0]


def test_text_without_sentences_is_reported(model: str, raw: str, tmp_path: Path) -> None:
    (tmp_path / "empty.txt").write_text("\n\n")
    with pytest.raises(UserError, match=r"empty\.txt: no sentence was kept \(the text is empty\)"):
        read(model, str(tmp_path / "empty.txt"))
    with pytest.raises(UserError, match=r"raw\.txt: no sentence was kept \(40 below distill\.min_confidence\)"):
        read(model, raw, min_confidence=1.0)


def test_a_cache_that_cannot_be_written_is_reported(
    model: str, raw: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("TAGGER_CACHE", str(tmp_path / "file"))
    with pytest.raises(UserError, match="cannot write"):
        read(model, raw)
