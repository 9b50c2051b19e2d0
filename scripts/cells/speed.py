"""How fast a cell trains and tags and what memory it takes; nothing else should run on the machine meanwhile."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from tagger.corpus.sentence import Sentence
from tagger.errors import UserError
from tagger.files import written_whole
from tagger.predict import load

from .contenders import Job, one_thread

NAME = "speed.json"
ENGINES = ("numpy", "torch")
_BATCHES = 40  # of the epoch that is timed
_ROUNDS = 3
# a process's peak begins with that of the one it was forked from, which therefore must be small
_WATCH = """
import resource, subprocess, sys
code = subprocess.call(sys.argv[1:], stdout=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
sys.exit(code)
"""


def measure(jobs: Mapping[str, Job], sentences: Sequence[Sentence], overrides: Sequence[str]) -> None:
    """Measure finished runs, in turns, and keep what was found beside each run.

    Args:
        jobs: by name.
        sentences: to tag.
        overrides: of the runs.

    Raises:
        UserError: a model or a run is missing or fails.
    """
    models = {
        (name, engine): load(job.folder / "model", engine=engine, threads=1)
        for name, job in jobs.items()
        for engine in ENGINES
    }
    tokens = sum(map(len, sentences))
    seconds: dict[tuple[str, str], list[float]] = {which: [] for which in models}
    for turn in range(_ROUNDS + 1):
        for which, model in models.items():
            begin = time.perf_counter()
            for _ in model.tag_sentences(sentences):
                pass
            if turn:  # the first fills caches
                seconds[which].append(time.perf_counter() - begin)
    for name, job in jobs.items():
        trained, memory = _trained(job, overrides)
        found = {
            **{f"{engine}_tokens_per_second": round(tokens / median(seconds[name, engine])) for engine in ENGINES},
            "training_tokens_per_second": round(trained),
            "training_megabytes": round(memory),
        }
        with written_whole(job.folder / NAME) as stream:
            stream.write(json.dumps(found) + "\n")
        print(f"{name}: {found}", flush=True)


def kept(job: Job) -> dict[str, Any]:
    """What was measured of a run; nothing if it was not."""
    try:
        return dict(json.loads((job.folder / NAME).read_text(encoding="utf-8")))
    except FileNotFoundError:
        return {}


def _trained(job: Job, overrides: Sequence[str]) -> tuple[float, float]:
    """Tokens per second of part of an epoch of the run's training, and the peak of the process's memory in MB."""
    with tempfile.TemporaryDirectory() as folder:
        short = ["trainer.max_epochs=1", f"trainer.limit_train_batches={_BATCHES}", "trainer.limit_val_batches=1"]
        command = job.command([*overrides, *short], Path(folder) / "run")
        watched = [sys.executable, "-S", "-c", _WATCH, *command]
        done = subprocess.run(watched, env=one_thread(), capture_output=True, text=True)
        if done.returncode:
            raise UserError(f"{' '.join(command)}: exit code {done.returncode}: {done.stderr.strip()[-500:]}")
        with open(Path(folder) / "run" / "logs" / "csv" / "metrics.csv", encoding="utf-8") as stream:
            speeds = [row["tokens_per_second"] for row in csv.DictReader(stream) if row.get("tokens_per_second")]
    return float(speeds[-1]), int(done.stdout.split()[-1]) / 1024
