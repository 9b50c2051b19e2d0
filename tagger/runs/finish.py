"""Finish a training run: save the model, score the test split, write report, model card and record."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tagger.corpus.dataset import DataConfig, Split
from tagger.evaluation.model_scores import evaluate, score_split
from tagger.evaluation.report_files import remove_report, write_report
from tagger.evaluation.scores import Scores
from tagger.evaluation.training_overlap import write_keys
from tagger.files import written_whole
from tagger.model_folder.contents import CARD
from tagger.predict import load
from tagger.runs.background import of_run
from tagger.runs.model_card import model_card
from tagger.runs.record import TRAIN_KEYS, make_record
from tagger.training.run_config import RunConfig

if TYPE_CHECKING:
    from tagger.training.training_run import TrainingResult


@dataclass(frozen=True)
class FinishedRun:
    """The folders of a finished run's model and report, the scores of the test split, and warnings to print."""

    model: Path
    report: Path | None
    scores: Scores
    warnings: Sequence[str]


def finish_run(outcome: TrainingResult, splits: Mapping[str, Split], data: DataConfig, run: RunConfig) -> FinishedRun:
    """Save a run's model, and score the test split with the saved model.

    Raises:
        UserError: a file cannot be written.
    """
    model, report = run.run_dir / "model", run.run_dir / "report"
    outcome.folder.save(model, model_card(outcome, splits, data, run.seed, None))
    tagger = load(model, device=outcome.device if outcome.device.startswith("cuda") else "cpu")
    warnings: Sequence[str] = ()
    if run.report:
        background = of_run(run.run_dir, outcome.folder, splits, data.title)
        scored = {"model": str(model), "data": data.title}
        if outcome.folder.pretrained_on:
            scored["pretrained on"] = outcome.folder.pretrained_on
        if outcome.distilled:
            scored["distilled from"] = outcome.distilled
        found = evaluate(tagger, splits["test"], scored, background)
        written = write_report(report, found)
        scores, warnings = written.scores, written.warnings
    else:
        remove_report(report)  # of an earlier model, if the run was resumed
        scores = score_split(tagger, splits["test"])
    with written_whole(model / CARD) as stream:
        stream.write(model_card(outcome, splits, data, run.seed, scores))
    learnt = [*splits["train"].sentences, *(splits["dev"].sentences if run.train_on_dev else ())]
    write_keys(run.run_dir / TRAIN_KEYS, learnt)
    make_record(outcome, splits, scores, seed=run.seed, resumed=run.resume, model_dir=model).write(run.run_dir)
    if outcome.stopped_by is None and run.latest is not None:
        warnings = [*warnings, *_point_latest(run.run_dir, run.latest)]
    return FinishedRun(model, report if run.report else None, scores, warnings)


def _point_latest(run_dir: Path, link: Path) -> list[str]:
    """Point a link at a run; returns a warning if that fails."""
    try:
        link.parent.mkdir(parents=True, exist_ok=True)
        temporary = link.with_name(f".latest.{os.getpid()}")
        temporary.unlink(missing_ok=True)
        try:
            temporary.symlink_to(os.path.relpath(run_dir.resolve(), link.parent.resolve()), target_is_directory=True)
            temporary.replace(link)
        except OSError:
            if not _junctions():
                raise
            _make_junction(run_dir.resolve(), link)
    except OSError as error:
        return [f"{link} was not moved to this run: {error.strerror or error}"]
    return []


def _junctions() -> bool:
    """Return whether this system has junctions: links to folders that need no privilege, as symbolic links do there."""
    return sys.platform == "win32"


def _make_junction(folder: Path, link: Path) -> None:
    """Replace a link by a junction to a folder.

    Raises:
        OSError: something else has the link's name, or the junction cannot be made.
    """
    if os.path.lexists(link):
        link.rmdir()  # of a junction, the link alone; a folder with content is refused
    made = subprocess.run(["cmd", "/c", "mklink", "/J", str(link), str(folder)], capture_output=True, check=False)
    if made.returncode:
        raise OSError(f"no link can be made on this system (mklink: exit code {made.returncode})")
