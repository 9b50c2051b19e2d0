"""Hyperparameter search: trials of a study, each a run of train.py, one after another; several workers on one study.

A study's folder holds
    study.db     trials and their values, SQLite, Optuna's
    trials/      a run's folder for each, by its number
    logs/        what each run printed
    running/     a lock for each trial that runs, which tells it from one whose worker was killed
"""

from __future__ import annotations

import contextlib
import fcntl
import random
import shlex
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from tagger.commands.hydra.child_processes import command_line, environment
from tagger.commands.search_space import Dimension, as_overrides
from tagger.errors import UserError, library_failures_told
from tagger.runs.record import RunRecord
from tagger.training.epoch_line import read_epoch_line

_NAME = "tagger"
_EPOCHS_SPARED = 2  # at the start of a trial, whatever they score
_SECONDS_TO_END = 60.0  # of a run that is told to
_FAILURES_TO_GIVE_UP = 3  # where nothing else has come of a study
TRAIN = tuple(command_line("train"))


@dataclass(frozen=True)
class Trial:
    """A trial that has come to an end.

    Attributes:
        number: from 0.
        state: `complete`, `pruned` or `failed`.
        value: the best dev score; of a pruned trial the best until then.
        settings: what was varied.
        epochs: how many were scored.
        seconds: how long it took.
        error: what a failed run said last.
    """

    number: int
    state: str
    value: float | None
    settings: Mapping[str, Any]
    epochs: int
    seconds: float
    error: str | None = None

    def __str__(self) -> str:
        value = "" if self.value is None else f" {self.value:.4f}"
        ended = self.error or f"{self.epochs} epochs, {self.seconds:.0f} s"
        return f"trial {self.number}: {self.state}{value} ({ended}) {' '.join(as_overrides(self.settings))}"


