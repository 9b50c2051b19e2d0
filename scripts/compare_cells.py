"""Compare plain RNN, LSTM, both GRUs and the GRU-BLSTM hybrid.

    python scripts/compare_cells.py --sets wnut17 ud_ug_udt --train --recall --json docs/experiments/cells.json

--train trains each cell on each set with each seed. It does so once at one hidden size, and once at the hidden size
that comes nearest to the GRU's number of parameters behind the embeddings. --measure times the finished runs; nothing
else should run meanwhile. It measures training on one core over part of an epoch, tagging of the test split by either
engine (median of three turns; where numba is installed, compiled loops are part of the NumPy engine), and the peak of
the training process's memory. --recall trains small networks to name four symbols that are d steps before or behind,
and measures how much gradient reaches so far (scripts/cells/recall.py has the details). --plot draws that. Finished
results are kept below --runs and not repeated. Without any of these options the script prints the finished results as
Markdown.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from tagger.errors import UserError, extra_needed
from tagger.printable import in_a_line

with extra_needed("train", "compare_cells.py"):
    from cells import plot, speed
    from cells.contenders import (
        CONTENDERS,
        PARAMETERS,
        REFERENCE,
        ROOT,
        SIZE,
        Contender,
        Job,
        hidden_size,
        job,
        parameters,
    )
    from cells.recall import Schedule, examined
    from compare import data_overrides

    from tagger.commands.hydra.hydra_entry import compose
    from tagger.corpus.dataset import DataConfig, load_split
    from tagger.model_folder.folder import ModelFolder
    from tagger.runs.summary import in_points, spread, write_rows
    from tagger.runs.tables import as_markdown

READINGS = {"forward only": False, "bidirectional": True}
QUICK_SCHEDULE = Schedule(hidden=8, updates=5, batch=4, longest=5, distances=(1, 10), asked=32, probes=2)
QUICK = ("trainer.max_epochs=1", "trainer.limit_train_batches=2")
_HIDDEN, _QUICK_HIDDEN = 128, 8
Grid = dict[str, dict[tuple[str, str], list[Job]]]  # by set, then by what is equal and contender: a job for each seed


def plan(arguments: argparse.Namespace) -> Grid:
    """Every run there is to be, as far as it can be known: what has the GRU's parameters, once there is a GRU.

    Raises:
        UserError: the model of a finished run is damaged.
    """
    grid: Grid = {}
    for name in arguments.sets:
        place = data_overrides(name, arguments.data)
        first = job(name, place, REFERENCE, arguments.hidden, arguments.seeds[0], arguments.runs)
        known = ModelFolder.load(first.folder / "model") if first.record else None
        grid[name] = {}
        for equal in arguments.equal:
            for contender in map(CONTENDERS.__getitem__, arguments.cells):
                if known is None and equal == PARAMETERS:
                    continue
                hidden = arguments.hidden if known is None else hidden_size(known, contender, arguments.hidden, equal)
                runs = [job(name, place, contender, hidden, seed, arguments.runs) for seed in arguments.seeds]
                grid[name][equal, contender.name] = runs
    return grid


def train(arguments: argparse.Namespace) -> list[str]:
    """Train what is not finished, set by set, seed by seed; returns a line for each failure."""
    failures: dict[Path, str] = {}
    for name in arguments.sets:
        only = argparse.Namespace(**{**vars(arguments), "sets": [name]})
        place = data_overrides(name, arguments.data)
        _train_one(
            job(name, place, REFERENCE, arguments.hidden, arguments.seeds[0], arguments.runs), arguments, failures
        )
        for number in range(len(arguments.seeds)):
            for runs in plan(only)[name].values():
                _train_one(runs[number], arguments, failures)
    return list(failures.values())


def _train_one(one: Job, arguments: argparse.Namespace, failures: dict[Path, str]) -> None:
    if one.record or one.folder in failures:
        return
    print(in_a_line(f"training: {one.folder}"), flush=True)
    code = one.train(arguments.override)
    if code == 130:
        raise KeyboardInterrupt
    if code:
        failures[one.folder] = f"{one.folder}: exit code {code}"


def rows(grid: Grid) -> list[dict[str, Any]]:
    """A row for each set, comparison and contender with finished runs, for the JSON file."""
    found = []
    for name, comparisons in grid.items():
        for (equal, contender), runs in comparisons.items():
            done = [one for one in runs if one.record]
            if not done:
                continue
            records = [record for one in done if (record := one.record)]
            folder = ModelFolder.load(done[0].folder / "model")
            score = next(iter(records[0].test))
            found.append(
                {
                    "data": name,
                    "data_sha256": records[0].data_sha256,
                    "equal": equal,
                    "cell": contender,
                    "hidden_size": done[0].hidden,
                    "parameters": parameters(folder, CONTENDERS[contender], done[0].hidden),
                    "seeds": [record.seed for record in records],
                    "score": score,
                    "dev": spread([next(iter(record.dev.values())) for record in records]),
                    "test": spread([record.test[score] for record in records]),
                    "epochs": [record.epochs for record in records],
                    **next((measured for one in done if (measured := speed.kept(one))), {}),
                }
            )
    return found


HEADER = ("cell", "hidden", "parameters", "seeds", "score", "dev", "test", "training tokens/s", "numpy", "torch", "MB")
_MEASURED = ("training_tokens_per_second", "numpy_tokens_per_second", "torch_tokens_per_second", "training_megabytes")


def tables(found: Sequence[Mapping[str, Any]]) -> str:
    """The rows as Markdown, a table for each set and comparison."""
    parts = []
    for name, equal in dict.fromkeys((row["data"], row["equal"]) for row in found):
        lines = [
            [
                CONTENDERS[row["cell"]].title,
                str(row["hidden_size"]),
                f"{row['parameters']:,}",
                ",".join(map(str, row["seeds"])),
                row["score"],
                in_points(row["dev"]),
                in_points(row["test"]),
                *(f"{row[key]:,}" if key in row else "" for key in _MEASURED),
            ]
            for row in found
            if (row["data"], row["equal"]) == (name, equal)
        ]
        same = "hidden size" if equal == SIZE else "number of parameters"
        parts.append(f"{name}, equal {same}:\n\n{as_markdown(HEADER, lines, left=1)}")
    return "\n\n".join(parts)


def measure(grid: Grid, arguments: argparse.Namespace) -> None:
    """Measure a finished run of each kind.

    Raises:
        UserError: there is none, or measuring fails.
    """
    for name, comparisons in grid.items():
        kinds = {str(runs[0].folder.parent.name): runs for runs in comparisons.values()}
        chosen = {kind: next((one for one in runs if one.record), None) for kind, runs in kinds.items()}
        jobs = {kind: one for kind, one in chosen.items() if one}
        if not jobs:
            raise UserError(f"{name}: no finished run to measure below {arguments.runs}; train with --train")
        data = DataConfig.from_mapping(
            compose("train", [*data_overrides(name, arguments.data), *arguments.override])["data"]
        )
        speed.measure(jobs, load_split(data, "test").sentences, arguments.override)


def examine(arguments: argparse.Namespace, *, missing: bool) -> list[dict[str, Any]]:
    """What recall and gradients are of each contender, way of reading and seed.

    Args:
        arguments: the command line.
        missing: train networks that are not there; else they are left out.
    """
    found = []
    for seed in arguments.seeds:
        for contender in map(CONTENDERS.__getitem__, arguments.cells):
            for both in READINGS.values():
                path = _kept_at(contender, both, seed, arguments)
                if missing or path.exists():
                    if not path.exists():
                        print(in_a_line(f"recall: {path}"), flush=True)
                    of = {"both": both, "seed": seed, "schedule": arguments.schedule, "path": path}
                    found.append({"cell": contender.name, **examined(contender.cells, **of)})
    return found


def _kept_at(contender: Contender, both: bool, seed: int, arguments: argparse.Namespace) -> Path:
    reading = "both" if both else "forward"
    return Path(arguments.runs) / "recall" / f"{contender.name}-{reading}-{seed}.json"


def curves(networks: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, dict[str, list[float]]]]:
    """Means over the seeds along the distances, by reading, title and name; `recall` as far as it can be known.

    Reading forward only, that of symbols before the middle; else of all.
    """
    found: dict[str, dict[str, dict[str, list[float]]]] = {}
    for reading, both in READINGS.items():
        for name in dict.fromkeys(network["cell"] for network in networks):
            alike = [one for one in networks if one["cell"] == name and one["both"] is both]
            if not alike:
                continue
            sides = ("recall_before", "recall_behind") if both else ("recall_before",)
            found.setdefault(reading, {})[CONTENDERS[name].title] = {
                **{kind: _means([one[kind] for one in alike]) for kind in ("gradient_at_start", "gradient")},
                "recall": _means([one[side] for one in alike for side in sides]),
            }
    return found


def _means(lists: Sequence[Sequence[float]]) -> list[float]:
    return [fmean(values) for values in zip(*lists, strict=True)]


def recall_tables(drawn: Mapping[str, Any], distances: Sequence[int]) -> str:
    """The curves as Markdown tables."""
    parts = []
    kinds = (("recall", ".2f"), ("gradient_at_start", ".0e"), ("gradient", ".0e"))
    for reading, of_cells in drawn.items():
        for kind, form in kinds:
            lines = [[cell, *(format(value, form) for value in values[kind])] for cell, values in of_cells.items()]
            title = kind.replace("_", " ")
            parts.append(f"{reading}, {title}:\n\n{as_markdown(['cell', *map(str, distances)], lines, left=1)}")
    return "\n\n".join(parts)


def run(arguments: argparse.Namespace) -> int:
    """Compare as the command line asks; 0, or 1 where a run failed.

    Raises:
        UserError: data cannot be read, a run's files are damaged, or something cannot be written.
    """
    failures = train(arguments) if arguments.train else []
    grid = plan(arguments)
    if arguments.measure:
        measure(grid, arguments)
    networks = examine(arguments, missing=arguments.recall)
    found, drawn, distances = rows(grid), curves(networks), arguments.schedule.distances
    text = "\n\n".join(filter(None, (tables(found), recall_tables(drawn, distances)))) or "nothing is finished yet"
    print(text)
    if arguments.markdown:
        arguments.markdown.write_text(text + "\n", encoding="utf-8")
    if arguments.plot and drawn:
        plot.draw(drawn, distances, arguments.plot)
    if arguments.json:
        write_rows(arguments.json, found, overrides=list(arguments.override), recall=networks)
    for line in failures:
        print(in_a_line(f"failed: {line}"), file=sys.stderr)
    return 1 if failures else 0


def parser() -> argparse.ArgumentParser:
    """The command line."""
    found = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    data = Path(os.environ.get("TAGGER_DATA") or ROOT.parent / "shared" / "data")
    add = found.add_argument
    add("--sets", nargs="*", default=["wnut17", "ud_ug_udt"], metavar="SET", help="presets, or PRESET/DOMAIN")
    add("--cells", nargs="+", default=[*CONTENDERS], choices=[*CONTENDERS], help="default: all")
    add(
        "--equal",
        nargs="+",
        default=[SIZE, PARAMETERS],
        choices=[SIZE, PARAMETERS],
        help="default: one after the other",
    )
    add("--hidden", type=int, default=None, metavar="H", help="units per direction of the GRU (default: 128)")
    add("--seeds", type=int, nargs="+", default=[1, 2, 3], metavar="N", help="default: 1 2 3")
    add("--data", type=Path, default=data, metavar="DIR", help="holds a folder for each set (default: %(default)s)")
    add("--runs", type=Path, default=Path("runs/cells"), metavar="DIR", help="what is finished (default: %(default)s)")
    add("--override", nargs="+", default=[], metavar="KEY=VALUE", help="settings of all runs other than the defaults")
    add("--train", action="store_true", help="train what is missing")
    add("--measure", action="store_true", help="time finished runs; let nothing else run meanwhile")
    add("--recall", action="store_true", help="recall and gradients over distances, where missing")
    add("--quick", action="store_true", help="everything tiny, to see that it works")
    add("--plot", type=Path, metavar="FILE", help="draw recall and gradients as SVG")
    add("--markdown", type=Path, metavar="FILE", help="write the tables to a file, too")
    add("--json", type=Path, metavar="FILE", help="write all results as JSON")
    return found


def settled(arguments: argparse.Namespace) -> argparse.Namespace:
    """The command line with what `--quick` and defaults mean filled in."""
    quick = arguments.quick
    arguments.schedule = QUICK_SCHEDULE if quick else Schedule()
    arguments.override = [*arguments.override, *(QUICK if quick else ())]
    arguments.hidden = arguments.hidden or (_QUICK_HIDDEN if quick else _HIDDEN)
    return arguments


def main(argv: Sequence[str] | None = None) -> int:
    """Parse the command line and compare; 0, 1 where a run failed, 2 for wrong use, 130 after Ctrl-C."""
    try:
        return run(settled(parser().parse_args(argv)))
    except UserError as error:
        print(f"compare_cells.py: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("compare_cells.py: stopped by Ctrl-C; the same command goes on from here", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
