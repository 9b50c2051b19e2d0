"""`train.py`: train on a data set, score the test split, write a model folder and a report."""

from __future__ import annotations

import contextlib
import shlex
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tagger.commands.hydra import hydra_entry
from tagger.commands.hydra.overrides import describe_differences
from tagger.commands.model_settings import complete_by_tags
from tagger.commands.train_settings import TrainSettings, is_finished, spell_out
from tagger.corpus.dataset import Split, load_splits
from tagger.corpus.schemes import Scheme
from tagger.corpus.sentence import Sentence
from tagger.errors import UserError
from tagger.evaluation.markdown import as_table
from tagger.evaluation.report import unknown_label_warnings
from tagger.evaluation.report_files import report_page
from tagger.features.batching import far_longer
from tagger.files import lock_folder
from tagger.model_folder.folder import ModelFolder
from tagger.printable import in_a_line

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from tagger.runs.finish import FinishedRun
    from tagger.training.training_run import TrainingResult


def main(arguments: list[str] | None = None) -> int:
    """Train as the command line asks; returns the exit code."""
    given = spell_out(sys.argv[1:] if arguments is None else arguments)
    return hydra_entry.run("train", _task, given, is_finished)


def _task(config: DictConfig) -> None:
    """Run one job in the folder that Hydra made for it."""
    with removed_if_empty(hydra_entry.output_folder()) as run_dir:
        outcome, _ = train_run(TrainSettings.read(config, run_dir, hydra_entry.given))
        if outcome is not None:
            _end_as_signalled(outcome.stopped_by)


def train_run(settings: TrainSettings) -> tuple[TrainingResult | None, FinishedRun | None]:
    """Train, save and score one run, and print an account of it.

    Returns:
        The training and the finished run; None for each in processes of a run that do not lead.

    Raises:
        UserError: settings, data or folder do not fit.
        KeyboardInterrupt, SystemExit: Ctrl-C or SIGTERM came before the end of the first epoch.
    """
    # imported after the settings have been checked, as PyTorch and Lightning take seconds
    from tagger.commands.train_distilled import learn_from_teacher, tokens_per_epoch
    from tagger.runs.finish import finish_run
    from tagger.training.checks import check_accelerator, check_optimizer
    from tagger.training.process_group import is_leader
    from tagger.training.run_folder import CheckpointMismatchError, claim_run_dir
    from tagger.training.training_run import train, train_on_dev

    run, make_trainer = settings.run, hydra_entry.partial(settings.trainer)
    make_optimizer = hydra_entry.partial(settings.composed["optim"]["optimizer"])
    check_optimizer(make_optimizer)
    check_accelerator(settings.trainer.get("accelerator"))
    leads = is_leader()
    with contextlib.ExitStack() as held:
        if leads:
            held.enter_context(claim_run_dir(run))
            held.enter_context(lock_folder(run.run_dir))
        splits = load_splits(settings.data)
        if leads:
            _print_data(splits, settings)
            if not run.resume:
                settings.save()
        how: dict[str, Any] = {
            "data": settings.data,
            "model": settings.model(plain=splits["train"].scheme is Scheme.PLAIN),
            "optim": settings.optim,
            "make_trainer": settings.with_epochs(make_trainer, tokens_per_epoch(settings, splits)),
            "make_optimizer": make_optimizer,
            "run": run,
            "progress_bar": _shows_progress_bar(settings),
        }
        held.enter_context(_resume_advice(run.run_dir))
        how["distillation"] = learn_from_teacher(settings, splits, how)
        try:
            outcome = train(splits, **how)
        except CheckpointMismatchError as error:
            raise UserError(f"{error}{_changed_settings(settings)}") from error
        if run.train_on_dev and outcome.stopped_by is None:
            outcome = train_on_dev(outcome, splits, **how)
        if leads:
            if run.resume:  # only now, as the new settings have proved to fit the run
                settings.save()
            finished = finish_run(outcome, splits, settings.data, run)
            _print_end(outcome, finished, run.run_dir)
            return outcome, finished
    return None, None  # only the leading process ends as signalled: Lightning kills all if one of the others fails


@contextlib.contextmanager
def removed_if_empty(run_dir: Path) -> Iterator[Path]:
    """Remove the folder if the block fails and has left nothing in it."""
    try:
        yield run_dir
    except BaseException:
        if run_dir != Path.cwd():
            with contextlib.suppress(OSError):  # it holds something
                run_dir.rmdir()
        raise


