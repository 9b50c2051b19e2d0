"""What tests of several packages share."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("tagger", deadline=None)  # a first import inside a test must not fail it for its time
settings.load_profile("tagger")

REPOSITORY = Path(__file__).parent.parent


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of labelled data sets: `TAGGER_DATA`, or `shared/data` beside the repository."""
    folder = Path(os.environ.get("TAGGER_DATA") or REPOSITORY.parent / "shared" / "data")
    if not folder.is_dir():
        pytest.skip(f"no shared data at {folder}; set TAGGER_DATA")
    return folder


@pytest.fixture(scope="session", autouse=True)
def empty_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    """No test reads or writes the user's cache."""
    os.environ["TAGGER_CACHE"] = str(tmp_path_factory.mktemp("cache"))
