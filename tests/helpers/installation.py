"""The package installed somewhere else: a wheel, and empty environments that it goes into, without a network."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement

from tagger.errors import DISTRIBUTION
from tests.helpers.repository import REPOSITORY

_HOOKS = {"wheel": "build_wheel", "editable": "build_editable"}


def build(kind: str, folder: Path) -> Path:
    """Build the checkout as `wheel` or `editable`, as pip would, into a folder; returns the file."""
    folder.mkdir(parents=True, exist_ok=True)
    call = f"from hatchling import build; print(build.{_HOOKS[kind]}({str(folder)!r}))"
    subprocess.run([sys.executable, "-c", call], cwd=REPOSITORY, check=True, capture_output=True)
    (made,) = folder.glob("*.whl")
    return made


class Environment:
    """A virtual environment that holds a wheel, and what it and its extras require, and nothing else."""

    def __init__(self, folder: Path, wheel: Path, extras: tuple[str, ...] = ()) -> None:
        """
        Args:
            folder: where it is made.
            wheel: what is installed.
            extras: whose requirements are put there too, out of the environment that runs the tests.
        """
        venv.create(folder, symlinks=sys.platform != "win32")
        windows = sys.platform == "win32"
        self.bin = folder / ("Scripts" if windows else "bin")
        (site,) = folder.glob("Lib/site-packages" if windows else "lib/python*/site-packages")
        pip = [sys.executable, "-m", "pip", "--python", str(self.bin / "python"), "--disable-pip-version-check"]
        subprocess.run([*pip, "install", "--quiet", "--no-deps", "--no-index", str(wheel)], check=True)
        for name in sorted(_required(DISTRIBUTION, frozenset(extras)) - {DISTRIBUTION}):
            _link(name, site)

    def run(self, *command: str, cwd: Path, text: str = "", **variables: str) -> subprocess.CompletedProcess[str]:
        """Run a program of the environment, away from the checkout."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))}
        return subprocess.run(
            [str(self.bin / command[0]), *command[1:]],
            cwd=cwd,
            input=text,
            env={**kept, "HF_HUB_OFFLINE": "1", **variables},
            capture_output=True,
            text=True,
            check=False,
        )


def _required(name: str, extras: frozenset[str], seen: set[tuple[str, frozenset[str]]] | None = None) -> set[str]:
    """Names of the distributions that one requires, of those they require, and so on; it itself is among them."""
    seen = set() if seen is None else seen
    if (name, extras) in seen:
        return set()
    seen.add((name, extras))
    found = {name}
    for requirement in map(Requirement, distribution(name).requires or ()):
        wanted = any(
            requirement.marker is None or requirement.marker.evaluate({"extra": extra}) for extra in ("", *extras)
        )
        try:
            found |= _required(requirement.name, frozenset(requirement.extras), seen) if wanted else set()
        except PackageNotFoundError:  # what another system needs, or a package's own extra that is not there
            continue
    return found


def _link(name: str, site: Path) -> None:
    """Put a distribution of this environment into another one's site-packages."""
    for top, home in _tops(name):
        if not (site / top).exists():
            (site / top).symlink_to(home / top)


def _tops(name: str) -> Iterator[tuple[str, Path]]:
    """The entries of site-packages that a distribution has, and where they lie."""
    found = distribution(name)
    for top in sorted({path.parts[0] for path in found.files or () if path.parts[0] not in ("..", "__pycache__")}):
        yield top, Path(str(found.locate_file("")))
