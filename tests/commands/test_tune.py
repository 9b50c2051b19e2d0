"""The search for settings: spaces read and checked; studies that go on, are shared, prune, and outlive failures."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tagger.commands import study as study_module
from tagger.commands import train as train_command
from tagger.commands import tune as tune_command
from tagger.commands.main import run_command
from tagger.commands.search_space import Dimension, as_overrides, check_space, read_space
from tagger.commands.study import Study
from tagger.errors import UserError
from tests.helpers.repository import REPOSITORY
from tests.helpers.small_corpus import QUICK, column_files

pytestmark = [
    pytest.mark.extended,
    pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning"),
]

STAND_IN = """\
import json, pathlib, sys, time
settings = dict(argument.split("=", 1) for argument in sys.argv[1:])
quick = "quick" in settings
lr, epochs = float(settings["optim.optimizer.lr"]), 1 if quick else int(settings.get("epochs", 5))
folder = pathlib.Path(settings["run_dir"])
folder.mkdir(parents=True)
(folder / "settings.json").write_text(json.dumps(settings))
if settings.get("fail") == "always" or (settings.get("fail") == "above" and lr > 0.5):
    print("train.py: no such thing", file=sys.stderr)
    raise SystemExit(2)
score = round(1 - abs(lr - 0.3), 4)
for epoch in range(1, epochs + 1):
    print(f"epoch {epoch}: epoch_loss 1.0, dev_f1 {score * epoch / epochs:.4f}", file=sys.stderr, flush=True)
    time.sleep(float(settings.get("sleep", 0)))
rest = {"data_sha256": "", "train_tokens": 1, "test": {}, "epochs": epochs, "seconds": 1.0, "resumed": False}
record = {"format": 1, "seed": 1, "dev": {"dev_f1": score}, "stopped_by": None, "model_bytes": 1, "versions": {}}
(folder / "run.json").write_text(json.dumps({**record, **rest}))
"""
SPACE = [Dimension("optim.optimizer.lr", low=0.001, high=1.0)]


@pytest.fixture(scope="module")
def stand_in(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, ...]:
    """In place of train.py: its dev score is the better the nearer the learning rate is to 0.3."""
    script = tmp_path_factory.mktemp("stand-in") / "train.py"
    script.write_text(STAND_IN, encoding="utf-8")
    return (str(script),)


@pytest.fixture
def stand_in_trains(stand_in: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the command train with the stand-in. Settings that only the stand-in knows are not checked."""
    monkeypatch.setattr(Study.run, "__defaults__", (stand_in,))
    monkeypatch.setattr(tune_command, "check_space", lambda *_: None)


def told(_: str) -> None:
    """Nothing is done with what a study says."""


def write_space(folder: Path, text: str) -> str:
    path = folder / "space.yaml"
    path.write_text(text, encoding="utf-8")
    return str(path)


@pytest.mark.parametrize("name", sorted(path.stem for path in (REPOSITORY / "conf" / "tune").glob("*.yaml")))
def test_the_spaces_that_come_along_are_known_to_training(name: str) -> None:
    check_space(read_space(name), ["data=starter"])


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ("{low: 1, high: 8}", Dimension("a.b", low=1, high=8)),
        ("{low: 0.1, high: 2, log: true}", Dimension("a.b", low=0.1, high=2, log=True)),
        ("{low: 0, high: 10, step: 5}", Dimension("a.b", low=0, high=10, step=5)),
        ("{choices: [x, 1, 0.5, null, true]}", Dimension("a.b", choices=("x", 1, 0.5, None, True))),
    ],
)
def test_entries_of_a_space_are_read(entry: str, expected: Dimension, tmp_path: Path) -> None:
    assert read_space(write_space(tmp_path, f"a.b: {entry}\n")) == [expected]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "empty; name at least one setting"),
        ("[1, 2]", "expected a mapping"),
        ("a: {", "not YAML"),
        ("a: 3", "expected low and high, or choices"),
        ("a: {low: 1, hihg: 2}", "expected low and high, or choices"),
        ("a: {low: 1}", "low and high are numbers"),
        ("a: {low: 2, high: 1}", "low and high are numbers, the first the smaller"),
        ("a: {low: 1, high: '2'}", "low and high are numbers"),
        ("a: {low: true, high: 2}", "low and high are numbers"),
        ("a: {low: 0, high: 1, log: true}", "if true, low is above 0"),
        ("a: {low: 1, high: 9, log: true, step: 2}", "there is no step"),
        ("a: {low: 1, high: 9, log: 2}", "log is true or false"),
        ("a: {low: 1, high: 9, step: 0}", "step is a number above 0"),
        ("a: {low: 1, high: 9, step: 20}", "step is a number above 0 and no larger"),
        ("a: {choices: []}", "choices are a list"),
        ("a: {choices: x}", "choices are a list"),
        ("a: {choices: [[1]]}", "choices are a list of numbers, texts or null"),
        ("a: {choices: [1], low: 1}", "stand alone"),
    ],
)
def test_a_wrong_space_is_reported(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=message) as caught:
        read_space(write_space(tmp_path, text))
    assert "space.yaml" in str(caught.value)


