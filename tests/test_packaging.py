"""The package's name, version and metadata, and the files that people expect around it."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
import yaml

import tagger
from tagger.errors import DISTRIBUTION, install_command
from tests.helpers.repository import REPOSITORY

PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
SOURCES = [*(REPOSITORY / "tagger").rglob("*.py"), *(REPOSITORY / "scripts").rglob("*.py")]
WORKFLOW = REPOSITORY / ".github" / "workflows" / "tests.yml"


def test_the_distribution_has_a_name_of_its_own() -> None:
    assert PROJECT["project"]["name"] == DISTRIBUTION == "gru-tagger"
    assert install_command("serve") == "pip install 'gru-tagger[serve]'"


def test_every_extra_of_its_own_is_named_by_that_name() -> None:
    extras = PROJECT["project"]["optional-dependencies"]
    own = [line for lines in extras.values() for line in lines if "tagger" in line]
    assert own
    assert [line for line in own if not line.startswith(f"{DISTRIBUTION}[")] == []
    named = {name for line in own for name in line[line.index("[") + 1 : -1].split(",")}
    assert named <= extras.keys()


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(REPOSITORY).as_posix())
def test_advice_to_install_an_extra_comes_from_one_place(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert re.findall(r"pip install '?(?:gru-)?tagger\[", text) == []
    for extra in re.findall(r"install_command\([\"'](\w+)[\"']\)", text):
        assert extra in PROJECT["project"]["optional-dependencies"]


def test_the_version_is_the_same_everywhere() -> None:
    citation = yaml.safe_load((REPOSITORY / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == tagger.__version__
    assert citation["license"] == PROJECT["project"]["license"]
    assert PROJECT["tool"]["hatch"]["version"]["path"] == "tagger/version.py"


def test_the_workflow_runs_on_every_system_and_python_that_the_metadata_names() -> None:
    jobs = yaml.safe_load(WORKFLOW.read_text(encoding="utf-8"))["jobs"]
    matrix = jobs["every-change"]["strategy"]["matrix"]
    classifiers = PROJECT["project"]["classifiers"]
    assert {f"Programming Language :: Python :: {one}" for one in matrix["python"]} <= set(classifiers)
    assert {one.partition("-")[0] for one in matrix["os"]} == {"ubuntu", "macos", "windows"}


@pytest.mark.parametrize("path", sorted((REPOSITORY / ".github").rglob("*.yml")), ids=lambda path: path.name)
def test_github_s_files_are_mappings(path: Path) -> None:
    assert isinstance(yaml.safe_load(path.read_text(encoding="utf-8")), dict)


def test_the_image_starts_the_server_as_an_ordinary_user() -> None:
    lines = (REPOSITORY / "Dockerfile").read_text(encoding="utf-8").splitlines()
    assert 'ENTRYPOINT ["tagger", "serve", "--host", "0.0.0.0", "--port", "8000"]' in lines
    assert lines.index("USER 10001") < next(n for n, line in enumerate(lines) if line.startswith("ENTRYPOINT"))
