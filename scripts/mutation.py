"""Change the source a little, one place at a time, and count how many changes the tests notice.

    pip install 'mutmut==3.8.1'
    nice -n 19 python scripts/mutation.py schemes scores strict alignment

mutmut makes the changes and runs the tests, in a copy of the repository in a temporary folder. `AREAS` says which tests
belong to which module. The script prints a table, and the changes that no test noticed. Messages to users are not
changed.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from tagger.runs.tables import as_markdown

REPOSITORY = Path(__file__).resolve().parent.parent
COPIED = ("tagger", "tests", "conf", "data", "pyproject.toml")
NOT_CHANGED = ("raise ", "assert ", "warnings")  # lines with these; a statement that starts there is not changed at all
PATIENCE = 60.0  # times what the tests of a change take without it; then it counts as timed out
HEADER = ("area", "changes", "killed", "timed out", "survived", "no test", "killed, %", "minutes")


class Area(NamedTuple):
    """Modules in `tagger/`, and the tests in `tests/` that are to notice a change in them."""

    modules: Sequence[str]
    tests: Sequence[str]


AREAS = {
    "schemes": Area(["corpus/schemes.py"], ["corpus/test_schemes.py"]),
    "scores": Area(["evaluation/scores.py"], ["evaluation/test_scores.py"]),
    "strict": Area(["evaluation/strict.py"], ["evaluation/test_strict.py"]),
    "alignment": Area(["evaluation/prediction_files.py"], ["evaluation/test_prediction_files.py"]),
    "decoder": Area(
        ["decoding/decoder.py", "decoding/forward_backward.py", "decoding/k_best.py"],
        ["decoding/test_decoder.py", "decoding/test_forward_backward.py", "decoding/test_k_best.py"],
    ),
    "crf": Area(["model/crf.py", "model/partition.py"], ["model/test_crf.py"]),
    "loader": Area(["training/loader.py"], ["training/test_loader.py", "training/test_replaced_mentions.py"]),
}


def examine(name: str, folder: Path) -> list[str]:
    """Run mutmut on an area in an empty folder, print what survived, and return the area's row of the table.

    Raises:
        subprocess.CalledProcessError: the tests fail without any change, or mutmut does.
    """
    began = time.monotonic()
    for part in COPIED:
        copy = shutil.copytree if (REPOSITORY / part).is_dir() else shutil.copy
        copy(REPOSITORY / part, folder / part)
    (folder / "setup.cfg").write_text(settings(AREAS[name]), encoding="utf-8")
    _mutmut(folder, "run", "--max-children", "1", quiet=False)
    survived = [line.split(":")[0].strip() for line in _mutmut(folder, "results").splitlines() if ": survived" in line]
    for mutant in survived:
        print(_mutmut(folder, "show", mutant), flush=True)
    _mutmut(folder, "export-cicd-stats")
    found = json.loads((folder / "mutants" / "mutmut-cicd-stats.json").read_text(encoding="utf-8"))
    killed = found["killed"] + found["timeout"]
    numbers = [found["total"], found["killed"], found["timeout"], found["survived"], found["no_tests"]]
    minutes = (time.monotonic() - began) / 60
    return [name, *map(str, numbers), f"{100 * killed / found['total']:.1f}", f"{minutes:.1f}"]


def settings(area: Area) -> str:
    """Write mutmut's settings for an area."""
    lists = {
        "source_paths": ["tagger"],
        "only_mutate": [f"tagger/{module}" for module in area.modules],
        "do_not_mutate_patterns": NOT_CHANGED,
        "also_copy": ["conf", "data"],
        "pytest_add_cli_args_test_selection": [f"tests/{test}" for test in area.tests],
    }
    lines = [f"{key} =\n" + "".join(f"    {value}\n" for value in values) for key, values in lists.items()]
    return f"[mutmut]\ntimeout_multiplier = {PATIENCE}\n" + "".join(lines)


def _mutmut(folder: Path, *arguments: str, quiet: bool = True) -> str:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}  # the copy is imported
    environment["OMP_NUM_THREADS"] = "1"
    command = [sys.executable, "-m", "mutmut", *arguments]
    output = subprocess.PIPE if quiet else sys.stderr
    done = subprocess.run(command, cwd=folder, env=environment, stdout=output, text=True, check=True)
    return done.stdout or ""


def main(argv: Sequence[str] | None = None) -> int:
    """Parse the command line and run; 0, or 2 for wrong use."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("areas", nargs="+", choices=AREAS, metavar="AREA", help=", ".join(AREAS))
    arguments = parser.parse_args(argv)
    if find_spec("mutmut") is None:
        print("mutation.py: needs another package: pip install 'mutmut==3.8.1'", file=sys.stderr)
        return 2
    rows = []
    for name in arguments.areas:
        with tempfile.TemporaryDirectory() as folder:
            rows.append(examine(name, Path(folder)))
    print(as_markdown(HEADER, rows, left=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
