"""The cells that are compared, at one hidden size and at one number of parameters, and the runs that train them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path

from tagger.config import Cell, LayerConfig
from tagger.model_folder.folder import ModelFolder
from tagger.runs.record import RunRecord
from tagger.tensor_shapes import expected_shapes

ROOT = Path(__file__).resolve().parents[2]
SIZE, PARAMETERS = "size", "parameters"  # what is equal
_EMBEDDINGS = "embeddings."
_WIDEST = 1024


@dataclass(frozen=True)
class Contender:
    """A cell, or two, one upon the other.

    Attributes:
        name: on the command line and in results.
        title: in tables.
        preset: of `conf/encoder/`.
        cells: of its layers.
    """

    name: str
    title: str
    preset: str
    cells: tuple[Cell, ...]


CONTENDERS = {
    contender.name: contender
    for contender in (
        Contender("rnn", "plain RNN", "birnn", ("rnn",)),
        Contender("lstm", "LSTM", "bilstm", ("lstm",)),
        Contender("gru", "GRU", "bigru", ("gru",)),
        Contender("gru_reset_before", "GRU, reset before", "gru_reset_before", ("gru_reset_before",)),
        Contender("gru_blstm", "GRU-BLSTM", "gru_blstm", ("gru", "lstm")),
    )
}
REFERENCE = CONTENDERS["gru"]  # whose number of parameters the others match


def parameters(folder: ModelFolder, contender: Contender, hidden: int) -> int:
    """Numbers that are learnt behind the embeddings, in a model like this one but with other recurrent layers.

    Args:
        folder: a model of the data set, whose words and tags count.
        contender: whose layers they are.
        hidden: units per direction.
    """
    layers = tuple(LayerConfig(cell=cell) for cell in contender.cells)
    encoder = replace(folder.config.encoder, hidden_size=hidden, layers=layers)
    shapes = expected_shapes(replace(folder.config, encoder=encoder), folder.vocabularies)
    return sum(prod(shape) for name, shape in shapes.items() if not name.startswith(_EMBEDDINGS))


def hidden_size(folder: ModelFolder, contender: Contender, hidden: int, equal: str) -> int:
    """The hidden size at which a contender has what is `equal`: the reference's, or nearest to its parameters."""
    if equal == SIZE:
        return hidden
    wanted = parameters(folder, REFERENCE, hidden)
    return min(range(1, _WIDEST), key=lambda size: abs(parameters(folder, contender, size) - wanted))


@dataclass(frozen=True)
class Job:
    """A run of the grid.

    Attributes:
        data: overrides that say where its data lie.
        contender, hidden: its layers.
        seed: its own.
        folder: the run's.
    """

    data: tuple[str, ...]
    contender: Contender
    hidden: int
    seed: int
    folder: Path

    @property
    def record(self) -> RunRecord | None:
        """What the run says of itself, once it is finished."""
        record = RunRecord.read(self.folder)
        return None if record is None or record.stopped_by else record

    def command(self, overrides: Sequence[str], folder: Path) -> list[str]:
        """The command that trains it into a folder."""
        shape = [f"encoder={self.contender.preset}", f"encoder.hidden_size={self.hidden}"]
        own = [f"seed={self.seed}", f'run_dir="{folder}"', "latest=null"]
        return [sys.executable, str(ROOT / "train.py"), *self.data, *overrides, *shape, *own]

    def train(self, overrides: Sequence[str]) -> int:
        """Train it, going on where it stopped; returns the exit code."""
        begun = ["resume=true"] if (self.folder / "checkpoints").exists() else []
        return subprocess.run([*self.command(overrides, self.folder), *begun], env=one_thread()).returncode


def job(name: str, data: Sequence[str], contender: Contender, hidden: int, seed: int, runs: Path) -> Job:
    """The run of a contender on the data set called `name`; the same whatever it is compared in."""
    folder = runs / name.replace("/", "_") / f"{contender.name}-{hidden}" / f"seed{seed}"
    return Job(tuple(data), contender, hidden, seed, folder)


def one_thread() -> dict[str, str]:
    """The environment of a run that keeps to one core."""
    return {**os.environ, "OMP_NUM_THREADS": "1"}
