"""Models by name: ready ones before folders, unless the path says that it is a folder."""

from __future__ import annotations

from pathlib import Path

import pytest

import tagger
from tagger.errors import UserError
from tagger.model_folder import named
from tagger.model_folder.named import is_ready, local_folder
from tests.helpers.random_models import random_folder


@pytest.fixture
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, in_tmp_path: Path) -> Path:
    """A package with the ready model `en-ner`, and another working folder."""
    random_folder().save(tmp_path / "data" / "models" / "en-ner", "")
    monkeypatch.setattr(named, "shipped_folder", lambda name: tmp_path / name)
    return tmp_path / "data" / "models" / "en-ner"


@pytest.mark.parametrize("model", ["en-ner", Path("en-ner")])
def test_a_ready_model_is_found_by_its_name(shipped: Path, model: str | Path) -> None:
    assert is_ready(model)
    assert local_folder(model) == shipped


def test_the_default_is_the_ready_model_of_names(shipped: Path) -> None:
    assert tagger.load().engine is tagger.load(shipped).engine


@pytest.mark.parametrize(("model", "own"), [("en-ner", False), ("./en-ner", True), (Path("en-ner"), True)])
def test_a_folder_of_that_name_does_not_replace_it_unless_it_is_given_as_a_path(
    shipped: Path, model: str | Path, own: bool
) -> None:
    Path("en-ner").mkdir()
    assert local_folder(model) == (Path("en-ner") if own else shipped)


def test_other_names_are_paths(shipped: Path) -> None:
    assert local_folder("en-nre") == Path("en-nre")
    with pytest.raises(UserError, match="en-nre"):
        tagger.load("en-nre")
