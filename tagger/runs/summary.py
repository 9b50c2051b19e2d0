"""Group runs that differ only in their seed: mean and standard deviation of each score."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from tagger.commands.hydra import hydra_entry
from tagger.commands.hydra.overrides import data_name, overrides_of
from tagger.errors import UserError
from tagger.files import written_whole
from tagger.runs.record import NAME, RunRecord

CONFIG = "config.yaml"
FORMAT = 1  # of the JSON rows; raised when a key changes its meaning or goes away
_MARKS = (CONFIG, NAME, "checkpoints")  # a folder with one of these is a run's
_DIGEST_SHOWN = 8
_DIGITS = 6  # of a score


@dataclass(frozen=True)
class Run:
    """A finished run: its folder, the name of its data, its overrides of the defaults, and its record."""

    folder: Path
    data: str
    overrides: tuple[str, ...]
    record: RunRecord


@dataclass(frozen=True)
class Group:
    """Runs of the same data and settings, one per seed, by rising seed."""

    runs: tuple[Run, ...]

    @property
    def data(self) -> str:
        return self.runs[0].data

    @property
    def overrides(self) -> tuple[str, ...]:
        return self.runs[0].overrides

    @property
    def data_sha256(self) -> str:
        return self.runs[0].record.data_sha256

    def as_row(self) -> dict[str, Any]:
        """Return the group as a row of an experiment log. Scores are fractions of 1; `sd` of a single run is null."""
        records = [run.record for run in self.runs]
        return {
            "data": self.data,
            "data_sha256": self.data_sha256,
            "overrides": list(self.overrides),
            "seeds": [record.seed for record in records],
            "dev": {name: spread([record.dev[name] for record in records]) for name in records[0].dev},
            "test": {name: spread([record.test[name] for record in records]) for name in records[0].test},
            "epochs": [record.epochs for record in records],
            "training_seconds": [record.seconds for record in records],
            "training_tokens": records[0].train_tokens,
            "model_bytes": [record.model_bytes for record in records],
            "versions": {
                name: ", ".join(sorted({record.versions.get(name, "?") for record in records}))
                for name in records[0].versions
            },
        }


@dataclass
class Summary:
    """Groups of runs, and a line on each run that was left out."""

    groups: list[Group] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)


def write_rows(path: Path, rows: Sequence[Mapping[str, Any]], **about: Any) -> None:
    """Write an experiment's JSON file: the entries of `about`, then the rows, a line each.

    Raises:
        UserError: it cannot be written.
    """
    head = json.dumps({"format": FORMAT, **about}, ensure_ascii=False, indent=1).removesuffix("\n}")
    with written_whole(path) as stream:
        stream.write(f'{head},\n "rows": [\n')
        stream.write(",\n".join(f"  {json.dumps(row, ensure_ascii=False)}" for row in rows))
        stream.write("\n ]\n}\n")


def summarise(folders: Sequence[Path]) -> Summary:
    """Group the finished runs in and below these folders.

    Raises:
        UserError: a folder does not exist or holds no run, or a run's files are damaged.
    """
    summary = Summary()
    runs: list[Run] = []
    for folder in find_run_folders(folders):
        record = RunRecord.read(folder)
        if record is None or not (folder / CONFIG).exists():
            summary.left_out.append(f"{folder}: unfinished: it has no {NAME if record is None else CONFIG}")
        elif record.stopped_by is not None:
            summary.left_out.append(f"{folder}: stopped by {record.stopped_by} after {record.epochs} epochs")
        else:
            settings = hydra_entry.read_config(folder / CONFIG)
            runs.append(Run(folder, data_name(settings), overrides_of(settings), record))
    summary.left_out += [line for folder in folders for line in _missing_jobs(folder)]
    alike: dict[tuple[str, str, tuple[str, ...]], dict[int, Run]] = {}
    for run in runs:
        seeds = alike.setdefault((run.data, run.record.data_sha256, run.overrides), {})
        first = seeds.setdefault(run.record.seed, run)
        if first is not run:
            summary.left_out.append(f"{run.folder}: seed {run.record.seed} again, as in {first.folder}")
    for key in sorted(alike):
        summary.groups.append(Group(tuple(run for _, run in sorted(alike[key].items()))))
    return summary


def find_run_folders(folders: Iterable[Path]) -> list[Path]:
    """Find the run folders among and below these, each once, by name.

    Raises:
        UserError: a folder does not exist, or holds no run.
    """
    found: dict[Path, Path] = {}
    for folder in folders:
        if not folder.is_dir():
            raise UserError(f"{folder}: no such folder; give the folders of runs")
        below = [Path(path) for path, names, files in _walk(folder) if any(mark in (*names, *files) for mark in _MARKS)]
        if not below:
            raise UserError(f"{folder}: no run in it; give the folder of a run or of several")
        for path in below:
            found.setdefault(path.resolve(), path)
    return list(found.values())


def _walk(folder: Path) -> Iterable[tuple[str, list[str], list[str]]]:
    """Walk folders by name, without those inside a run's."""
    for path, names, files in os.walk(folder):
        yield path, list(names), files
        names[:] = [] if any(mark in (*names, *files) for mark in _MARKS) else sorted(names)


def _missing_jobs(folder: Path) -> Iterator[str]:
    """Yield a line for each job that left no folder of its own, of the multiruns in and below a folder."""
    for path, names, _ in _walk(folder):
        started = {name.partition("_")[0] for name in names}
        for number, varied in enumerate(hydra_entry.sweep_jobs(Path(path))):
            if str(number) not in started:
                yield f"{path}: job {number} ({' '.join(varied)}) failed or never started; it left no folder"


def spread(values: Sequence[float]) -> dict[str, Any]:
    """Return values, their mean and sample standard deviation (n - 1 in the denominator; None of a single value)."""
    sd = round(stdev(values), _DIGITS) if len(values) > 1 else None
    return {"each": [round(value, _DIGITS) for value in values], "mean": round(fmean(values), _DIGITS), "sd": sd}


def in_points(spread: Mapping[str, Any]) -> str:
    """Write `27.80 ± 1.04`, in points of 100; of a single value the value."""
    sd = "" if spread["sd"] is None else f" ± {100 * spread['sd']:.2f}"
    return f"{100 * spread['mean']:.2f}{sd}"


HEADER = ("data", "overrides", "seeds", "score", "dev", "test", "precision", "recall", "macro F1", "seconds", "MB")
LEFT = 4  # columns flush left


def table_rows(groups: Sequence[Group]) -> list[list[str]]:
    """Return a row of `HEADER`'s columns for each group."""
    names = {group.data: {other.data_sha256 for other in groups if other.data == group.data} for group in groups}
    rows = []
    for group in groups:
        row = group.as_row()
        (dev,), (score, test) = row["dev"].values(), next(iter(row["test"].items()))
        others = [row["test"].get(name) for name in ("precision", "recall", "macro F1")]
        several = len(names[group.data]) > 1
        data = f"{group.data} {group.data_sha256[:_DIGEST_SHOWN]}" if several else group.data
        seeds = ",".join(map(str, row["seeds"]))
        scores = [in_points(one) if one else "" for one in (dev, test, *others)]
        costs = [f"{fmean(row['training_seconds']):.0f}", f"{fmean(row['model_bytes']) / 1e6:.1f}"]
        rows.append([data, " ".join(group.overrides) or "none", seeds, score, *scores, *costs])
    return rows
