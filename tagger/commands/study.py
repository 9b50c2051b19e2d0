"""A hyperparameter search: trials of a study, each a run of train.py. Several workers may share one study.

The folder of a study holds
    study.db     trials and their values: Optuna's SQLite storage
    trials/      the run folder of each trial, by number
    logs/        what each run printed
    lock         held by a worker while it chooses the values of its next trial
"""

from __future__ import annotations

import random
import shlex
import subprocess
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from filelock import FileLock

from tagger.commands.search_space import Dimension, as_overrides
from tagger.errors import UserError, install_command, library_failures_told
from tagger.python_process import start_python
from tagger.runs.record import RunRecord
from tagger.training.epoch_line import read_epoch_line

try:
    import optuna
except ImportError:
    raise UserError(f"tuning needs the extra: {install_command('tune')}") from None

warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)  # of heartbeats, in Optuna since 2.8

_NAME = "tagger"
_BEGUN = "begun"  # the attribute of a trial that has all its values and a heartbeat
_WARMUP_EPOCHS = 2  # a trial is never pruned in these
_SECONDS_BETWEEN_HEARTBEATS = 10
_SECONDS_WITHOUT_HEARTBEAT = 30  # after these the worker of a trial counts as killed
_SECONDS_BETWEEN_LOOKS = 1.0  # at the trials of other workers
_SECONDS_TO_END = 60.0  # of a run after SIGTERM
_FAILURES_TO_GIVE_UP = 3  # if there is nothing but failures
TRAIN = ("-m", "tagger", "train")  # Python's arguments that start train.py


class _RunFailedError(Exception):
    """The run of a trial failed."""


@dataclass(frozen=True)
class Trial:
    """A trial that has ended."""

    number: int  # from 0
    state: str  # `complete`, `pruned` or `failed`
    value: float | None  # the best dev score; of a pruned trial the best before it was pruned
    settings: Mapping[str, Any]  # the values chosen
    epochs: int  # that were scored
    seconds: float
    error: str | None = None  # the last line of a failed run

    def __str__(self) -> str:
        value = "" if self.value is None else f" {self.value:.4f}"
        ended = self.error or f"{self.epochs} epochs, {self.seconds:.0f} s"
        return f"trial {self.number}: {self.state}{value} ({ended}) {' '.join(as_overrides(self.settings))}"


class Study:
    """A search in a folder, new or continued."""

    def __init__(
        self, folder: Path, space: Sequence[Dimension], overrides: Sequence[str], *, prune: bool = True, seed: int = 1
    ) -> None:
        """
        Args:
            folder: made if missing.
            space: the settings to vary.
            overrides: what all trials have in common, as on train.py's command line.
            prune: end a trial whose dev score, after an epoch, is below the median of earlier trials.
            seed: of the search.

        Raises:
            UserError: the folder holds a study of something else, or cannot be written.
        """
        self.folder, self._space, self._overrides = folder, list(space), list(overrides)
        self._prune, self._seed = prune, seed
        try:
            (folder / "logs").mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(f"{folder}: cannot write: {error.strerror or error}; set another --study") from error
        self._lock = FileLock(folder / "lock")
        with self._lock, library_failures_told(folder / "study.db", "cannot be read", "set another --study"):
            self._study = self._open()

    def run(self, trials: int, say: Callable[[str], None], train: Sequence[str] = TRAIN) -> None:
        """Run trials until the study has this many that ended, those of other workers included.

        A failed trial counts. An interrupted one is run again, and so is one whose worker was killed.

        Args:
            trials: how many.
            say: called with a line for each trial that ends here.
            train: Python's arguments that start train.py.

        Raises:
            UserError: all trials failed, three at least.
            KeyboardInterrupt: by Ctrl-C; the trial that ran is run again when the study continues.
        """
        objective, callbacks = partial(self._carry_out, train), [lambda _, trial: say(str(_as_trial(trial)))]
        while self._lock_next(trials):
            try:
                self._study.optimize(objective, n_trials=1, catch=_RunFailedError, callbacks=callbacks)
            finally:
                self._lock.release()
            ended = self.trials()
            if len(ended) >= _FAILURES_TO_GIVE_UP and all(trial.state == "failed" for trial in ended):
                raise UserError(f"{self.folder}: every trial failed, the last: {ended[-1].error}; see its logs/")

    def trials(self) -> list[Trial]:
        """Return the trials that ended and were not interrupted, by number."""
        return [_as_trial(found) for found in self._study.get_trials(deepcopy=False) if _counts(found)]

    def best(self) -> Trial | None:
        """Return the complete trial with the best dev score."""
        complete = [trial for trial in self.trials() if trial.state == "complete"]
        return max(complete, key=lambda trial: trial.value or 0.0, default=None)

    def command(self, trial: Trial) -> str:
        """Return the command line that trains with a trial's settings."""
        return shlex.join(["python", "train.py", *self._overrides, *as_overrides(trial.settings)])

    def _open(self) -> optuna.Study:
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self._storage = optuna.storages.RDBStorage(
            f"sqlite:///{self.folder.resolve() / 'study.db'}",
            engine_kwargs={"connect_args": {"timeout": 60}},
            heartbeat_interval=_SECONDS_BETWEEN_HEARTBEATS,
            grace_period=_SECONDS_WITHOUT_HEARTBEAT,
            heartbeat_stale_trial_callback=optuna.storages.RetryHeartbeatStaleTrialCallback(),
        )
        pruner = optuna.pruners.MedianPruner(n_startup_trials=4, n_warmup_steps=_WARMUP_EPOCHS + 1)
        study = optuna.create_study(
            study_name=_NAME,
            storage=self._storage,
            direction="maximize",
            load_if_exists=True,
            pruner=pruner if self._prune else optuna.pruners.NopPruner(),
        )
        about = {"space": [repr(entry) for entry in self._space], "overrides": self._overrides, "seed": self._seed}
        if (before := study.user_attrs.get("about", about)) != about:
            changed = ", ".join(name for name in about if before.get(name) != about[name])
            raise UserError(
                f"{self.folder}: holds a study with another {changed}; give those again, or another --study"
            )
        study.set_user_attr("about", about)
        return study

    def _lock_next(self, trials: int) -> bool:
        """Hold the lock for a next trial; return False, without the lock, once enough trials have ended.

        While trials of other workers are the last ones, wait: one whose worker was killed has to be run again.
        """
        while True:
            self._lock.acquire()
            optuna.storages.fail_stale_trials(self._study)
            self._fail_unbegun_trials()
            known = self._study.get_trials(deepcopy=False)  # once: a trial that ends between two looks is in neither
            ended = sum(map(_counts, known))
            running = sum(trial.state is optuna.trial.TrialState.RUNNING for trial in known)
            if ended + running < trials:
                seed = random.Random(f"{self._seed} {len(known)}").getrandbits(31)
                self._study.sampler = optuna.samplers.TPESampler(seed=seed, n_startup_trials=8)
                return True
            self._lock.release()
            if ended >= trials:
                return False
            time.sleep(_SECONDS_BETWEEN_LOOKS)

    def _fail_unbegun_trials(self) -> None:
        """Fail trials whose worker was killed before it let go of the lock: they may have no heartbeat that stops."""
        for trial in self._study.get_trials(deepcopy=False, states=[optuna.trial.TrialState.RUNNING]):
            if _BEGUN not in trial.user_attrs:
                self._study.tell(trial.number, state=optuna.trial.TrialState.FAIL)
                if chosen := trial.system_attrs.get("fixed_params"):  # of a trial that is run again
                    self._study.enqueue_trial(chosen)

    def _carry_out(self, train: Sequence[str], trial: optuna.Trial) -> float:
        """Choose a trial's values, let go of the lock, train, and return the dev score."""
        try:
            for entry in self._space:
                entry.suggest(trial)
            self._storage.record_heartbeat(trial._trial_id)
            trial.set_user_attr(_BEGUN, True)
            self._lock.release()
            command = [*train, *self._overrides, *as_overrides(trial.params)]
            with _Run(self.folder, trial.number, command) as run:
                for epoch, score in run.scores():
                    trial.report(score, epoch)
                    if trial.should_prune():
                        raise optuna.TrialPruned
            record = RunRecord.read(run.folder)
        except optuna.TrialPruned:
            raise
        except BaseException:
            self._study.enqueue_trial(trial.params)
            raise
        if run.code != 0 or record is None:
            trial.set_user_attr("error", run.last_line or f"exit code {run.code}")
            raise _RunFailedError
        return next(iter(record.dev.values()))


