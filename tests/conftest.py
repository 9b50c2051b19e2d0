"""What tests of several packages share."""

import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import Phase, settings

from tests.helpers.repository import REPOSITORY

settings.register_profile("tagger", deadline=None)  # a first import inside a test must not fail it for its time
settings.register_profile(
    "mutation", deadline=None, derandomize=True, max_examples=20, phases=[Phase.explicit, Phase.generate]
)
settings.load_profile("tagger")


def pytest_configure() -> None:
    """Restore Ctrl-C where the parent ignores it, as under `nohup`: every child would inherit that."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of labelled data sets: `TAGGER_DATA`, or `shared/data` beside the repository."""
    folder = Path(os.environ.get("TAGGER_DATA") or REPOSITORY.parent / "shared" / "data")
    if not folder.is_dir():
        pytest.skip(f"no shared data at {folder}; set TAGGER_DATA")
    return folder


@pytest.fixture(scope="session", autouse=True)
def empty_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep tests away from the user's cache. The processes of a session share one; compiled loops outlive it."""
    own = tmp_path_factory.getbasetemp()
    session = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own
    os.environ["TAGGER_CACHE"] = str(session / "cache")
    kept, used = REPOSITORY / ".pytest_cache" / "kernels", session / "cache" / "kernels"
    _copy_files(kept, used)
    yield
    _copy_files(used, kept)


def _copy_files(source: Path, target: Path) -> None:
    """Copy files that the target lacks. Each appears whole, as other processes do the same."""
    for path in source.glob("*.so"):
        target.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not (target / path.name).exists():
            shutil.copy2(path, partial := target / f"{path.name}.{os.getpid()}")
            partial.rename(target / path.name)


@pytest.fixture(scope="session", autouse=True)
def runs_of_the_user() -> Iterator[None]:
    """Fail if a test leaves a run in the repository's own `runs/`, or moves a link there."""
    before = _entries(REPOSITORY / "runs")
    yield
    assert _entries(REPOSITORY / "runs") == before, "a test wrote into the repository's own runs/"


def _entries(folder: Path) -> dict[str, str | None]:
    """Names in a folder, and where those that are links point."""
    found = sorted(folder.iterdir()) if folder.is_dir() else []
    return {path.name: os.readlink(path) if path.is_symlink() else None for path in found}


@pytest.fixture
def in_tmp_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Run a test in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    return tmp_path
