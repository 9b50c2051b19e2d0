"""The folder of a run: held by one run alone, and left as it was where nothing came of the run."""

from __future__ import annotations

from pathlib import Path

import pytest

from tagger.errors import UserError
from tagger.training.run_config import RunConfig
from tagger.training.run_folder import claim_run_dir


def fail(folder: Path, *files: str) -> None:
    """A run that writes these files and is then interrupted."""
    with claim_run_dir(RunConfig(run_dir=folder)):
        for name in files:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text("x")
        raise KeyboardInterrupt


def test_of_two_runs_at_once_one_gets_the_folder(tmp_path: Path) -> None:
    run = RunConfig(run_dir=tmp_path / "run")
    with (
        claim_run_dir(run),
        pytest.raises(UserError, match=r"run: already holds a run; set resume=true"),
        claim_run_dir(run),
    ):
        pytest.fail("claimed twice")
    assert (run.run_dir / "checkpoints").is_dir()


@pytest.mark.parametrize("name", ["checkpoints", "logs", "model", "report", "config.yaml"])
def test_a_folder_with_anything_that_a_run_would_write_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    with pytest.raises(UserError, match="already holds a run"), claim_run_dir(RunConfig(run_dir=tmp_path)):
        pytest.fail("claimed")
    with claim_run_dir(RunConfig(run_dir=tmp_path, resume=True)):
        pass


def test_a_failure_without_a_checkpoint_leaves_what_was_there_before(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("precious")
    with pytest.raises(KeyboardInterrupt):
        fail(tmp_path, "logs/csv/metrics.csv", "config.yaml")
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_a_failure_after_a_checkpoint_leaves_the_run(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        fail(tmp_path, "logs/csv/metrics.csv", "checkpoints/last.ckpt")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checkpoints", "logs"]
    assert (tmp_path / "checkpoints" / "last.ckpt").is_file()


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    run = RunConfig(run_dir=tmp_path / "file" / "run")
    with pytest.raises(UserError, match=r"run: cannot write: Not a directory; set another run_dir"), claim_run_dir(run):
        pytest.fail("claimed")
