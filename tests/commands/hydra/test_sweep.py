"""Multiruns: each job in a process and a folder of its own, whatever becomes of the others."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import pytest
from omegaconf import OmegaConf

import tagger
from tagger.commands import evaluate, train
from tagger.commands.hydra import hydra_entry
from tagger.commands.hydra.sweep import Sweep
from tagger.commands.train_settings import is_finished
from tagger.files import lock_folder
from tagger.runs.record import RunRecord
from tests.helpers.children import begin
from tests.helpers.small_corpus import QUICK, column_files

pytestmark = pytest.mark.extended

LONGEST = 300  # seconds, for a machine with much else to do
JOB = """\
import os, signal, sys, time
kind = sys.argv[1]
if kind == "waits":
    signal.signal(signal.SIGINT, lambda *_: sys.exit(130))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
if kind == "deaf":
    signal.signal(signal.SIGINT, lambda *_: print("heard", flush=True))
print(kind, flush=True)
while kind in ("waits", "deaf"):
    time.sleep(0.01)
if kind == "killed":
    os.kill(os.getpid(), signal.SIGKILL)
sys.exit(int(kind) if kind.isdecimal() else 0)
"""
DRIVER = """\
import sys
from tagger.commands.hydra.sweep import Sweep
sweep = Sweep("x.py", [sys.argv[1]])
try:
    for number, kind in enumerate(sys.argv[2:]):
        sweep.run(f"job-{number}", [kind])
finally:
    code = sweep.close()
