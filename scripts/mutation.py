"""Change the source a little, one place at a time, and count how many changes the tests notice.

    pip install 'mutmut==3.8.1'
    nice -n 19 python scripts/mutation.py schemes scores strict alignment
    nice -n 19 python scripts/mutation.py --sample 250 --folder /tmp/mutants decoder

mutmut makes the changes and runs the tests, in a copy of the repository in a temporary folder. `AREAS` says which tests
belong to which module. The script prints a table, and the changes that no test noticed. Messages to users are not
changed. With `--folder`, write tests for what survived, and run the same line again to see whether they notice it.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from tagger.runs.tables import as_markdown

REPOSITORY = Path(__file__).resolve().parent.parent
COPIED = ("tagger", "tests", "conf", "data", "pyproject.toml")
NOT_CHANGED = ("raise ", "assert ", "warnings")  # lines with these; a statement that starts there is not changed at all
PATIENCE = 30.0  # times what the tests of a change take without it; then it counts as timed out
LONGEST = 60  # seconds for one test, which fails then: for changes that make a loop endless
SEED = 1  # of the changes that are drawn
PENDING = ("survived", "no tests", "not checked")
HEADER = ("area", "changes", "killed", "timed out", "survived", "no test", "killed, %", "minutes")


class Area(NamedTuple):
    """Modules in `tagger/`, and the tests in `tests/` that are to notice a change in them.

    `left_out` is pytest's `-k` expression of tests that take too long for this.
    """

    modules: Sequence[str]
    tests: Sequence[str]
    left_out: str = ""


AREAS = {
    "schemes": Area(["corpus/schemes.py"], ["corpus/test_schemes.py"]),
    "scores": Area(
        ["evaluation/scores.py"], ["evaluation/test_scores.py", "evaluation/test_strict.py"], "imported_only"
    ),
    "strict": Area(["evaluation/strict.py"], ["evaluation/test_strict.py"]),
    "alignment": Area(["evaluation/prediction_files.py"], ["evaluation/test_prediction_files.py"], "published"),
    "decoder": Area(
        ["decoding/decoder.py", "decoding/forward_backward.py", "decoding/k_best.py"],
        [
            f"decoding/test_{name}.py"
            for name in ("decoder", "forward_backward", "k_best", "many_labels", "temperature")
        ],
        left_out="ten_thousand or very_long or memory_does_not_grow",
    ),
    "crf": Area(
        ["model/crf.py", "model/partition.py"],
        [f"model/test_{name}.py" for name in ("crf", "partial_crf", "partition")],
    ),
    "jobs": Area(
        [f"bulk/{name}.py" for name in ("job", "parts", "run_state")],
        ["bulk/test_job.py", "bulk/test_parts.py", "commands/test_tag.py", "commands/test_resume.py"],
        left_out="slow or extended",
    ),
    "loader": Area(["training/loader.py"], ["training/test_loader.py", "training/test_replaced_mentions.py"]),
}


def examine(name: str, folder: Path, sample: int = 0, kept: bool = False) -> list[str]:
    """Run mutmut on an area, print what survived, and return the area's row of the table.

    Args:
        name: the area.
        folder: an empty folder, or that of an earlier run. Then the changes that survived there are tried again.
        sample: how many changes to draw at random; 0 for all.
        kept: print only names of changes, for `mutmut show` in the folder, which stays.

    Raises:
        subprocess.CalledProcessError: the tests fail without any change, or mutmut does.
    """
    began = time.monotonic()
    again = (folder / "mutants").is_dir()
    _copy_repository(folder, again)
    (folder / "setup.cfg").write_text(settings(AREAS[name]), encoding="utf-8")
    if sample and not again:
        _mutmut(folder, "run", "--max-children", "1", "none", check=False)  # makes the changes, and tries none
    found = _statuses(folder)
    chosen = sorted(found)
    if sample:
        chosen = random.Random(SEED).sample(chosen, min(sample, len(chosen)))
    pending = [mutant for mutant in chosen if found[mutant] in PENDING]
    if pending or not chosen:
        _mutmut(folder, "run", "--max-children", "1", *pending, quiet=False)
    found = _statuses(folder)
    statuses = {mutant: found[mutant] for mutant in chosen or found}
    for mutant, status in statuses.items():
        if status in PENDING:
            print(f"{mutant}: {status}" if kept else _mutmut(folder, "show", mutant), flush=True)
    count = Counter(statuses.values())
    killed = len(statuses) - sum(count[status] for status in PENDING)
    numbers = [len(statuses), killed, count["timeout"], count["survived"], count["no tests"]]
    minutes = (time.monotonic() - began) / 60
    return [name, *map(str, numbers), f"{100 * killed / len(statuses):.1f}", f"{minutes:.1f}"]


def _copy_repository(folder: Path, again: bool) -> None:
    """Copy the repository into a folder; if it was copied before, only what may have been added since: tests."""
    for part in ("tests",) if again else COPIED:
        if (REPOSITORY / part).is_dir():
            shutil.copytree(REPOSITORY / part, folder / part, dirs_exist_ok=True)
        else:
            shutil.copy(REPOSITORY / part, folder / part)
    if again:  # or mutmut forgets its results when a file of tests is added
        path = folder / "mutants" / "mutmut-stats.json"
        stats = json.loads(path.read_text(encoding="utf-8"))
        path.write_text(json.dumps(stats | {"config_fingerprint": {}}), encoding="utf-8")


def _statuses(folder: Path) -> dict[str, str]:
    """Return what became of each change so far, by its name; empty before the first run."""
    if not (folder / "mutants").is_dir():
        return {}
    lines = _mutmut(folder, "results", "--all", "True").splitlines()
    named = [line.strip().rpartition(": ") for line in lines if ": " in line]
    return {name: status for name, _, status in named}


def settings(area: Area) -> str:
    """Write mutmut's settings for an area."""
    lists = {
        "source_paths": ["tagger"],
        "only_mutate": [f"tagger/{module}" for module in area.modules],
        "do_not_mutate_patterns": NOT_CHANGED,
        "also_copy": ["conf", "data"],
        "pytest_add_cli_args": [
            f"--timeout={LONGEST}",
            "--hypothesis-profile=mutation",
            *([f"-knot ({area.left_out})"] if area.left_out else []),
        ],
        "pytest_add_cli_args_test_selection": [f"tests/{test}" for test in area.tests],
    }
    lines = [f"{key} =\n" + "".join(f"    {value}\n" for value in values) for key, values in lists.items()]
    return f"[mutmut]\ntimeout_multiplier = {PATIENCE}\n" + "".join(lines)