class Study:
    """A search in a folder, begun or gone on with."""

    def __init__(
        self, folder: Path, space: Sequence[Dimension], overrides: Sequence[str], *, prune: bool = True, seed: int = 1
    ) -> None:
        """
        Args:
            folder: made if missing.
            space: what is varied.
            overrides: what all trials have in common, as on train.py's command line.
            prune: end trials whose dev score, after an epoch, is below the median of those before.
            seed: of the search.

        Raises:
            UserError: the folder holds a study of something else, or cannot be written.
        """
        self.folder, self._space, self._overrides = folder, list(space), list(overrides)
        self._prune, self._seed = prune, seed
        self._optuna = _import_optuna()
        try:
            for name in ("running", "logs"):
                (folder / name).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(f"{folder}: cannot write: {error.strerror or error}; set another --study") from error
        told = library_failures_told(folder / "study.db", "cannot be read", "set another --study")
        with self._locked(folder / "running" / "study"), told:
            self._study = self._open()

    def run(self, trials: int, tell: Callable[[str], None], train: Sequence[str] = TRAIN) -> None:
        """Run trials until the study has so many that ended; those of other workers count.

        A trial that fails counts too; one that was interrupted is done again.

        Args:
            trials: how many.
            tell: is called with a line for each that ends.
            train: the program that is train.py.

        Raises:
            UserError: the first three all failed.
            KeyboardInterrupt: by Ctrl-C; the trial that ran is done again when the study goes on.
        """
        while (begun := self._begin(trials)) is not None:
            trial, held = begun
            with held:
                self._carry_out(trial, train)
            ended = self.trials()
            tell(str(next(one for one in ended if one.number == trial.number)))
            if len(ended) >= _FAILURES_TO_GIVE_UP and all(one.state == "failed" for one in ended):
                raise UserError(f"{self.folder}: every trial failed, the last: {ended[-1].error}; see its logs/")

    def trials(self) -> list[Trial]:
        """Those that ended by themselves, in their order."""
        return [_ended(trial) for trial in self._study.get_trials(deepcopy=False) if _counts(trial)]

    def best(self) -> Trial | None:
        """The one with the best dev score, of those that ran to their end."""
        complete = [trial for trial in self.trials() if trial.state == "complete"]
        return max(complete, key=lambda trial: trial.value or 0.0, default=None)

    def command(self, trial: Trial) -> str:
        """The command line that trains with a trial's settings."""
        return shlex.join(["python", "train.py", *self._overrides, *as_overrides(trial.settings)])

    def _open(self) -> Any:
        optuna = self._optuna
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        storage = optuna.storages.RDBStorage(
            f"sqlite:///{self.folder.resolve() / 'study.db'}", engine_kwargs={"connect_args": {"timeout": 60}}
        )
        pruner = optuna.pruners.MedianPruner(n_startup_trials=4, n_warmup_steps=_EPOCHS_SPARED + 1)
        study = optuna.create_study(
            study_name=_NAME,
            storage=storage,
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

    def _begin(self, trials: int) -> tuple[Any, contextlib.ExitStack] | None:
        """The next trial, its values chosen, and its lock; None where there are enough."""
        with self._locked(self.folder / "running" / "study"):
            self._take_up_left()
            if len(self._running()) + len(self.trials()) >= trials:
                return None
            number = len(self._study.get_trials(deepcopy=False))
            self._study.sampler = self._optuna.samplers.TPESampler(
                seed=random.Random(f"{self._seed} {number}").getrandbits(31), n_startup_trials=8
            )
            trial = self._study.ask()
            held = contextlib.ExitStack()
            held.enter_context(self._locked(self._lock(trial.number)))
            for entry in self._space:
                entry.suggest(trial)
        return trial, held

    def _take_up_left(self) -> None:
        """Trials whose worker is gone have failed, and their settings come next."""
        for left in self._running():
            with contextlib.suppress(BlockingIOError), self._locked(self._lock(left.number), wait=False):
                if any(left.number == still.number for still in self._running()):  # it did not end meanwhile
                    self._put_back(left.number, left.params)

    def _running(self) -> list[Any]:
        return self._study.get_trials(deepcopy=False, states=(self._optuna.trial.TrialState.RUNNING,))

    def _put_back(self, number: int, settings: Mapping[str, Any]) -> None:
        self._study.tell(number, state=self._optuna.trial.TrialState.FAIL)
        if settings:
            self._study.enqueue_trial(dict(settings))

    def _carry_out(self, trial: Any, train: Sequence[str]) -> None:
        """Run a trial and note what came of it."""
        states = self._optuna.trial.TrialState
        run = _Run(self.folder, trial.number, [*train, *self._overrides, *as_overrides(trial.params)])
        try:
            pruned = False
            for epoch, score in run.scores():
                if pruned:  # what it still said before it ended
                    continue
                trial.report(score, epoch)
                if trial.should_prune():
                    pruned = True
                    run.end()
            record = None if pruned else RunRecord.read(run.folder)
        except BaseException:
            run.end()
            self._put_back(trial.number, trial.params)
            raise
        if pruned:
            self._study.tell(trial, state=states.PRUNED)
        elif run.code == 0 and record is not None:
            self._study.tell(trial, next(iter(record.dev.values())))
        else:
            trial.set_user_attr("error", run.last_line or f"exit code {run.code}")
            self._study.tell(trial, state=states.FAIL)

    def _lock(self, number: int) -> Path:
        return self.folder / "running" / f"{number:04d}"

    @contextlib.contextmanager
    def _locked(self, path: Path, *, wait: bool = True) -> Iterator[None]:
        """Hold a lock that the system lets go of when this process ends, however it does."""
        with path.open("w") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield


class _Run:
    """A run of train.py in a process of its own."""

    def __init__(self, study: Path, number: int, command: Sequence[str]) -> None:
        self.folder = study / "trials" / f"{number:04d}"
        self.last_line, self.code = "", 0
        self._log = study / "logs" / f"{number:04d}.log"
        own = (f"run_dir={self.folder}", "latest=null", "trainer.enable_progress_bar=false")
        self._command = [*command, *own]
        self._process: subprocess.Popen[str] | None = None

    def scores(self) -> Iterator[tuple[int, float]]:
        """Epochs and their dev scores, as they come; `last_line` and `code` are known when these have ended."""
        with self._log.open("w", encoding="utf-8") as log:
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.PIPE,
                text=True,
                errors="replace",
                env=environment(),
                start_new_session=True,  # Ctrl-C is for the study, which ends its runs itself
            )
            assert self._process.stderr is not None
            yield from self._read(self._process.stderr, log)
        self.code = self._process.wait()

    def _read(self, lines: IO[str], log: IO[str]) -> Iterator[tuple[int, float]]:
        last = 0
        for line in lines:
            log.write(line)
            log.flush()
            self.last_line = line.strip() or self.last_line
            epoch, score = read_epoch_line(line) or (0, 0.0)
            if epoch > last:  # train_on_dev counts anew
                last = epoch
                yield epoch, score

    def end(self) -> None:
        """Have it stop and keep what it has; kill it if it does not."""
        if self._process is None or self._process.poll() is not None:
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(_SECONDS_TO_END)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def _counts(trial: Any) -> bool:
    """Whether a trial came to an end by itself."""
    return trial.state.name in ("COMPLETE", "PRUNED") or ("error" in trial.user_attrs and trial.state.name == "FAIL")


def _ended(trial: Any) -> Trial:
    scores = trial.intermediate_values
    complete = trial.state.name == "COMPLETE"
    seconds = (trial.datetime_complete - trial.datetime_start).total_seconds()
    return Trial(
        number=trial.number,
        state={"COMPLETE": "complete", "PRUNED": "pruned", "FAIL": "failed"}[trial.state.name],
        value=trial.value if complete else max(scores.values(), default=None),
        settings=trial.params,
        epochs=len(scores),
        seconds=seconds,
        error=trial.user_attrs.get("error"),
    )


def _import_optuna() -> Any:
    try:
        import optuna
    except ImportError:
        raise UserError("tuning needs the extra: pip install 'tagger[tune]'") from None
    return optuna
