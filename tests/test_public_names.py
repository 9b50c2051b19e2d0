"""The names that `import tagger` offers: they are exactly these, each has an example that runs, and none is heavy."""

from __future__ import annotations

import doctest
import subprocess
import sys
from pathlib import Path

import pytest

import tagger
from tests.helpers.repository import REPOSITORY

NAMES = ["Document", "Entity", "Sentence", "Tagger", "UserError", "compare", "evaluate", "load", "train"]
READY = REPOSITORY / "data" / "models" / "en-ner"


def examples_of(name: str) -> list[doctest.DocTest]:
    return [found for found in doctest.DocTestFinder(recurse=True).find(getattr(tagger, name)) if found.examples]


def test_the_module_shows_the_public_names_alone() -> None:
    assert dir(tagger) == NAMES == tagger.__all__


@pytest.mark.parametrize(
    "name", [one if one != "train" else pytest.param(one, marks=pytest.mark.extended) for one in NAMES]
)
def test_the_example_of_a_public_name_runs(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if not READY.is_dir():
        pytest.skip("no data/models/en-ner; scripts/ready_models.py makes it")
    monkeypatch.chdir(tmp_path)
    found = examples_of(name)
    assert found, "no example"
    lines: list[str] = []
    for example in found:
        doctest.DocTestRunner().run(example, out=lines.append)
    assert lines == []


@pytest.mark.parametrize("name", NAMES)
def test_a_public_name_has_a_docstring(name: str) -> None:
    assert getattr(tagger, name).__doc__


def test_importing_the_package_imports_nothing_heavy() -> None:
    heavy = {"torch", "numpy", "hydra", "pytorch_lightning"}
    code = f"import sys, tagger; dir(tagger); print(sorted({heavy} & sys.modules.keys()))"
    found = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert found.stdout == "[]\n"


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'lode'"):
        tagger.lode  # noqa: B018