def _mutmut(folder: Path, *arguments: str, quiet: bool = True, check: bool = True) -> str:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}  # the copy is imported
    environment["OMP_NUM_THREADS"] = "1"
    command = [sys.executable, "-m", "mutmut", *arguments]
    output = subprocess.PIPE if quiet else sys.stderr
    done = subprocess.run(command, cwd=folder, env=environment, stdout=output, text=True, check=check)
    return done.stdout or ""


def main(argv: Sequence[str] | None = None) -> int:
    """Parse the command line and run; 0, or 2 for wrong use."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sample", type=int, default=0, metavar="N", help="try N changes drawn at random, not all")
    parser.add_argument(
        "--folder", type=Path, help="keep the work there; the next run with it tries again only what survived"
    )
    parser.add_argument("areas", nargs="+", choices=AREAS, metavar="AREA", help=", ".join(AREAS))
    arguments = parser.parse_args(argv)
    if find_spec("mutmut") is None:
        print("mutation.py: needs another package: pip install 'mutmut==3.8.1'", file=sys.stderr)
        return 2
    rows = []
    for name in arguments.areas:
        if arguments.folder is None:
            with tempfile.TemporaryDirectory() as folder:
                rows.append(examine(name, Path(folder), arguments.sample))
        else:
            (arguments.folder / name).mkdir(parents=True, exist_ok=True)
            rows.append(examine(name, arguments.folder / name, arguments.sample, kept=True))
    print(as_markdown(HEADER, rows, left=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
