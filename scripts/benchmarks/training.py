"""Models for the benchmark: trained once, with the time at which each dev score was known, and kept for later runs."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from peers.contest import hand_over
from peers.exchange import bytes_of

from tagger.corpus.dataset import Split, data_digest
from tagger.corpus.schemes import Scheme
from tagger.files import written_whole
from tagger.training.epoch_line import read_epoch_line

from .measuring import Failed, Measured, measure, over_rounds
from .systems import HERE, ROOT, TRAINERS, Trainer, Workplace

RECORD = "training.json"
_PARTS = ("config.py", "corpus", "features", "model", "training")  # of the package: what shapes a trained model


@dataclass(frozen=True)
class Point:
    """What was known of a training at a time.

    Attributes:
        seconds: since the process started.
        tokens: trained on by then, repeats counted.
        dev: the dev score then; None where training only begins.
    """

    seconds: float
    tokens: int
    dev: float | None


@dataclass(frozen=True)
class Trained:
    """A model and how it came to be.

    Attributes:
        model: its folder or file.
        curve: dev scores over time.
        seconds: of the whole training process.
        peak_bytes: of its memory.
        cut: whether it was stopped because its time was up.
    """

    model: Path
    curve: Sequence[Point]
    seconds: float
    peak_bytes: int
    cut: bool

    @property
    def best(self) -> float:
        """The best dev score."""
        return max(point.dev for point in self.curve if point.dev is not None)

    def seconds_to(self, score: float) -> float | None:
        """From the process's start until a dev score was reached; None if it never was."""
        return next((point.seconds for point in self.curve if point.dev is not None and point.dev >= score), None)

    @property
    def tokens_per_second(self) -> float | None:
        """Between the first point and the last, with the scoring of dev in between; None where there is one only."""
        first, last = self.curve[0], self.curve[-1]
        return (last.tokens - first.tokens) / (last.seconds - first.seconds) if last.tokens > first.tokens else None


def figures(runs: Sequence[Trained], goal: float | None) -> dict[str, Any]:
    """Of a system's trainings, one for each seed: each figure's median and range, and every curve.

    Args:
        runs: at least one.
        goal: spaCy's best dev score, if there is one; `seconds_to_spacys_best` has those that reached it alone.
    """
    by_name = {
        "tokens_per_second": [run.tokens_per_second for run in runs],
        "seconds_to_own_best": [run.seconds_to(run.best) for run in runs],
        "seconds_to_spacys_best": [] if goal is None else [run.seconds_to(goal) for run in runs],
        "seconds": [run.seconds for run in runs],
        "best_dev": [run.best for run in runs],
        "peak_rss_mb": [run.peak_bytes / 1e6 for run in runs],
    }
    known = {name: [value for value in values if value is not None] for name, values in by_name.items()}
    return {
        **{name: over_rounds(values) if values else None for name, values in known.items()},
        "cut_short": any(run.cut for run in runs),
        "curves": [[asdict(point) for point in run.curve] for run in runs],
    }


@dataclass(frozen=True)
class Lesson:
    """What all systems are trained on.

    Attributes:
        splits: train, dev and test.
        overrides: of `train.py`, that name these data.
        settings: further overrides, for this tagger alone.
        language: ISO 639-1 code, or "".
    """

    splits: Mapping[str, Split]
    overrides: Sequence[str]
    settings: Sequence[str]
    language: str

    @property
    def kind(self) -> str:
        return "tags" if self.splits["train"].scheme is Scheme.PLAIN else "entities"

    @property
    def train_tokens(self) -> int:
        return sum(map(len, self.splits["train"].sentences))


