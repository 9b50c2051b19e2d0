"""Child processes start in one place, and import nothing from the working folder."""

from __future__ import annotations

import ast
import multiprocessing
import os
import subprocess
from pathlib import Path

import pytest

from tagger.python_process import run_python, safe_spawning, start_python

PACKAGE = Path(__file__).parent.parent / "tagger"
DOOR = "python_process.py"


@pytest.fixture
def trapped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder whose modules leave a trace when they are imported."""
    for name in ("numpy", "multiprocessing", "json"):
        (tmp_path / f"{name}.py").write_text(f"open('executed-{name}', 'w')\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PYTHONSAFEPATH", raising=False)
    return tmp_path


def traces(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("executed-*"))


@pytest.mark.parametrize("arguments", [["-c", "import numpy, json"], ["-m", "json.tool", "--help"]])
def test_children_import_nothing_from_the_working_folder(trapped: Path, arguments: list[str]) -> None:
    assert run_python(arguments, capture_output=True).returncode == 0
    with start_python(arguments, stdout=subprocess.DEVNULL) as process:
        assert process.wait() == 0
    assert traces(trapped) == []


def test_children_find_this_package(trapped: Path) -> None:
    assert run_python(["-c", "import tagger.errors"]).returncode == 0


def test_spawned_processes_import_nothing_from_the_working_folder(trapped: Path) -> None:
    with safe_spawning():
        process = multiprocessing.get_context("spawn").Process(target=os.getpid)
        process.start()
    process.join()
    assert process.exitcode == 0
    assert traces(trapped) == []
    assert "PYTHONSAFEPATH" not in os.environ


def test_no_other_module_starts_python() -> None:
    found = [
        path.name
        for path in PACKAGE.rglob("*.py")
        if path.name != DOOR
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.List) and "sys.executable" in ast.unparse(node)
    ]
    assert found == []
