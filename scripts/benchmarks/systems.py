"""Who is measured: this tagger by one engine or several, and its peers; how each is trained and asked."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from peers.contest import PEERS, environment, make_environment

from tagger.errors import DISTRIBUTION

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
OURS = "tagger"
SPACY = "spacy"
_OURS = (
    DISTRIBUTION,
    "numpy",
    "numba",
    "onnxruntime",
    "syntok",
    "torch",
)  # what may have a part in tagging or training
_FLAIR_PINS = ("torch==2.13.0", "flair==0.15.1")
_TUNING = (
    "one-hot words of 100, LSTM over characters, GRU of 128, CRF, nothing pretrained; Flair's own schedule, 50 epochs"
)


@dataclass(frozen=True)
class Trainer:
    """How a model comes to be.

    Attributes:
        name: of the model, and of the folder it is kept in.
        script: beside this file, run with a folder of splits (`peers/exchange.py`).
        model: what it leaves, in that folder.
        requirements: of its environment.
        tuning: what a reader of its scores should know.
        searches: whether it is run twice, the first time to choose settings.
        draws: whether its result depends on a seed.
    """

    name: str
    script: str
    model: str
    requirements: tuple[str, ...]
    tuning: str
    searches: bool = False
    draws: bool = True


@dataclass(frozen=True)
class System:
    """A row of the tables.

    Attributes:
        name: in JSON.
        title: in tables.
        model: the name of the model it runs.
        worker: beside this file, asked as `tasks.py` says.
        options: of the worker.
    """

    name: str
    title: str
    model: str
    worker: str
    options: tuple[str, ...] = ()


TRAINERS = {
    trainer.name: trainer
    for trainer in (
        Trainer(
            name=SPACY,
            script="spacy_trainer.py",
            model="spacy/model-best",
            requirements=PEERS["spacy"].requirements,
            tuning=f"{PEERS['spacy'].tuning}; seeds from 0 on where there are several; batches of 128, a fifth faster "
            "than its default and in less memory",
        ),
        Trainer(
            name="crfsuite",
            script="crfsuite_trainer.py",
            model="model.crfsuite",
            requirements=PEERS["crfsuite"].requirements,
            tuning=f"{PEERS['crfsuite'].tuning}; its seconds and speed are of the training with the chosen ones alone",
            searches=True,
            draws=False,
        ),
        Trainer(
            name="flair",
            script="flair_trainer.py",
            model="flair/best-model.pt",
            requirements=_FLAIR_PINS,
            tuning=_TUNING,
        ),
    )
}
PEER_SYSTEMS = {
    SPACY: (
        System(SPACY, "spaCy", SPACY, "spacy_worker.py"),
        System("spacy_without_blis", "spaCy, use_blis = False", SPACY, "spacy_worker.py", ("--blis", "no")),
    ),
    "crfsuite": (System("crfsuite", "CRFsuite", "crfsuite", "crfsuite_worker.py"),),
    "flair": (System("flair", "Flair", "flair", "flair_worker.py"),),
}


def versions_of(model: str) -> list[str]:
    """The packages that run a model: those pinned for a peer, those installed for this tagger."""
    if model in TRAINERS:
        return [*TRAINERS[model].requirements]
    found = {package: _version(package) for package in _OURS}
    return [f"{package}=={number}" for package, number in found.items() if number is not None]


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def our_systems(engines: Sequence[str]) -> list[System]:
    """This tagger with its default engine, and with each that is asked for, as `torch` or `numpy:int16`."""
    worker = "tagger_worker.py"
    found = [System(OURS, "this tagger", OURS, worker)]
    for asked in engines:
        engine, _, precision = asked.partition(":")
        options = ("--engine", engine, *(("--precision", precision) if precision else ()))
        name = "_".join(filter(None, (OURS, engine, precision)))
        found.append(System(name, f"this tagger, {precision or engine}", OURS, worker, options))
    return found


@dataclass(frozen=True)
class Workplace:
    """Where commands run and what they may use.

    Attributes:
        environments: folder of the peers' environment; Flair's own lies beside it.
        work: folder for models, input and output.
        threads: of each process.
    """

    environments: Path
    work: Path
    threads: int

    def python(self, trainer: Trainer | None) -> Path:
        """The interpreter of a peer, or of this tagger; environments are made on first use.

        Raises:
            UserError: one cannot be made.
        """
        if trainer is None:
            return Path(sys.executable)
        if trainer.name in PEERS:
            return _made(make_environment, self.environments, None)
        apart = self.environments.with_name(f"{self.environments.name}-{trainer.name}")
        return _made(make_environment, apart, trainer.requirements)

    def variables(self, *, ours: bool) -> Mapping[str, str]:
        """A process's environment variables: threads pinned, and where `exchange.py` and the peers' parts are found."""
        paths = [str(HERE.parent / "peers"), *([str(ROOT)] if ours else [])]
        limits = {"NUMBA_NUM_THREADS": str(self.threads), "TOKENIZERS_PARALLELISM": "false"}
        return {
            **environment(self.threads),
            **limits,
            "PYTHONPATH": os.pathsep.join(paths),
            "PYTHONUNBUFFERED": "1",
        }


@cache
def _made(make: Callable[..., Path], folder: Path, requirements: tuple[str, ...] | None) -> Path:
    return make(folder) if requirements is None else make(folder, requirements)


def task_command(
    system: System, task: str, model: Path, place: Workplace, *, source: Path, output: Path
) -> list[str | Path]:
    """The command that has a system do a task; this tagger turns text files into JSONL files with `tag.py`."""
    trainer = None if system.model == OURS else TRAINERS[system.model]
    python = place.python(trainer)
    if trainer is None and task == "raw":
        tag = [python, ROOT / "tag.py", source, "--model", model, "--output", output.parent, "--overwrite", "--quiet"]
        return [*tag, *system.options]
    asked = [python, HERE / system.worker, task, "--model", model, "--input", source, "--output", output]
    return [*asked, *system.options]