class _Run:
    """A run of train.py in a process of its own, which ends with the `with` block."""

    def __init__(self, study: Path, number: int, command: Sequence[str]) -> None:
        self.folder = study / "trials" / f"{number:04d}"
        self.last_line, self.code = "", 0
        self._log = study / "logs" / f"{number:04d}.log"
        own = (f"run_dir={self.folder}", "latest=null", "trainer.enable_progress_bar=false")
        self._command = [*command, *own]
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> _Run:
        return self

    def __exit__(self, *_: object) -> None:
        """Let the run save and end; kill it if it does not."""
        if self._process is None or self._process.poll() is not None:
            return
        self._process.terminate()
        try:
            self._process.wait(_SECONDS_TO_END)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def scores(self) -> Iterator[tuple[int, float]]:
        """Start the run and yield epochs with their dev scores; `last_line` and `code` are known at the end."""
        last = 0
        with self._log.open("w", encoding="utf-8") as log:
            streams = {"stdin": subprocess.DEVNULL, "stdout": log, "stderr": subprocess.PIPE, "text": True}
            # in a session of its own: Ctrl-C reaches the study alone, which ends its runs
            self._process = start_python(self._command, **streams, errors="replace", start_new_session=True)
            assert self._process.stderr is not None
            for line in self._process.stderr:
                log.write(line)
                log.flush()
                self.last_line = line.strip() or self.last_line
                epoch, score = read_epoch_line(line) or (0, 0.0)
                if epoch > last:  # train_on_dev counts from 1 again
                    last = epoch
                    yield epoch, score
        self.code = self._process.wait()


def _counts(trial: optuna.trial.FrozenTrial) -> bool:
    """Return whether a trial has ended and was not interrupted."""
    return trial.state.name in ("COMPLETE", "PRUNED") or ("error" in trial.user_attrs and trial.state.name == "FAIL")


def _as_trial(trial: optuna.trial.FrozenTrial) -> Trial:
    scores = trial.intermediate_values
    complete = trial.state.name == "COMPLETE"
    assert trial.datetime_complete is not None
    assert trial.datetime_start is not None
    return Trial(
        number=trial.number,
        state={"COMPLETE": "complete", "PRUNED": "pruned", "FAIL": "failed"}[trial.state.name],
        value=trial.value if complete else max(scores.values(), default=None),
        settings=trial.params,
        epochs=len(scores),
        seconds=(trial.datetime_complete - trial.datetime_start).total_seconds(),
        error=trial.user_attrs.get("error"),
    )
