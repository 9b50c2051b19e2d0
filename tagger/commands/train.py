"""`train.py`: train on a data set, score the test split, leave a model folder and a report."""

from __future__ import annotations

import contextlib
import functools
import os
import shlex
import signal
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tagger.config import StaticEmbedding, TransformerEmbedding
from tagger.config_parsing import from_mapping
from tagger.corpus.dataset import DataConfig, Split, load_splits
from tagger.corpus.schemes import Scheme
from tagger.corpus.sentence import Sentence
from tagger.corpus.tokenizers import get_tokenizer
from tagger.errors import UserError
from tagger.files import alone_in
from tagger.printable import in_a_line
from tagger.renamed_settings import name_of, new_name

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from tagger.training.run_config import RunConfig
    from tagger.training.training_run import TrainingResult

_GROUPS = ("data", "embeddings", "encoder", "decoder", "optim", "trainer")
_NUMBERS = ("lr", "weight_decay")  # of any optimiser
_SHORT = {"embeddings.static": StaticEmbedding.SHORT, "embeddings.transformer": TransformerEmbedding.SHORT}


def main(arguments: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    try:
        from tagger.commands.hydra import hydra_entry

        given = _spelled_out(sys.argv[1:] if arguments is None else arguments)
        return hydra_entry.run("train", _task, given, _is_finished)
    except UserError as error:
        print(f"train.py: {error}", file=sys.stderr)
        return 2


def _spelled_out(arguments: list[str]) -> list[str]:
    """Short forms in full where other settings of the entry stand beside them, which they would replace."""
    spelled = []
    for argument in arguments:
        name, _, value = argument.partition("=")
        if new_name(name) in _SHORT and value != "null" and not value.startswith("{"):
            beside = any(new_name(name_of(other)).startswith(f"{new_name(name)}.") for other in arguments)
            argument = f"{name}.{_SHORT[new_name(name)]}={value}" if beside else argument
        spelled.append(argument)
    return spelled


def _is_finished(config: DictConfig, run_dir: Path) -> bool:
    """Whether a run that is to be resumed has come to its end, with these very settings."""
    from tagger.commands.hydra import hydra_entry
    from tagger.commands.hydra.overrides import repeatable
    from tagger.runs.record import RunRecord

    if not config.resume:
        return False
    _check_resumed(config)
    try:
        record = RunRecord.read(run_dir)
        before = hydra_entry.read_config(run_dir / "config.yaml")
        now = _settings(config)
    except UserError:  # which the run itself will tell of
        return False
    ended = record is not None and record.stopped_by is None
    return ended and repeatable(before) == repeatable(now)


def _task(config: DictConfig) -> None:
    """One job, in the folder that Hydra has made for it."""
    from tagger.commands.hydra import hydra_entry

    run_dir = hydra_entry.output_folder()
    if not config.run_dir:
        raise UserError("run_dir: empty; set it to a folder for this run")
    try:
        _check_resumed(config)
        _check_folder(run_dir)
        _run(config, run_dir)
    except BaseException:
        if run_dir != Path.cwd():
            with contextlib.suppress(OSError):  # it holds something
                run_dir.rmdir()
        raise


def _run(config: DictConfig, run_dir: Path) -> None:
    """Check the settings, read the splits, train, save and score."""
    from tagger.commands.hydra import hydra_entry
    from tagger.commands.model_settings import asked, settled
    from tagger.training.run_config import OptimConfig, RunConfig

    settings = _settings(config)
    own = {key: value for key, value in settings.items() if key not in _GROUPS}
    run = from_mapping(RunConfig, {**own, "run_dir": str(run_dir)})
    data = DataConfig.from_mapping(settings["data"])
    get_tokenizer(data.tokenizer)  # a wrong name is to be told of before training
    model = settled(settings, data.language, plain=data.scheme == "plain")
    optim = from_mapping(OptimConfig, {k: v for k, v in settings["optim"].items() if k != "optimizer"}, "optim")
    _check_trainer(settings["trainer"])
    _check_optimizer(settings["optim"]["optimizer"])

    from tagger.training.checks import check_accelerator, check_optimizer  # after them, as Lightning takes seconds
    from tagger.training.process_group import batches_per_step, is_leader
    from tagger.training.run_folder import CheckpointMismatchError, lock_run_dir
    from tagger.training.training_run import train, train_on_dev

    make_optimizer = hydra_entry.partial(config.optim.optimizer)
    check_optimizer(make_optimizer)
    check_accelerator(settings["trainer"].get("accelerator"))
    leads = is_leader()
    with contextlib.ExitStack() as held:
        if leads:
            held.enter_context(lock_run_dir(run))
            held.enter_context(alone_in(run_dir))
        splits = load_splits(data)
        model = settled(settings, data.language, plain=splits["train"].scheme is Scheme.PLAIN)
        make_trainer = hydra_entry.partial(config.trainer)
        if config.trainer.max_epochs is None and config.trainer.max_steps == -1:
            tokens = sum(map(len, splits["train"].sentences))
            epochs = optim.epochs_for(tokens, batches_per_step(settings["trainer"]))
            make_trainer = functools.partial(make_trainer, max_epochs=epochs)
        if leads:
            _describe(splits, run)
            if warning := _length_warning(splits["train"].sentences, optim.batch_tokens):
                print(f"warning: {warning}", flush=True)
            static = asked(settings, plain=False).embeddings.static
            if data.language is None and static is not None and static.source == "auto":
                print("no pretrained vectors, as data.language is not set; data.language=en takes the bundled ones")
            if not run.resume:
                hydra_entry.save_config(settings, run_dir / "config.yaml")
        how: dict[str, Any] = {
            "data": data,
            "model": model,
            "optim": optim,
            "make_trainer": make_trainer,
            "make_optimizer": make_optimizer,
            "run": run,
            "progress_bar": _progress_bar(settings["trainer"]),
        }
        held.enter_context(_resumable(run_dir))
        try:
            outcome = train(splits, **how)
        except CheckpointMismatchError as error:
            raise UserError(f"{error}{_what_differs(run_dir, settings)}") from error
        if run.train_on_dev and outcome.stopped_by is None:
            outcome = train_on_dev(outcome, splits, **how)
        if leads:
            if run.resume:  # not before they have proved to fit the run
                hydra_entry.save_config(settings, run_dir / "config.yaml")
            _finish(outcome, splits, data, run)
    if not leads:  # Lightning kills all processes where one of the others fails
        return
    if outcome.stopped_by is signal.SIGTERM:
        raise SystemExit(128 + signal.SIGTERM)
    if outcome.stopped_by is signal.SIGINT:
        raise KeyboardInterrupt


@contextlib.contextmanager
def _resumable(run_dir: Path) -> Iterator[None]:
    """Have Ctrl-C, wherever it comes, tell how to go on where there is a checkpoint."""
    from tagger.training.run_folder import has_checkpoint

    try:
        yield
    except KeyboardInterrupt as error:
        if error.args or not has_checkpoint(run_dir):
            raise
        raise KeyboardInterrupt(f"before the run's end; {_how_to_go_on(run_dir)}") from error


def _how_to_go_on(run_dir: Path) -> str:
    return f"the same command with resume=true run_dir={shlex.quote(str(run_dir))} goes on"


def _settings(config: DictConfig) -> dict[str, Any]:
    """What is composed; with `init_from`, that model's own settings in place of those that shape a model."""
    from tagger.commands.hydra import hydra_entry
    from tagger.commands.model_settings import of_start

    settings = hydra_entry.settings_of(config)
    if not settings["init_from"]:
        return settings
    return of_start(settings, hydra_entry.compose("train"), hydra_entry.given())


def _check_resumed(config: DictConfig) -> None:
    """
    Raises:
        UserError: the run to go on with is not named: the folder's name is the time.
    """
    from tagger.commands.hydra import hydra_entry

    if config.resume and hydra_entry.is_composed(config, "run_dir"):
        raise UserError("resume=true: name the folder of the run to go on with, as in run_dir=runs/2030-12-31_23-59-59")


def _check_folder(run_dir: Path) -> None:
    """
    Raises:
        UserError: it is a model's, to which a run would add its own files, or it lies in one, or in a finished run's,
            where nobody would look for it.
    """
    from tagger.model_folder.folder import is_model
    from tagger.runs.record import RunRecord

    if is_model(run_dir):
        raise UserError(f"{run_dir}: a model, not the folder of a run; set another run_dir (init_from takes a model)")
    around, ended = run_dir.resolve().parent, None
    with contextlib.suppress(UserError):  # a file that is called so and is something else
        ended = RunRecord.read(around)
    if ended is not None or is_model(around):
        raise UserError(f"{run_dir}: lies within another run or a model; set another run_dir")


def _check_trainer(trainer: dict[str, Any]) -> None:
    """What Lightning itself would only stumble over in the middle of the run."""
    for name in ("max_epochs", "max_steps", "num_nodes"):
        value = trainer.get(name)
        if value is not None and (not isinstance(value, int) or isinstance(value, bool)):
            raise UserError(f"trainer.{name}: expected a whole number, got {value!r}")
    clip = trainer.get("gradient_clip_val")
    if isinstance(clip, int | float) and clip < 0:
        raise UserError(f"trainer.gradient_clip_val: must not be negative ({clip}); null clips nothing")
    steps = trainer.get("accumulate_grad_batches", 1)
    if isinstance(steps, int) and steps < 1:
        raise UserError(f"trainer.accumulate_grad_batches: must be at least 1, not {steps}")
    precision = str(trainer.get("precision"))
    if precision in ("16-true", "bf16-true", "64-true", "64"):
        raise UserError(f"trainer.precision={precision}: use 32-true, bf16-mixed or 16-mixed")


def _check_optimizer(optimizer: object) -> None:
    if not isinstance(optimizer, dict) or "_target_" not in optimizer:
        raise UserError(f"optim.optimizer: expected settings with a class, got {optimizer!r}; set "
            "optim.optimizer._target_=torch.optim.Adam, or another")  # fmt: skip
    for name in _NUMBERS:
        value = optimizer.get(name)
        if value is not None and (not isinstance(value, int | float) or isinstance(value, bool)):
            raise UserError(f"optim.optimizer.{name}: expected a number, got {value!r}")


def _what_differs(run_dir: Path, settings: dict[str, Any]) -> str:
    """Why a run that is resumed does not fit; "" where its settings are not there any more."""
    from tagger.commands.hydra import hydra_entry
    from tagger.commands.hydra.overrides import told_differences

    try:
        before = hydra_entry.read_config(run_dir / "config.yaml")
    except UserError:
        return ""
    differences = told_differences(before, settings)
    return f": {differences or 'the settings are the same, but not what lies in the files of data or vectors'}"


def _progress_bar(trainer: dict[str, Any]) -> bool:
    shown = trainer.get("enable_progress_bar")
    return sys.stderr.isatty() if shown is None else bool(shown)


def _describe(splits: dict[str, Split], run: RunConfig) -> None:
    """Say what was read, and what of it cannot be learnt."""
    from tagger.evaluation.report import unknown_label_warnings
    from tagger.model_folder.folder import ModelFolder
    from tagger.training.run_folder import has_checkpoint, holds_run

    for split in splits.values():
        print(split.account())
    known = {*splits["train"].labels(), *(ModelFolder.load(run.init_from).labels if run.init_from else ())}
    for name in ("dev", "test"):
        for warning in unknown_label_warnings(splits[name].labels(), known, where=f"the {name} split"):
            print(in_a_line(f"warning: {warning}"))
    if run.resume and not holds_run(run.run_dir):
        print(in_a_line(f"{run.run_dir}: no run there yet; beginning anew"), file=sys.stderr)
    elif run.resume and not has_checkpoint(run.run_dir):
        print(in_a_line(f"warning: {run.run_dir}: no checkpoint to resume from; training from the beginning"))
    print(end="", flush=True)


def _length_warning(sentences: Sequence[Sentence], batch_tokens: int) -> str:
    """Name the training sentences far longer than the rest and their share of an epoch; "" where there are none."""
    from tagger.features.batching import far_longer

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


def _finish(outcome: TrainingResult, splits: dict[str, Split], data: DataConfig, run: RunConfig) -> None:
    """Save the model, score the test split through the saved folder, write the card, move `latest`."""
    from tagger.evaluation.markdown import as_table
    from tagger.evaluation.model_scores import evaluate, score_split
    from tagger.evaluation.report_files import remove_report, report_page, write_report
    from tagger.files import written_whole
    from tagger.predict import load
    from tagger.runs.background import of_run
    from tagger.runs.model_card import model_card
    from tagger.runs.record import make_record

    folder, run_dir = outcome.folder, run.run_dir
    model_dir = run_dir / "model"
    folder.save(model_dir, model_card(outcome, splits, data, run.seed, None))
    model = load(model_dir, device=outcome.device if outcome.device.startswith("cuda") else "cpu")
    warnings: Sequence[str] = ()
    if run.report:
        background = of_run(run_dir, folder, splits, data.title)
        found = evaluate(model, splits["test"], {"model": str(model_dir), "data": data.title}, background)
        report = write_report(run_dir / "report", found)
        scores, warnings = report.scores, report.warnings
    else:
        remove_report(run_dir / "report")  # of an earlier model, where the run is resumed
        scores = score_split(model, splits["test"])
    with written_whole(model_dir / "README.md") as stream:
        stream.write(model_card(outcome, splits, data, run.seed, scores))
    record = make_record(outcome, splits, scores, seed=run.seed, resumed=run.resume, model_dir=model_dir)
    record.write(run_dir)
    if outcome.stopped_by is None and run.latest is not None:
        point_latest(run_dir, run.latest)
    print(as_table(scores))
    for warning in warnings:
        print(in_a_line(f"warning: {warning}"))
    signals = {signal.SIGINT: "stopped by Ctrl-C after", signal.SIGTERM: "stopped by SIGTERM after"}
    ended = signals[outcome.stopped_by] if outcome.stopped_by else "trained"
    print(
        f"\n{ended} {outcome.epochs} epoch{'' if outcome.epochs == 1 else 's'} in "
        f"{outcome.seconds:.0f} s; {outcome.score_name} {outcome.score:.4f}, "
        f"test {scores.headline_name} {scores.headline:.4f}"
    )
    if outcome.stopped_by is not None:
        print(in_a_line(_how_to_go_on(run_dir)))
    print(in_a_line(f"model:  {model_dir}"))
    if run.report:
        print(in_a_line(f"report: {report_page(run_dir / 'report')}"))


def point_latest(run_dir: Path, link: Path) -> None:
    """Make a link point at a finished run, wherever it lies."""
    try:
        link.parent.mkdir(parents=True, exist_ok=True)
        temporary = link.with_name(f".latest.{os.getpid()}")
        temporary.unlink(missing_ok=True)
        temporary.symlink_to(os.path.relpath(run_dir.resolve(), link.parent.resolve()), target_is_directory=True)
        temporary.replace(link)
    except OSError as error:
        warning = f"warning: {link} was not moved to this run: {error.strerror or error}"
        print(in_a_line(warning), file=sys.stderr)