def test_a_space_that_is_not_there_is_reported_with_those_that_are() -> None:
    with pytest.raises(UserError, match="--space nowhere: no such file, and no such space; there are default"):
        read_space("nowhere")


def test_a_setting_that_training_lacks_is_reported() -> None:
    with pytest.raises(UserError, match=r"optim\.optimiser\.lr: no such setting"):
        check_space([Dimension("optim.optimiser.lr", low=1, high=2)], [])


def test_values_are_written_as_the_command_line_reads_them() -> None:
    values = {"a": 0.00012345678, "b": 3, "c": None, "d": True, "e": "cosine"}
    assert as_overrides(values) == ["a=0.000123457", "b=3", "c=null", "d=true", "e=cosine"]


def test_a_study_finds_what_is_best_and_says_how_to_train_so(tmp_path: Path, stand_in: tuple[str, ...]) -> None:
    study = Study(tmp_path / "study", SPACE, ["data=x"])
    lines: list[str] = []
    study.run(12, lines.append, stand_in)
    trials = study.trials()
    assert [trial.number for trial in trials] == list(range(12))
    assert len(lines) == 12
    best = study.best()
    assert best is not None
    assert best.value == max(trial.value or 0 for trial in trials if trial.state == "complete")
    assert abs(best.settings["optim.optimizer.lr"] - 0.3) < 0.2
    command = shlex.split(study.command(best))
    assert command[:3] == ["python", "train.py", "data=x"]
    assert command[3] == as_overrides(best.settings)[0]
    record = json.loads((tmp_path / "study" / "trials" / f"{best.number:04d}" / "run.json").read_text())
    assert record["dev"]["dev_f1"] == best.value


def test_what_is_below_the_median_is_ended_early(tmp_path: Path, stand_in: tuple[str, ...]) -> None:
    study = Study(tmp_path / "pruned", SPACE, ["epochs=8", "sleep=0.02"])
    study.run(12, told, stand_in)
    pruned = [trial for trial in study.trials() if trial.state == "pruned"]
    assert pruned
    assert all(2 < trial.epochs <= 8 for trial in pruned)
    whole = Study(tmp_path / "whole", SPACE, ["epochs=8"], prune=False)
    whole.run(12, told, stand_in)
    assert all((trial.state, trial.epochs) == ("complete", 8) for trial in whole.trials())


def test_the_same_seed_gives_the_same_trials_however_often_the_study_was_stopped(
    tmp_path: Path, stand_in: tuple[str, ...]
) -> None:
    unbroken = Study(tmp_path / "one", SPACE, [], prune=False)
    unbroken.run(10, told, stand_in)
    for count in (3, 4, 9, 10):
        broken = Study(tmp_path / "two", SPACE, [], prune=False)
        broken.run(count, told, stand_in)
    assert [trial.settings for trial in broken.trials()] == [trial.settings for trial in unbroken.trials()]
    other = Study(tmp_path / "three", SPACE, [], seed=2)
    other.run(1, told, stand_in)
    assert other.trials()[0].settings != unbroken.trials()[0].settings


def test_a_study_that_has_enough_runs_nothing(tmp_path: Path, stand_in: tuple[str, ...]) -> None:
    Study(tmp_path, SPACE, []).run(2, told, stand_in)
    Study(tmp_path, SPACE, []).run(2, lambda _: pytest.fail("ran"), ("no-such-program",))


