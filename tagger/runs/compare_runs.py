"""Compare runs by their reports, as `evaluate.py compare=[RUN_A,RUN_B,…]` does."""

from __future__ import annotations

import glob
import json
from collections.abc import Sequence
from os.path import commonprefix
from pathlib import Path

from tagger.commands.hydra import hydra_entry
from tagger.commands.hydra.overrides import of_every_repetition
from tagger.corpus.schemes import detect_scheme
from tagger.errors import UserError
from tagger.evaluation.comparison import Comparison, RunPredictions, SystemComparison, compare
from tagger.evaluation.prediction_files import read_three_columns
from tagger.evaluation.report_files import DATA, PREDICTIONS
from tagger.runs.summary import find_run_folders
from tagger.runs.tables import as_text


def find_runs(names: Sequence[str]) -> tuple[list[str], list[str]]:
    """Find the runs that folders and globs name: a run, a report, or a folder of several runs, such as a multirun's.

    Returns:
        Folders of runs or reports, each once; and the runs among several that have no report to compare.

    Raises:
        UserError: a glob matches no folder.
    """
    runs: dict[Path, str] = {}
    without: list[str] = []
    for name in names:
        several = not Path(name).exists() and glob.has_magic(name)
        folders = [path for path in sorted(glob.glob(name)) if Path(path).is_dir()] if several else [name]
        if not folders:
            raise UserError(f"{name}: no folder has this name; give folders of runs or reports, or globs of them")
        for folder in folders:
            below = _below(Path(folder))
            for run in below or [folder]:
                if _report_folder(Path(run)) or not (several or below):
                    runs.setdefault(Path(run).resolve(), run)
                else:
                    without.append(run)
    return list(runs.values()), without


def _below(folder: Path) -> list[str]:
    """Return the runs in a folder of several; none for a run, a report, or a folder without runs."""
    if _report_folder(folder) or not folder.is_dir():
        return []
    try:
        found = find_run_folders([folder])
    except UserError:
        return []
    return [str(path) for path in found if path != folder]


def compare_reports(runs: Sequence[str]) -> SystemComparison:
    """Compare runs by the predictions in their report folders.

    Runs whose `config.yaml` differ only in seed and folder are one system.

    Raises:
        UserError: one has no report, or the reports are not of the same data.
    """
    folders = [_checked_report(Path(run)) for run in runs]
    together: dict[str, list[str]] = {}
    keys = [_settings(Path(run)) or run for run in runs]
    for run, key in zip(runs, keys, strict=True):
        together.setdefault(key, []).append(run)
    names = {key: _name(alike) for key, alike in together.items()}
    if len(set(names.values())) < len(names):
        names = {key: alike[0] for key, alike in together.items()}
    entrants = []
    for run, key, folder in zip(runs, keys, folders, strict=True):
        aligned = read_three_columns(folder / PREDICTIONS)
        found = detect_scheme(aligned.predicted, str(folder))
        entrants.append(RunPredictions(run, names[key], aligned.sentences, aligned.predicted, aligned.scheme, found))
    return compare(entrants)


def as_table(found: Comparison) -> str:
    """Lay out systems with their scores in points of 100, and their difference from the first."""
    differences = {one.second: one for one in found.differences}
    rows = []
    for system in found.systems:
        sd = "" if system.sd is None else f"± {100 * system.sd:.1f}"
        rest = [""] * 4
        if one := differences.get(system.name):
            rest = [f"{100 * one.difference:+.1f}", f"{one.p:.4f}", str(one.better), str(one.worse)]
        rows.append([system.name, str(len(system.runs)), f"{100 * system.mean:.1f}", sd, *rest])
    return as_text(("system", "runs", found.score, "sd", "difference", "p", "better", "worse"), rows, left=1)


def _report_folder(run: Path) -> Path | None:
    """Return the folder of a run's report, or the folder itself if it is a report."""
    folders = (run / "report", run)
    return next((one for one in folders if (one / PREDICTIONS).is_file() and (one / DATA).is_file()), None)


def _checked_report(run: Path) -> Path:
    folder = _report_folder(run)
    if folder is None:
        raise UserError(
            f"{run}: no {PREDICTIONS} and {DATA} in it or in its report/; give the folders of runs or reports"
        )
    path = folder / DATA
    try:
        if not isinstance(json.loads(path.read_text(encoding="utf-8"))["format"], int):
            raise ValueError("its format is no number")
    except OSError as error:
        raise UserError(f"{path}: cannot read: {error.strerror or error}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path}: damaged: {error}; evaluate again") from error
    return folder


def _settings(run: Path) -> str | None:
    """Return the settings that runs of one system share; None for a folder that is no run's."""
    path = run / "config.yaml"
    if not path.is_file():
        return None
    return json.dumps(of_every_repetition(hydra_entry.read_config(path)), sort_keys=True)


def _name(runs: Sequence[str]) -> str:
    """Name a system by its runs' folders: the common beginning of their names, or the folder they are in."""
    names = [Path(run).resolve().name for run in runs]
    common = commonprefix(names)  # noqa: RUF071 – of names, not of paths
    return names[0] if len(names) == 1 else common.rstrip("-_=. ") or Path(runs[0]).resolve().parent.name