sys.exit(code)
"""


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(in_tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["train.py"])


@pytest.fixture
def job(tmp_path: Path) -> str:
    """A program that does what its argument says."""
    script = tmp_path / "job.py"
    script.write_text(JOB, encoding="utf-8")
    return str(script)


def lines_until(stream: IO[str] | None, beginning: str) -> Iterator[str]:
    """Lines as they come, up to one that begins so."""
    assert stream is not None
    for line in stream:
        yield line
        if line.startswith(beginning):
            return
    pytest.fail(f"no line began with {beginning!r}")


@pytest.mark.parametrize(
    ("kinds", "code", "told"),
    [
        (["0", "0"], 0, "2 jobs finished"),
        (["0", "1", "0"], 1, "1 of 3 jobs failed: job-1 (exit code 1)"),
        (["killed", "0"], 1, "1 of 2 jobs failed: job-0 (killed by SIGKILL)"),
        (["1", "2", "143", "0"], 2, "job-0 (exit code 1), job-1 (exit code 2), job-2 (stopped by SIGTERM)"),
    ],
)
def test_all_jobs_are_run_and_the_last_line_names_those_that_failed(
    kinds: list[str], code: int, told: str, job: str, capfd: pytest.CaptureFixture[str]
) -> None:
    sweep = Sweep("x.py", [job])
    for number, kind in enumerate(kinds):
        sweep.run(f"job-{number}", [kind])
    assert sweep.close() == code
    shown = capfd.readouterr()
    assert shown.out.split() == kinds
    assert told in shown.err.splitlines()[-1]


def test_a_sweep_leaves_the_handlers_of_signals_as_they_were(job: str) -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]
    sweep = Sweep("x.py", [job])
    sweep.run("a", ["0"])
    sweep.close()
    assert before == [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]


def test_ctrl_c_stops_a_job_and_the_next_begins(job: str) -> None:
    process = begin("-c", DRIVER, job, "waits", "0")
    list(lines_until(process.stdout, "waits"))
    process.send_signal(signal.SIGINT)
    out, error = process.communicate(timeout=LONGEST)
    assert out.split() == ["0"]
    assert process.returncode == 1
    assert "1 of 2 jobs failed: job-0 (stopped by Ctrl-C)" in error.splitlines()[-1]


def test_a_second_ctrl_c_stops_the_sweep(job: str) -> None:
    process = begin("-c", DRIVER, job, "deaf", "0")
    list(lines_until(process.stdout, "deaf"))
    process.send_signal(signal.SIGINT)
    list(lines_until(process.stdout, "heard"))
    process.send_signal(signal.SIGINT)
    out, error = process.communicate(timeout=LONGEST)
    assert out.split() == []
    assert "1 of 1 jobs failed: job-0 (killed by SIGKILL)" in error


def test_sigterm_has_the_job_end_and_stops_the_sweep(job: str) -> None:
    process = begin("-c", DRIVER, job, "waits", "0")
    list(lines_until(process.stdout, "waits"))
    process.send_signal(signal.SIGTERM)
    out, error = process.communicate(timeout=LONGEST)
    assert process.returncode == 143
    assert out.split() == []
    assert "job-0 (stopped by SIGTERM)" in error.splitlines()[-1]


def test_a_job_that_failed_leaves_the_others_and_their_folders_need_no_quotes(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    values = ["encoder.hidden_size=0,8", "encoder.cell='gru',[gru, lstm]", 'data.title="é = (a,b) {c}"']
    shapes = [override for override in QUICK if not override.startswith("encoder.hidden_size")]
    arguments = [*column_files(tmp_path), *shapes, "trainer.max_epochs=1", "run_dir=sweep"]
    assert train.main(["-m", *arguments, *values[::2]]) == 2
    told = capfd.readouterr().err.splitlines()
    assert "encoder.hidden_size: must be at least 1" in " ".join(told)
    assert "1 of 2 jobs failed: sweep/0_" in told[-1]
    (folder,) = [path.parent for path in Path("sweep").glob("*/model")]
    assert folder.name.startswith("1_")
    assert folder.name.isascii()
    assert evaluate.main([f"model={folder}/model", *column_files(tmp_path), f"out={folder}/again"]) == 0
    composed = hydra_entry.compose("train", [f"run_dir={folder}", f"init_from={folder}/model", f"data.dir={folder}"])
    assert composed["run_dir"] == str(folder)


def test_resuming_skips_what_has_finished_and_goes_on_with_the_rest(tmp_path: Path) -> None:
    arguments = [*column_files(tmp_path), *QUICK, "run_dir=sweep", "-m", "trainer.max_epochs=1,100000"]
    first = begin("train.py", *arguments)
    list(lines_until(first.stderr, "epoch 2"))
    first.send_signal(signal.SIGINT)
    _, error = first.communicate(timeout=LONGEST)
    assert first.returncode == 1, error
    assert "1 of 2 jobs failed: sweep/1_" in error.splitlines()[-1]
    whole, stopped = sorted(path.parent for path in Path("sweep").glob("*/run.json"))
    before = (whole / "run.json").read_bytes()

    again = begin("train.py", *arguments, "resume=true")
    told = list(lines_until(again.stderr, "epoch"))
    assert f"{whole}: finished earlier; skipped" in told[0]
    assert int(told[-1].removeprefix("epoch ").partition(":")[0]) >= 2
    again.send_signal(signal.SIGTERM)
    _, error = again.communicate(timeout=LONGEST)
    assert again.returncode == 143, error
    assert (whole / "run.json").read_bytes() == before
    assert tagger.load(stopped / "model").labels == ["LOC", "PER"]


def test_a_run_that_still_trains_is_not_resumed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = [*column_files(tmp_path), *QUICK, "run_dir=run", "trainer.max_epochs=100000"]
    process = begin("train.py", *arguments)
    list(lines_until(process.stderr, "epoch 1"))
    assert train.main([*arguments, "resume=true"]) == 2
    assert "run: another process works in it" in capsys.readouterr().err
    process.kill()
    process.communicate(timeout=LONGEST)
    with lock_folder(Path("run")):
        pass


@pytest.mark.parametrize(
    ("now", "stopped_by", "expected"),
    [
        (["resume=true"], None, True),
        (["resume=true", "latest=null", "run_dir=elsewhere"], None, True),
        ([], None, False),
        (["resume=true"], "SIGINT", False),
        (["resume=true", "seed=2"], None, False),
        (["resume=true", "data.train=other.conll"], None, False),
    ],
)
def test_a_run_has_finished_if_it_ended_by_itself_with_these_settings(
    now: list[str], stopped_by: str | None, expected: bool, tmp_path: Path
) -> None:
    common = ["data=conll", "data.train=some.conll", "run_dir=run"]
    numbers: dict[str, Any] = {"seed": 1, "train_tokens": 1, "epochs": 1, "seconds": 1.0, "model_bytes": 1}
    rest: dict[str, Any] = {"data_sha256": "", "dev": {}, "test": {}, "resumed": False, "versions": {}}
    RunRecord(stopped_by=stopped_by, **numbers, **rest).write(tmp_path)
    hydra_entry.save_config(hydra_entry.compose("train", common), tmp_path / "config.yaml")
    assert is_finished(OmegaConf.create(hydra_entry.compose("train", [*common, *now])), tmp_path) is expected


def test_a_job_of_several_processes_does_not_begin_the_sweep_anew(tmp_path: Path) -> None:
    settings = ["trainer=ddp", "trainer.accelerator=cpu", "trainer.max_epochs=1", "run_dir=sweep"]
    process = begin("train.py", *column_files(tmp_path), *QUICK, *settings, "-m", "seed=1")
    _, error = process.communicate(timeout=LONGEST)
    assert process.returncode == 0, error
    assert error.splitlines()[-1] == "train.py: 1 job finished"
    assert len(list(Path("sweep").iterdir())) == 2  # the job and Hydra's record
    assert len(list(Path("sweep").glob("*/run.json"))) == 1


@pytest.mark.parametrize(
    ("begun_as", "given"),
    [(["tagger", "train", "seed=3"], ["seed=3"]), (["train.py", "seed=3"], ["seed=3"]), (["train.py"], [])],
)
def test_a_run_can_be_started_again_as_it_was_begun(
    begun_as: list[str], given: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[list[str]] = []
    monkeypatch.setattr(sys, "argv", begun_as)
    assert hydra_entry.run("train", lambda _: seen.append(list(sys.argv)), given) == 0
    assert seen == [begun_as]


def test_evaluation_can_be_swept_too(capfd: pytest.CaptureFixture[str]) -> None:
    assert evaluate.main(["-m", "model=nowhere", "split=dev,test"]) == 2
    told = capfd.readouterr().err.splitlines()[-1]
    assert told.startswith("evaluate.py: 2 of 2 jobs failed: ")
    assert "split=dev" in told