def test_a_trial_that_fails_does_not_end_the_study(tmp_path: Path, stand_in: tuple[str, ...]) -> None:
    study = Study(tmp_path, SPACE, ["fail=above"], prune=False)
    study.run(8, told, stand_in)
    states = Counter(trial.state for trial in study.trials())
    assert states["failed"] > 0
    assert states["complete"] > 0
    failed = next(trial for trial in study.trials() if trial.state == "failed")
    assert failed.error == "train.py: no such thing"
    assert "failed (train.py: no such thing)" in str(failed)
    assert "no such thing" in (tmp_path / "logs" / f"{failed.number:04d}.log").read_text()


def test_where_nothing_but_failures_comes_the_study_ends(tmp_path: Path, stand_in: tuple[str, ...]) -> None:
    study = Study(tmp_path, SPACE, ["fail=always"])
    with pytest.raises(UserError, match=r"every trial failed, the last: train\.py: no such thing"):
        study.run(50, told, stand_in)
    assert len(study.trials()) == 3
    assert study.best() is None


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"space": [Dimension("optim.optimizer.lr", low=0.1, high=1.0)]}, "space"),
        ({"overrides": ["data=y"]}, "overrides"),
        ({"seed": 7}, "seed"),
    ],
)
def test_a_study_of_something_else_is_not_continued(change: dict[str, Any], named: str, tmp_path: Path) -> None:
    how: dict[str, Any] = {"space": SPACE, "overrides": ["data=x"], "seed": 1}
    Study(tmp_path, **how)
    with pytest.raises(UserError, match=f"holds a study with another {named}; give those again"):
        Study(tmp_path, **{**how, **change})


def test_a_wrong_storage_is_reported(tmp_path: Path) -> None:
    (tmp_path / "study.db").write_bytes(b"not a database, but long enough to be taken for one " * 50)
    with pytest.raises(UserError, match=r"study\.db: cannot be read: .*set another --study"):
        Study(tmp_path, SPACE, [])


def test_a_folder_that_cannot_be_written_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(UserError, match="cannot write"):
        Study(tmp_path / "file" / "study", SPACE, [])


def test_workers_on_one_study_share_the_trials(tmp_path: Path, stand_in: tuple[str, ...]) -> None:
    lines: list[str] = []

    def work(_: int) -> None:
        Study(tmp_path, SPACE, ["sleep=0.02"], prune=False).run(9, lines.append, stand_in)

    with ThreadPoolExecutor(3) as workers:
        list(workers.map(work, range(3)))
    trials = Study(tmp_path, SPACE, ["sleep=0.02"]).trials()
    assert [trial.number for trial in trials] == list(range(9))
    assert len(lines) == 9
    assert len({trial.settings["optim.optimizer.lr"] for trial in trials}) == 9


