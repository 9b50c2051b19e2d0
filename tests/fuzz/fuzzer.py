"""Fuzz the targets, each in processes of its own: libFuzzer makes the inputs, led by what code they reach.

    python -m tests.fuzz.fuzzer                                  # all targets, 100,000 inputs each
    python -m tests.fuzz.fuzzer jsonl tag --inputs 1000000
    python -m tests.fuzz.fuzzer jsonl --again build/fuzz/jsonl/crash-…

`--out` (default build/fuzz) gets a folder per target with its logs, the inputs worth keeping (`corpus/`, gone on with
the next time) and those that failed (`crash-…`, `timeout-…`). What is printed is a row of a table per target: inputs,
time, how much of the code they reached, what was found. Needs the extra `fuzz`.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import subprocess
import sys
from itertools import count
from pathlib import Path

from tests.fuzz.seeds import seeds, words
from tests.fuzz.targets import NAMES, SLOW, target

_LONGEST = {"model_folder": 2048, "tag_packed": 2048, "report": 128, "report_pictures": 128}  # bytes of an input
_USUAL = 256
_AT_ONCE = 20_000  # inputs to a process, in which atheris takes up more and more memory
_SECONDS = 60  # an input that takes longer has failed
_MEGABYTES = 3000
_LAST = re.compile(r"^Done (\d+) runs in (\d+) second", re.MULTILINE)
_REACHED = re.compile(r"^#\d+\s+\w+\s+cov: (\d+)", re.MULTILINE)


def main() -> int:
    """Run what the command line asks for; 0, or 1 where an input failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(NAMES))
    parser.add_argument("--inputs", type=int, default=100_000, metavar="N", help="for each; default: 100,000")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="of the fuzzer; default: 1")
    parser.add_argument("--out", type=Path, default=Path("build/fuzz"), metavar="DIR")
    parser.add_argument("--again", type=Path, metavar="FILE", help="give the target this one input, and nothing else")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if unknown := [name for name in arguments.targets if name not in NAMES]:
        parser.error(f"no target {unknown[0]}; there are {', '.join(NAMES)}")
    names = arguments.targets or list(NAMES)
    if arguments.again:
        target(names[0])(arguments.again.read_bytes())
        return 0
    if arguments.here:
        _fuzz(names[0], arguments.out, arguments.inputs, arguments.seed)
    return max([_run(name, arguments) for name in names])


def _run(name: str, arguments: argparse.Namespace) -> int:
    """Fuzz a target, round after round, and tell in a row what came of it."""
    (arguments.out / name / "corpus").mkdir(parents=True, exist_ok=True)
    left = max(1, arguments.inputs // SLOW.get(name, 1))
    done, seconds, reached, found = 0, 0, 0, "nothing"
    for number in count(1):
        log = arguments.out / name / f"log-{number}"
        ended = _round(name, log, min(left, _AT_ONCE), arguments.seed + number - 1)
        if ended is None:
            found = f"see {log}"
            break
        done, seconds, reached = done + ended[0], seconds + ended[1], max(reached, ended[2])
        left -= _AT_ONCE
        if left <= 0:
            break
    print(f"| {name} | {done:,} | {seconds:,} s | {reached} | {found} |", flush=True)
    return int(found != "nothing")


def _round(name: str, log: Path, inputs: int, seed: int) -> tuple[int, int, int] | None:
    """Inputs, seconds and places in the code, as libFuzzer reports them; None where an input failed."""
    how = [name, "--here", f"--inputs={inputs}", f"--seed={seed}", f"--out={log.parent}"]
    with log.open("w") as stream:
        code = subprocess.run(
            [sys.executable, "-m", "tests.fuzz.fuzzer", *how],
            stdout=stream,
            stderr=subprocess.STDOUT,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            check=False,
        ).returncode
    told = log.read_text(errors="replace")
    done, reached = _LAST.search(told), _REACHED.findall(told)
    return (int(done[1]), int(done[2]), int(reached[-1])) if code == 0 and done and reached else None


def _fuzz(name: str, place: Path, inputs: int, seed: int) -> None:
    """Does not come back: libFuzzer ends the process."""
    try:
        import atheris
    except ImportError:
        sys.exit("fuzzing needs the extra: pip install -e '.[train,dev,fuzz]'")
    with atheris.instrument_imports(include=["tagger"]):
        tested, known = target(name), seeds(name)
        with contextlib.suppress(AssertionError):  # as atheris says what it does, where nothing is to be said
            tested(known[0])  # some modules are imported when they are needed
    for number, content in enumerate(known):
        (place / "corpus" / f"seed-{number:04d}").write_bytes(content)
    escaped = ("".join(f"\\x{byte:02x}" for byte in word) for word in words())
    (place / "words").write_text("".join(f'"{word}"\n' for word in escaped), encoding="ascii")
    settings = {
        "runs": inputs,
        "seed": seed,
        "max_len": _LONGEST.get(name, _USUAL),
        "len_control": 10,  # inputs grow sooner than they would
        "timeout": _SECONDS,
        "rss_limit_mb": _MEGABYTES,
        "dict": place / "words",
        "artifact_prefix": f"{place}/",
        "print_final_stats": 1,
    }
    atheris.Setup([sys.argv[0], *(f"-{key}={value}" for key, value in settings.items()), str(place / "corpus")], tested)
    atheris.Fuzz()


if __name__ == "__main__":
    sys.exit(main())
