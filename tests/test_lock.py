"""`constraints.txt`: every package that the project and its extras bring, pinned to a version that they allow."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.metadata import PackageNotFoundError, distribution

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from tagger.errors import DISTRIBUTION
from tests.helpers.repository import REPOSITORY

PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
LINES = (REPOSITORY / "constraints.txt").read_text(encoding="utf-8").splitlines()
PINS = {
    canonicalize_name(line.partition("==")[0]): line.partition("==")[2] for line in LINES if not line.startswith("#")
}
DECLARED = sorted({line for lines in (PROJECT["dependencies"], *EXTRAS.values()) for line in lines})
OURS = [line for line in DECLARED if not line.startswith(f"{DISTRIBUTION}[")]


@cache
def needs(name: str) -> tuple[Requirement, ...]:
    """What an installed package requires."""
    return tuple(map(Requirement, distribution(name).requires or ()))


def brought(requirement: Requirement, seen: set[str]) -> set[str]:
    """The packages that a requirement brings where the tests run, by their names; it itself is among them."""
    name = canonicalize_name(requirement.name)
    if name in seen:
        return seen
    try:
        needed = needs(name)
    except PackageNotFoundError:
        return seen
    seen.add(name)
    for one in needed:
        if one.marker is None or any(one.marker.evaluate({"extra": extra}) for extra in ("", *requirement.extras)):
            brought(one, seen)
    return seen


@pytest.mark.parametrize("line", OURS)
def test_what_the_project_requires_is_pinned_to_a_version_it_allows(line: str) -> None:
    requirement = Requirement(line)
    assert Version(PINS[canonicalize_name(requirement.name)]) in requirement.specifier


@pytest.mark.parametrize("line", OURS)
def test_what_that_brings_is_pinned_too(line: str) -> None:
    of_the_installer = {"pip", "setuptools", "wheel"}
    of_a_device = {
        name for name in brought(Requirement(line), set()) if name.startswith(("nvidia-", "cuda-", "triton"))
    }
    assert brought(Requirement(line), set()) - of_the_installer - of_a_device <= PINS.keys()


def test_the_lock_names_each_package_once_and_nothing_but_versions() -> None:
    pinned = [line for line in LINES if not line.startswith("#")]
    assert all(line.count("==") == 1 and " " not in line for line in pinned)
    assert len(PINS) == len(pinned)