def command(folder: Path, stand_in: tuple[str, ...], *arguments: str) -> subprocess.Popen[str]:
    """The script in a process of its own, training with the stand-in."""
    program = (
        f"import sys; sys.path.insert(0, {str(REPOSITORY)!r})\n"
        "from tagger.commands import main, study, tune\n"
        f"study.Study.run.__defaults__ = ({stand_in!r},)\n"
        "tune.check_space = lambda *_: None\n"
        "sys.exit(main.run_command('tune'))\n"
    )
    space = write_space(folder, "optim.optimizer.lr: {low: 0.001, high: 1.0}\n")
    given = [sys.executable, "-c", program, "--study", str(folder / "study"), "--space", space, *arguments]
    return subprocess.Popen(given, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait_for_scores(folder: Path) -> None:
    """Until a trial has said what its first epoch gave."""
    until = time.monotonic() + 300
    while not any("epoch 1" in path.read_text() for path in folder.glob("logs/*.log")):
        assert time.monotonic() < until
        time.sleep(0.05)


@pytest.mark.parametrize(("ended_by", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 130), (signal.SIGKILL, -9)])
def test_a_study_that_was_stopped_does_the_trial_it_was_at_again(
    tmp_path: Path,
    stand_in: tuple[str, ...],
    ended_by: signal.Signals,
    code: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    study = tmp_path / "study"
    process = command(tmp_path, stand_in, "--trials", "2", "--no-pruning", "epochs=3000", "sleep=0.05")
    wait_for_scores(study)
    process.send_signal(ended_by)
    _, errors = process.communicate(timeout=300)
    assert process.returncode == code
    if ended_by is not signal.SIGKILL:
        assert errors == f"tagger tune: stopped; the same command continues {study}\n"
    space = [Dimension("optim.optimizer.lr", low=0.001, high=1.0)]
    monkeypatch.setattr(study_module, "_SECONDS_WITHOUT_HEARTBEAT", 2)
    again = Study(study, space, ["epochs=3000", "sleep=0.05"], prune=False)
    assert again.trials() == []
    interrupted = json.loads((study / "trials" / "0000" / "settings.json").read_text())
    again.run(1, told, (*stand_in, "quick=yes"))
    (done,) = again.trials()
    assert as_overrides(done.settings) == [f"optim.optimizer.lr={interrupted['optim.optimizer.lr']}"]


@pytest.mark.parametrize("values", [{}, {"optim.optimizer.lr": 0.25}])
def test_a_trial_whose_worker_was_killed_before_it_began_is_not_waited_for(
    values: dict[str, float], tmp_path: Path, stand_in: tuple[str, ...]
) -> None:
    killed = Study(tmp_path, SPACE, [], prune=False)
    if values:  # of a trial that is run again
        killed._study.enqueue_trial(values)
    killed._study.ask()  # holds the lock as yet, and has no heartbeat
    study = Study(tmp_path, SPACE, [], prune=False)
    study.run(1, told, stand_in)
    (done,) = study.trials()
    assert done.state == "complete"
    assert not values or done.settings == values


def test_the_script_prints_trials_and_the_best_command_in_each_form(
    tmp_path: Path, stand_in_trains: None, capsys: pytest.CaptureFixture[str]
) -> None:
    space = write_space(tmp_path, "optim.optimizer.lr: {low: 0.001, high: 1.0}\n")
    given = ["--study", str(tmp_path / "study"), "--space", space, "--trials", "4", "data=x y"]
    assert run_command("tune", given) == 0
    printed = capsys.readouterr()
    assert printed.err.count("trial ") == 4
    assert "4 trials: 4 complete, 0 pruned, 0 failed" in printed.out
    assert "python train.py 'data=x y' optim.optimizer.lr=" in printed.out
    assert run_command("tune", [*given, "--show", "--format", "markdown"]) == 0
    table = capsys.readouterr().out
    assert table.startswith("| trial | state | dev |")
    assert "```\npython train.py" in table
    assert run_command("tune", [*given, "--show", "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert len(found["trials"]) == 4
    assert found["best"]["value"] == max(trial["value"] for trial in found["trials"])
    assert found["best"]["command"].startswith("python train.py 'data=x y' ")


def test_a_study_without_a_whole_trial_has_no_best(
    tmp_path: Path, stand_in_trains: None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command("tune", ["--study", str(tmp_path / "study"), "--show"]) == 1
    assert "0 trials" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--space", "nowhere"], "no such space"),
        (["no.such=1"], "no.such: no such setting"),
        (["data=nowhere"], "data=nowhere: no such choice"),
    ],
)
def test_wrong_use_is_reported_in_a_line(
    arguments: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command("tune", ["--study", str(tmp_path / "study"), *arguments]) == 2
    told = capsys.readouterr().err
    assert message in told
    assert told.count("\n") == 1
    assert not (tmp_path / "study").exists()


@pytest.mark.parametrize("value", ["0", "-1", "x", "1.5"])
def test_a_wrong_number_is_reported(value: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        run_command("tune", ["--study", str(tmp_path), f"--trials={value}"])
    assert "expected a whole number from 1" in capsys.readouterr().err


def test_real_trainings_are_searched_by_two_workers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    space = write_space(tmp_path, "encoder.hidden_size: {choices: [4, 8]}\n")
    given = [sys.executable, "-m", "tagger", "tune", "--study", "study", "--space", space]
    overrides = [*column_files(tmp_path), *(each for each in QUICK if not each.startswith("encoder.hidden"))]
    ended = subprocess.run(
        [*given, "--trials", "2", "--workers", "2", "--format", "json", *overrides],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    found = json.loads(ended.stdout)
    assert [trial["state"] for trial in found["trials"]] == ["complete", "complete"]
    assert not (tmp_path / "runs").exists()  # a trial is not the latest run
    monkeypatch.chdir(tmp_path)
    best = shlex.split(found["best"]["command"])
    assert train_command.main([*best[2:], "run_dir=again"]) == 0
    again = json.loads((tmp_path / "again" / "run.json").read_text())
    assert again["dev"]["dev_f1"] == found["best"]["value"]