def trained(
    name: str, lesson: Lesson, place: Workplace, *, turn: int = 0, limit: float | None = None, again: bool = False
) -> Trained:
    """The model of a name: the one kept, if it is of the same data, settings and versions, else a new one.

    Args:
        name: `tagger`, or that of a peer's trainer.
        lesson: what to train on.
        place: where.
        turn: how many times it was trained before, each with another seed.
        limit: seconds after which training is stopped, and the best model so far used. A model that was not stopped
            is taken all the same; one that was is taken under the same limit only.
        again: train anew.

    Raises:
        Failed: training failed.
        UserError: an environment cannot be made.
    """
    folder = place.work / "models" / data_digest(lesson.splits)[:12] / (f"{name}-{turn + 1}" if turn else name)
    trainer = TRAINERS.get(name)
    key = _key(trainer, lesson, place)
    found = None if again else kept(folder, key, limit)
    if found is not None:
        return found
    until = "" if limit is None else f", for {limit:.0f} s at the most"
    print(f"training {name}{f', seed {turn + 1}' if turn else ''}{until} ...", flush=True)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    if trainer is None:
        measured = _train_ours(folder, lesson, place, turn, limit)
        curve, model = own_curve(measured.lines, lesson.train_tokens), folder / "run" / "model"
    else:
        measured = _train_peer(trainer, folder, lesson, place, turn, limit)
        events = measured.events()
        curve = [Point(seconds, told["tokens"], told.get("dev")) for seconds, told in events]
        model = folder / trainer.model
    if not model.exists() or all(point.dev is None for point in curve):
        raise Failed(f"training {name} left no model ({folder})")
    made = Trained(model, curve, measured.seconds, measured.peak_bytes, measured.cut)
    _keep(made, folder, key, limit)
    return made


def _keep(made: Trained, folder: Path, key: str, limit: float | None) -> None:
    """Write what `kept` reads."""
    content = {
        "key": key,
        "limit": limit,
        "cut": made.cut,
        "seconds": made.seconds,
        "peak_bytes": made.peak_bytes,
        "model": str(made.model.relative_to(folder)),
        "curve": [asdict(point) for point in made.curve],
    }
    with written_whole(folder / RECORD) as stream:
        stream.write(json.dumps(content, indent=1) + "\n")


def kept(folder: Path, key: str, limit: float | None) -> Trained | None:
    """The model of an earlier run; None where there is none, or one of other data, settings, versions or limit."""
    try:
        content = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        if content["key"] != key or (content["cut"] and content["limit"] != limit):
            return None
        curve = [Point(**point) for point in content["curve"]]
        return Trained(folder / content["model"], curve, content["seconds"], content["peak_bytes"], content["cut"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def own_curve(lines: Sequence[tuple[float, str]], tokens: int) -> list[Point]:
    """From the lines that `train.py` writes after each epoch.

    Args:
        lines: with their seconds.
        tokens: that an epoch has.
    """
    found = [(seconds, read_epoch_line(line)) for seconds, line in lines]
    return [Point(seconds, epoch[0] * tokens, epoch[1]) for seconds, epoch in found if epoch]


def model_bytes(model: Path) -> int:
    """Of a model's files."""
    return bytes_of(model)


def _train_ours(folder: Path, lesson: Lesson, place: Workplace, turn: int, limit: float | None) -> Measured:
    own = [f'run_dir="{(folder / "run").absolute()}"', f"threads={place.threads}", f"seed={turn + 1}"]
    quiet = "trainer.enable_progress_bar=false"
    command = [place.python(None), ROOT / "train.py", *lesson.overrides, *own, quiet, *lesson.settings]
    # in the folder, where `runs/latest`, which it moves, is nobody's
    return measure(command, place.variables(ours=True), log=folder / "log.txt", folder=folder, limit=limit)


def _train_peer(
    trainer: Trainer, folder: Path, lesson: Lesson, place: Workplace, turn: int, limit: float | None
) -> Measured:
    hand_over(lesson.splits, folder)
    asked = ["--folder", folder.absolute(), "--kind", lesson.kind, "--language", lesson.language or "xx"]
    asked += ["--seed", str(turn)]
    command = [place.python(trainer), HERE / trainer.script, *asked]
    variables = place.variables(ours=False)
    if trainer.searches:
        half = None if limit is None else limit / 2
        measure(command, variables, log=folder / "search.txt", limit=half)
    return measure(command, variables, log=folder / "log.txt", limit=limit)


def _key(trainer: Trainer | None, lesson: Lesson, place: Workplace) -> str:
    """What a kept model must agree in."""
    data = [data_digest(lesson.splits), place.threads]
    if trainer is not None:
        scripts = [HERE / trainer.script, *sorted((HERE.parent / "peers").glob("*.py"))]
        return _digest([*data, trainer.requirements, *(path.read_text(encoding="utf-8") for path in scripts)])
    package = ROOT / "tagger"
    files = [path for part in _PARTS for path in sorted([package / part, *(package / part).rglob("*.py")])]
    files += sorted((ROOT / "conf").rglob("*.yaml"))
    return _digest([*data, *lesson.settings, *(path.read_text(encoding="utf-8") for path in files if path.is_file())])


def _digest(content: Sequence[Any]) -> str:
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()