@contextlib.contextmanager
def _resume_advice(run_dir: Path) -> Iterator[None]:
    """Let Ctrl-C in the block say how to resume, if there is a checkpoint."""
    from tagger.training.run_folder import has_checkpoint

    try:
        yield
    except KeyboardInterrupt as error:
        if error.args or not has_checkpoint(run_dir):
            raise
        raise KeyboardInterrupt(f"before the run's end; {_how_to_resume(run_dir)}") from error


def _how_to_resume(run_dir: Path) -> str:
    return f"the same command with resume=true run_dir={shlex.quote(str(run_dir))} continues"


def _shows_progress_bar(settings: TrainSettings) -> bool:
    wanted = settings.trainer.get("enable_progress_bar")
    return sys.stderr.isatty() if wanted is None else bool(wanted)


def _changed_settings(settings: TrainSettings) -> str:
    """Return the settings that a resumed run had otherwise; "" if its own are lost."""
    try:
        before = hydra_entry.read_config(settings.run.run_dir / "config.yaml")
    except UserError:
        return ""
    differences = describe_differences(before, settings.composed)
    return f": {differences or 'the settings are the same, but the files of data or vectors are not'}"


def _print_data(splits: Mapping[str, Split], settings: TrainSettings) -> None:
    """Print the account of each split, and warnings of labels and vectors."""
    from tagger.training.run_folder import has_checkpoint, holds_run

    run = settings.run
    for split in splits.values():
        print(split.account())
    known = {*splits["train"].labels(), *(ModelFolder.load(run.init_from).labels if run.init_from else ())}
    for name in ("dev", "test"):
        for warning in unknown_label_warnings(splits[name].labels(), known, where=f"the {name} split"):
            print(in_a_line(f"warning: {warning}"))
    if run.resume and not holds_run(run.run_dir):
        print(in_a_line(f"{run.run_dir}: no run there yet; beginning a new one"), file=sys.stderr)
    elif run.resume and not has_checkpoint(run.run_dir):
        print(in_a_line(f"warning: {run.run_dir}: no checkpoint to resume from; training from the beginning"))
    if warning := _length_warning(splits["train"].sentences, settings.optim.batch_tokens):
        print(f"warning: {warning}")
    static = complete_by_tags(settings.composed, plain=False).embeddings.static
    if settings.data.language is None and static is not None and static.source == "auto":
        print("no pretrained vectors, as data.language is not set; data.language=en takes the bundled ones")
    print(end="", flush=True)


def _length_warning(sentences: Sequence[Sentence], batch_tokens: int) -> str:
    """Name the training sentences far longer than the rest and their share of an epoch; "" if there are none."""
    found = far_longer(list(map(len, sentences)), batch_tokens)
    if not found.numbers:
        return ""
    first = [(sentences[number], number) for number in found.numbers[:3]]
    shown = ", ".join(f"{one.place or number + 1} ({len(one):,} tokens)" for one, number in first)
    more = len(found.numbers) - len(first)
    return (
        f"train: far longer than the rest: {shown}{f' and {more:,} more' if more else ''}. They take {found.steps:,} "
        f"of an epoch's {found.all_steps:,} time steps; data.max_length={found.limit} leaves them out"
    )


def _print_end(outcome: TrainingResult, finished: FinishedRun, run_dir: Path) -> None:
    """Print scores, warnings, and where model and report are."""
    scores = finished.scores
    print(as_table(scores))
    for warning in finished.warnings:
        print(in_a_line(f"warning: {warning}"))
    endings = {signal.SIGINT: "stopped by Ctrl-C after", signal.SIGTERM: "stopped by SIGTERM after"}
    ended = endings[outcome.stopped_by] if outcome.stopped_by else "trained"
    print(
        f"\n{ended} {outcome.epochs} epoch{'' if outcome.epochs == 1 else 's'} in "
        f"{outcome.seconds:.0f} s; {outcome.score_name} {outcome.score:.4f}, "
        f"test {scores.headline_name} {scores.headline:.4f}"
    )
    if outcome.stopped_by is not None:
        print(in_a_line(_how_to_resume(run_dir)))
    print(in_a_line(f"model:  {finished.model}"))
    if finished.report is not None:
        print(in_a_line(f"report: {report_page(finished.report)}"))


def _end_as_signalled(stopped_by: signal.Signals | None) -> None:
    """Exit as a program does that the signal ended."""
    if stopped_by is signal.SIGTERM:
        raise SystemExit(128 + signal.SIGTERM)
    if stopped_by is signal.SIGINT:
        raise KeyboardInterrupt
