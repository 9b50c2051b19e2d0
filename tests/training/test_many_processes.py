"""Several processes on one run: every sentence once, gradients of all, the same scores as one; killed and resumed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tagger.commands import evaluate
from tagger.features.encoding import EncodedCorpus, FeatureEncoder
from tagger.model.batch import TensorBatch
from tagger.model.network import TaggerModel
from tagger.runs.record import RunRecord
from tagger.training.epoch_corpora import EpochCorpora
from tagger.training.loader import TrainingLoader
from tests.helpers.children import begin
from tests.helpers.many_processes import splits
from tests.helpers.random_models import random_folder
from tests.helpers.small_corpus import QUICK, column_files

pytestmark = pytest.mark.extended

LIMIT = 300
COUNTS = (1, 2, 3)
TWO = ["trainer=ddp", "trainer.accelerator=cpu", "trainer.max_epochs=2", "optim.batch_tokens=20"]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """By the number of processes, the folder with what they told."""
    folder = tmp_path_factory.mktemp("processes")
    process = begin("tests/helpers/many_processes.py", str(folder), *map(str, COUNTS))
    _, error = process.communicate(timeout=LIMIT)
    assert process.returncode == 0, error
    return {count: folder / str(count) for count in COUNTS}


def given(folder: Path, count: int) -> list[list[list[list[int]]]]:
    """Sentences by process, epoch and step."""
    return [json.loads((folder / f"given-{process}.json").read_text()) for process in range(count)]


def corpus() -> EncodedCorpus:
    start = random_folder()
    return EncodedCorpus(splits()[0], FeatureEncoder(start.config.embeddings, start.vocabularies), start.scheme)


@pytest.mark.parametrize("count", COUNTS)
def test_every_sentence_is_in_one_process_once_an_epoch_and_steps_are_as_many(
    count: int, told: dict[int, Path]
) -> None:
    expected = [number for number, sentence in enumerate(splits()[0]) if sentence.tokens]
    processes = given(told[count], count)
    for epoch in range(2):
        steps = [process[epoch] for process in processes]
        assert sorted(number for process in steps for batch in process for number in batch) == expected
        assert len({len(process) for process in steps}) == 1
    assert processes[0][0] != processes[0][1]


@pytest.mark.parametrize("count", COUNTS)
def test_the_seed_decides_what_each_process_is_given(count: int, told: dict[int, Path]) -> None:
    for process, found in enumerate(given(told[count], count)):
        loader = TrainingLoader(EpochCorpora([], corpus()), budget=20, seed=1, process=process, processes=count)
        for epoch, steps in enumerate(found):
            loader.set_epoch(epoch)
            assert [step.batch.sentences.tolist() for step in loader] == steps


def test_scores_are_the_same_whatever_the_number_of_processes(told: dict[int, Path]) -> None:
    reports = [json.loads((told[count] / "found.json").read_text()) for count in COUNTS]
    numbers = [number for number, _ in reports[0][0]["predicted"]]
    assert numbers == list(range(1, 24)), "23 sentences, which neither two nor three divide"
    assert reports[0] == reports[1] == reports[2]
    assert 0.3 < reports[0][0]["dev_f1"] < 0.9


@pytest.mark.parametrize("processes", [2, 3])
def test_the_mean_of_the_processes_gradients_is_that_of_their_sentences_together(processes: int) -> None:
    start, data = random_folder(), corpus()
    torch.manual_seed(0)
    network = TaggerModel(start.config, start.vocabularies, start.scheme).eval()
    loaders = [
        TrainingLoader(EpochCorpora([], data), budget=20, seed=1, process=process, processes=processes)
        for process in range(processes)
    ]
    uneven = False
    for steps in zip(*loaders, strict=True):
        together = np.concatenate([step.batch.sentences for step in steps])
        uneven |= len({len(step.batch.sentences) for step in steps}) > 1
        shares = [gradients(network, step.batch, step.weight / processes) for step in steps]
        whole = gradients(network, data.batch(together[np.argsort(-data.lengths[together], kind="stable")]), 1.0)
        for *parts, expected in zip(*shares, whole, strict=True):
            torch.testing.assert_close(sum(parts), expected, rtol=1e-4, atol=1e-6)
    assert uneven, "the weights are all 1"


def gradients(network: TaggerModel, batch: Any, weight: float) -> list[torch.Tensor]:
    network.zero_grad()
    (network.loss(TensorBatch.of(batch, torch.device("cpu"))) * weight).backward()
    return [
        torch.zeros_like(parameter) if parameter.grad is None else parameter.grad.clone()
        for parameter in network.parameters()
    ]


def trained(folder: Path, script: str, *arguments: str, moment: tuple[str, ...] = ()) -> subprocess.Popen[str]:
    """A run of two processes, in a session of their own."""
    overrides = [*column_files(folder), *QUICK, *TWO, "run_dir=run", *arguments]
    return begin(script, *moment, *overrides, cwd=folder, stderr=subprocess.STDOUT)


def finished(folder: Path, *arguments: str) -> None:
    said, _ = (process := trained(folder, "train.py", *arguments)).communicate(timeout=LIMIT)
    assert process.returncode == 0, said


def weights(folder: Path) -> bytes:
    return (folder / "run" / "model" / "model.safetensors").read_bytes()


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run of two processes and its data."""
    folder = tmp_path_factory.mktemp("unbroken")
    finished(folder)
    return folder


def test_two_processes_train_and_score_the_whole_dev_split(unbroken: Path, in_tmp_path: Path) -> None:
    assert evaluate.main([f"model={unbroken}/run/model", *column_files(unbroken), "split=dev", "out=report"]) == 0
    found = json.loads((in_tmp_path / "report" / "report.json").read_text())["headline"]["value"]
    assert RunRecord.read(unbroken / "run").dev == {"dev_f1": pytest.approx(found, abs=1e-6)}
    assert found > 0.5


def test_two_processes_killed_and_resumed_end_with_the_same_weights(unbroken: Path, tmp_path: Path) -> None:
    process = trained(tmp_path, "tests/helpers/held_run.py", "checkpoint_seconds=0", moment=("step", "12"))
    assert process.stdout is not None
    for line in process.stdout:
        if line == "held\n":
            break
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert (tmp_path / "run" / "checkpoints" / "last.ckpt").exists()
    assert not (tmp_path / "run" / "checkpoints" / "best.ckpt").exists(), "killed within the first epoch"
    finished(tmp_path, "resume=true")
    assert weights(tmp_path) == weights(unbroken)


def test_sigterm_to_the_first_process_stops_both_and_keeps_the_run(tmp_path: Path) -> None:
    process = trained(tmp_path, "train.py", "trainer.max_epochs=100000")
    assert process.stdout is not None
    said = []
    for line in process.stdout:
        said.append(line)
        if line.startswith("epoch 1:"):
            break
    process.send_signal(signal.SIGTERM)
    rest, _ = process.communicate(timeout=LIMIT)
    assert process.returncode == 128 + signal.SIGTERM, "".join(said) + rest
    assert "stopped by SIGTERM after" in rest
    assert (tmp_path / "run" / "model" / "model.safetensors").exists()
