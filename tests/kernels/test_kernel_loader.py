"""Compile loops once, keep them, and load only what nobody else could have written."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tagger.errors import UserError
from tagger.kernels import loader
from tagger.kernels.loader import KernelLoader
from tests.helpers.repository import REPOSITORY


@pytest.fixture
def fresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache."""
    monkeypatch.setenv("TAGGER_CACHE", str(tmp_path))
    return tmp_path


@pytest.fixture
def compilations(machine_code: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The folders that something is compiled into; the machine code is there already."""
    asked: list[Path] = []

    def make(folder: Path) -> Path:
        asked.append(folder)
        return machine_code

    monkeypatch.setattr(loader, "_machine_code", make)
    return asked


def kept_files(folder: Path) -> list[Path]:
    return list((folder / "kernels").iterdir())


@pytest.mark.extended
def test_compiles_once_and_keeps_a_shared_library(fresh: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert KernelLoader()() is not None
    (kept,) = kept_files(fresh)
    assert kept.suffix == ".so"
    monkeypatch.setattr(loader, "_machine_code", lambda folder: pytest.fail("compiled again"))
    assert KernelLoader()() is not None


@pytest.mark.extended
def test_keeps_the_object_file_where_there_is_no_linker(fresh: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loader.shutil, "which", lambda name: None)
    assert KernelLoader()() is not None
    assert [path.suffix for path in kept_files(fresh)] == [".o"]


@pytest.mark.usefixtures("fresh")
def test_threads_get_the_same_loops_from_one_compilation(compilations: list[Path]) -> None:
    kernels = KernelLoader()
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: kernels(), range(32)))
    assert len(compilations) == 1
    assert found[0] is not None
    assert all(one is found[0] for one in found)


@pytest.mark.parametrize("damage", ["", "cut off", "changed"])
def test_compiles_again_where_code_is_damaged(
    fresh: Path, damage: str, machine_code: Path, compilations: list[Path]
) -> None:
    KernelLoader()()
    (kept,) = kept_files(fresh)
    content = machine_code.read_bytes()
    middle = len(content) // 2
    changed = content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]
    kept.write_bytes({"": b"", "cut off": content[:middle], "changed": changed}[damage])
    assert KernelLoader()() is not None
    assert len(compilations) == 2
    assert kept.read_bytes() == content


def make_writable_by_all(path: Path) -> None:
    path.chmod(path.stat().st_mode | 0o022)


def give_to_somebody_else(path: Path) -> None:
    os.chown(path, 12345, 12345)


def put_a_link(path: Path) -> None:
    elsewhere = path.with_suffix(".elsewhere")
    path.rename(elsewhere)
    path.symlink_to(elsewhere)


@pytest.mark.parametrize(
    ("change", "level"),
    [
        (make_writable_by_all, "file"),
        (make_writable_by_all, "folder"),
        (give_to_somebody_else, "file"),
        (give_to_somebody_else, "folder"),
        (put_a_link, "file"),
    ],
)
def test_code_that_others_could_write_is_not_loaded(
    fresh: Path,
    change: Callable[[Path], None],
    level: str,
    compilations: list[Path],
    caplog: pytest.LogCaptureFixture,
) -> None:
    if change is give_to_somebody_else and os.geteuid() != 0:
        pytest.skip("only root can give files away")
    KernelLoader()()
    (kept,) = kept_files(fresh)
    change(kept if level == "file" else kept.parent)
    caplog.clear()
    assert KernelLoader()() is not None
    assert len(compilations) == 2
    assert "not private to this user" in caplog.text
    assert "set TAGGER_CACHE to a private folder" in caplog.text


def test_a_sticky_folder_above_is_private_enough(tmp_path: Path) -> None:
    (tmp_path / "cache").mkdir(mode=0o700)
    code = tmp_path / "cache" / "code.so"
    code.touch(0o600)
    tmp_path.chmod(0o1777)
    loader.require_private(code)
    tmp_path.chmod(0o777)
    with pytest.raises(UserError, match="not private to this user"):
        loader.require_private(code)


@pytest.mark.usefixtures("fresh")
def test_code_that_cannot_be_loaded_is_reported(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = tmp_path_factory.mktemp("code") / "kernels.so"
    code.write_text("for another machine")
    monkeypatch.setattr(loader, "_machine_code", lambda folder: code)
    for doing in ("compiled", "loaded"):
        kernels = KernelLoader()
        assert kernels() is None
        assert kernels.problem.startswith(f"they cannot be {doing} here (")


@pytest.mark.usefixtures("fresh")
def test_without_numba_there_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loader.importlib.util, "find_spec", lambda name: None)
    kernels = KernelLoader()
    assert kernels() is None
    assert kernels.problem == "numba is not installed (pip install 'gru-tagger[fast]')"


@pytest.mark.usefixtures("compilations")
def test_a_cache_that_cannot_be_written_is_reported(fresh: Path, caplog: pytest.LogCaptureFixture) -> None:
    (fresh / "kernels").write_text("a file where the folder should be")
    assert KernelLoader()() is not None
    assert "compiled loops cannot be kept" in caplog.text
    assert [path.name for path in fresh.iterdir()] == ["kernels"]


@pytest.mark.usefixtures("fresh")
def test_a_compiler_that_fails_is_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Path] = []

    def fail(folder: Path) -> Path:
        asked.append(folder)
        raise RuntimeError("no compiler")

    monkeypatch.setattr(loader, "_machine_code", fail)
    kernels = KernelLoader()
    assert kernels() is None
    assert kernels() is None
    assert kernels.problem == "they cannot be compiled here (no compiler)"
    assert len(asked) == 1


@pytest.mark.extended
def test_nothing_is_imported_from_the_working_folder(fresh: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    texts = tmp_path_factory.mktemp("texts")
    for name in ("numba", "llvmlite", "numpy", "multiprocessing", "tagger"):
        (texts / f"{name}.py").write_text(f"open('executed-{name}', 'w')\nraise SystemExit(1)\n")
    program = "from tagger.kernels.loader import kernels; assert kernels() is not None, kernels.problem"
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    subprocess.run([sys.executable, "-P", "-c", program], cwd=texts, env=environment, check=True)
    assert len(kept_files(fresh)) == 1
    assert not list(texts.glob("executed-*"))
