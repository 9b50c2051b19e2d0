"""The folder of a run: lock it for one run at a time, and find the checkpoint to resume from."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytorch_lightning.utilities import rank_zero_only

from tagger.errors import UserError
from tagger.printable import in_a_line
from tagger.training.checkpoint import BEST, LAST, PREVIOUS, clear_remains, read_checkpoint, read_last_checkpoint
from tagger.training.run_config import RunConfig

WITH_DEV = "with_dev"  # the folder of the second training, on train and dev
_OTHERS = ("logs", "model", "report", "config.yaml", "run.json", WITH_DEV)  # what a run writes, besides checkpoints


class CheckpointMismatchError(UserError):
    """A run cannot continue from a checkpoint, as its settings or data have changed."""

    def __init__(self, checkpoint: Path) -> None:
        super().__init__(f"{checkpoint}: does not fit these settings and data; resume with those of its run")


@dataclass(frozen=True)
class ResumeState:
    """The place where a run begins: from nothing, or from a checkpoint.

    Attributes:
        checkpoint: the checkpoint to continue from.
        step: steps of the optimiser until then.
        logged_rows: rows of the log until then; None for all rows.
    """

    checkpoint: Path | None = None
    step: int = 0
    logged_rows: int | None = 0


def holds_run(folder: Path) -> bool:
    """Return whether a folder holds anything that a run writes."""
    return any((folder / name).exists() for name in ("checkpoints", *_OTHERS))


def has_checkpoint(folder: Path) -> bool:
    """Return whether the folder of a run has a checkpoint to continue from, whole or damaged."""
    return any((folder / "checkpoints" / name).exists() for name in (LAST, PREVIOUS))


@contextmanager
def claim_run_dir(run: RunConfig) -> Iterator[None]:
    """Claim the folder of a new run: no other run may have begun there. Do nothing where a run is resumed.

    If the run fails without a checkpoint, leave the folder as it was.

    Raises:
        UserError: the folder holds a run that is not to be resumed, or cannot be written.
    """
    if run.resume:
        yield
        return
    kept = run.run_dir / "checkpoints"
    try:
        if any((run.run_dir / name).exists() for name in _OTHERS):
            raise FileExistsError
        kept.mkdir(parents=True)  # of several runs started at once, all but one fail here
    except FileExistsError:
        problem = "already holds a run; set resume=true to continue it, or another run_dir"
        raise UserError(f"{run.run_dir}: {problem}") from None
    except OSError as error:
        raise UserError(f"{run.run_dir}: cannot write: {error.strerror or error}; set another run_dir") from error
    try:
        yield
    except BaseException:
        if not any(kept.iterdir()):
            kept.rmdir()
            shutil.rmtree(run.run_dir / "logs", ignore_errors=True)
            (run.run_dir / "config.yaml").unlink(missing_ok=True)
        raise


def resume_state(folder: Path, fits: Callable[[Mapping[str, Any]], bool]) -> ResumeState:
    """Find the last whole checkpoint of a run to resume, if there is one.

    Args:
        folder: the folder of the run's checkpoints.
        fits: returns whether a checkpoint has this data and these settings.

    Raises:
        CheckpointMismatchError: it does not.
        UserError: all checkpoints are damaged, or the best one is, which the run may end with.
    """
    if (folder / BEST).exists():
        read_checkpoint(folder / BEST)
    last = read_last_checkpoint(folder)
    if last is None:
        return ResumeState()
    path, state = last
    if not fits(state):
        raise CheckpointMismatchError(path)
    _tidy(folder, path)
    return ResumeState(path, state["global_step"], state.get("logged_rows"))


@rank_zero_only
def _tidy(folder: Path, kept: Path) -> None:
    if kept.name == PREVIOUS:
        wrong = "damaged" if (folder / LAST).exists() else "not there"
        warning = f"warning: {folder / LAST}: {wrong}; going on from the one before it, {PREVIOUS}"
        print(in_a_line(warning), flush=True)
    clear_remains(folder, keep=kept)
