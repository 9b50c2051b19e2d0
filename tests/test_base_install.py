"""The base package alone, as its wheel installs it, beside nothing but what it declares, tags."""

from __future__ import annotations

import importlib.metadata
import json
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from random_models import random_folder

from tests.conftest import REPOSITORY

pytest.importorskip("hatchling")


def declared(requirements: Iterable[str]) -> Iterator[importlib.metadata.Distribution]:
    """What requirements bring along without any extra, all the way down, as it is installed here."""
    for requirement in map(Requirement, requirements):
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
            distribution = importlib.metadata.distribution(requirement.name)
            yield distribution
            yield from declared(distribution.requires or [])


def run(*command: str | Path, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """A program with nothing of this environment about it."""
    return subprocess.run(
        list(map(str, command)), input=stdin, capture_output=True, text=True, env={"PATH": "/usr/bin:/bin"}, cwd="/"
    )


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs' folder of a fresh environment, made without the network: dependencies are linked into it."""
    folder = tmp_path_factory.mktemp("installed")
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    offline = ["--no-index", "--no-deps"]
    build = [*pip, "wheel", *offline, "--no-build-isolation", "--wheel-dir", str(folder), str(REPOSITORY)]
    subprocess.run(build, check=True)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder / "fresh")], check=True)
    python = folder / "fresh" / "bin" / "python"
    (wheel,) = folder.glob("*.whl")
    subprocess.run([*pip, "--python", str(python), "install", *offline, str(wheel)], check=True)
    place = Path(run(python, "-c", "import sysconfig; print(sysconfig.get_path('platlib'))").stdout.strip())
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    for distribution in declared(project["dependencies"]):
        for name in {file.parts[0] for file in distribution.files or [] if file.parts[0] not in ("..", "__pycache__")}:
            if not (place / name).exists():
                (place / name).symlink_to(str(distribution.locate_file(name)))
    return python.parent


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model") / "model"
    random_folder(seed=1).save(folder, "")
    return folder


def test_nothing_but_the_base_is_there(installed: Path) -> None:
    for package in ("torch", "hydra", "onnxruntime", "spacy", "pytest"):
        assert run(installed / "python", "-c", f"import {package}").returncode == 1
    where = run(installed / "python", "-c", "import tagger; print(tagger.__file__)").stdout
    assert where.startswith(str(installed.parent))


@pytest.mark.parametrize("options", [[], ["--workers", "2"], ["--tokenizer", "syntok", "--scores"]])
def test_the_installed_command_tags(installed: Path, model: Path, options: list[str]) -> None:
    text = "Anna Smith lives in New York .\n" * 100
    done = run(installed / "tagger", "tag", "--model", model, *options, stdin=text)
    assert (done.returncode, done.stderr) == (0, "")
    assert [json.loads(line)["text"] for line in done.stdout.splitlines()] == text.splitlines()


@pytest.mark.parametrize(("engine", "extra"), [("torch", "train"), ("onnx", "onnx")])
def test_what_an_engine_lacks_is_told(installed: Path, model: Path, engine: str, extra: str) -> None:
    done = run(installed / "tagger", "tag", "--model", model, "--engine", engine, stdin="x")
    assert (done.returncode, done.stdout) == (2, "")
    assert f"pip install 'tagger[{extra}]'" in done.stderr
    assert done.stderr.count("\n") == 1
