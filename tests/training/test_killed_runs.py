"""Runs killed from outside and resumed end with the weights of the run that was never stopped, to the byte."""

from __future__ import annotations

import contextlib
import random
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tagger.commands import train
from tagger.training.checkpoint import read_last_checkpoint
from tests.helpers.children import begin
from tests.helpers.small_corpus import QUICK, column_files

pytestmark = pytest.mark.extended

OVERRIDES = [*QUICK, "optim.mention_replacement=0.3", "optim.ema=0.8", "run_dir=run"]
KEPT_OFTEN = "checkpoint_seconds=0"  # between all batches, of which an epoch has nine
LIMIT = 300


def model(folder: Path) -> bytes:
    return (folder / "run" / "model" / "model.safetensors").read_bytes()


def run_here(folder: Path, *arguments: str) -> None:
    with contextlib.chdir(folder):
        assert train.main([*column_files(folder), *OVERRIDES, *arguments]) == 0


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The weights of a run that kept no checkpoint within epochs, and was not stopped."""
    folder = tmp_path_factory.mktemp("unbroken")
    run_here(folder, "checkpoint_seconds=null")
    return model(folder)


def started(folder: Path, script: str, *arguments: str, moment: tuple[str, ...] = ()) -> subprocess.Popen[str]:
    overrides = [*column_files(folder), *OVERRIDES, KEPT_OFTEN, *arguments]
    return begin(script, *moment, *overrides, cwd=folder, stderr=subprocess.STDOUT)


def lines_until(process: subprocess.Popen[str], wanted: str | tuple[str, ...]) -> Iterator[str]:
    """What it says up to a line that begins so, in one of these ways."""
    assert process.stdout is not None
    for line in process.stdout:
        yield line
        if line.startswith(wanted):
            return


def killed_at(folder: Path, moment: str, number: int) -> None:
    process = started(folder, "tests/helpers/held_run.py", moment=(moment, str(number)))
    limit = threading.Timer(LIMIT, process.kill)
    limit.start()
    said = list(lines_until(process, "held"))
    process.kill()
    process.wait()
    limit.cancel()
    assert said[-1:] == ["held\n"], "".join(said)


@pytest.mark.parametrize(
    ("moment", "number"),
    [
        ("step", 1),  # there is no checkpoint yet
        ("step", 14),  # in the middle of the second epoch
        ("step", 19),  # the first of the third
        ("scoring", 2),  # the second epoch's end
        ("half a checkpoint", 5),  # within the first epoch, the one after each of four steps
        ("half a checkpoint", 9),  # best.ckpt
        ("half a checkpoint", 10),  # last.ckpt at the epoch's end
        ("new name", 12),
        ("model", 1),  # trained, but there is no model
    ],
    ids=lambda value: str(value).replace(" ", "_"),
)
def test_a_run_killed_there_ends_as_the_unbroken_one(moment: str, number: int, tmp_path: Path, unbroken: bytes) -> None:
    killed_at(tmp_path, moment, number)
    assert not (tmp_path / "run" / "model").exists()
    run_here(tmp_path, KEPT_OFTEN, "resume=true")
    assert model(tmp_path) == unbroken
    left = sorted(path.name for path in (tmp_path / "run" / "checkpoints").iterdir())
    assert left == ["best.ckpt", "last.ckpt", "previous.ckpt"]


def test_sigterm_from_outside_ends_a_run_with_143_and_leaves_a_model(tmp_path: Path) -> None:
    process = started(tmp_path, "train.py", "trainer.max_epochs=100000")
    limit = threading.Timer(LIMIT, process.kill)
    limit.start()
    said = list(lines_until(process, "epoch 2:"))
    process.send_signal(signal.SIGTERM)
    rest, _ = process.communicate()
    limit.cancel()
    assert process.returncode == 128 + signal.SIGTERM, "".join(said) + rest
    assert "stopped by SIGTERM after" in rest
    assert model(tmp_path)


@pytest.mark.slow
def test_runs_killed_at_random_moments_end_as_the_unbroken_one(tmp_path: Path) -> None:
    """Ten runs of 270 steps, each killed twice, some time after a random epoch's end, and then resumed."""
    longer, chance = "trainer.max_epochs=30", random.Random(1)
    (tmp_path / "unbroken").mkdir()
    run_here(tmp_path / "unbroken", KEPT_OFTEN, longer)
    for number in range(10):
        folder = tmp_path / str(number)
        folder.mkdir()
        for epoch in sorted(chance.sample(range(21), 2)):
            process = started(folder, "train.py", longer, "resume=true")
            ends = tuple(f"epoch {later}:" for later in range(epoch, 31)) if epoch else "train:"
            said = list(lines_until(process, ends))
            time.sleep(chance.uniform(0, 0.2))
            process.kill()
            rest, _ = process.communicate()
            assert process.returncode in (-signal.SIGKILL, 0), "".join(said) + rest
            kept = read_last_checkpoint(folder / "run" / "checkpoints")
            print(f"run {number}: killed after epoch {epoch}, step {kept[1]['global_step'] if kept else 0} kept")
        run_here(folder, KEPT_OFTEN, longer, "resume=true")
        assert model(folder) == model(tmp_path / "unbroken")
